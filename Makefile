# The commands of this project; each works on a bare Debian 12 and installs its packages once.
# `make help` lists them.

.DEFAULT_GOAL := build
.PHONY: help run build test demo bench fuzz format tidy clean

binary  := build/release/dicom-router
sources := git ls-files -z '*.cpp' '*.h'
FUZZ_SECONDS ?= 300

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

run: build  ## build, then serve with conf/router.toml until Ctrl-C
	@exec $(binary) serve -c conf/router.toml

build: packages-build build/release/build.ninja  ## the release binary at build/release/dicom-router
	@cmake --build --preset release --target dicom-router

test: packages-build packages-test build/release/build.ninja  ## every test, real peers included
	@cmake --build --preset release --target all
	@ctest --preset release -j $$(nproc) --no-tests=error

demo: build packages-test  ## the router before a real Orthanc: what went where
	@test/e2e/demo.sh

bench: build packages-test  ## this router beside storescp, Orthanc and the machine's limit
	@cmake --build --preset release --target load_sender limit_receiver
	@benchmarks/side_by_side.sh
	@benchmarks/audit.sh

fuzz: packages-build packages-test  ## every fuzz target for FUZZ_SECONDS (300)
	@test/fuzz/run.sh $(FUZZ_SECONDS)

format: packages-test  ## clang-format all sources in place
	@$(sources) | xargs -0 clang-format-14 -i

tidy: packages-build packages-test  ## clang-tidy on all sources
	@DR_TIDY_SECONDS=3600 .ci/tidy all

clean:  ## remove what was built; var/ (the spool of `make run`) stays
	@rm -rf build

.PHONY: packages-build packages-test
packages-build:
	@.ci/install build
packages-test:
	@.ci/install test

build/release/build.ninja: | packages-build
	@cmake --preset release >/dev/null
