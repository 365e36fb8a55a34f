#!/usr/bin/env bash
# `make fuzz`: every fuzzer, one after the other.
#
#   test/fuzz/run.sh [SECONDS]     for each (300)
#
# New inputs are kept in build/fuzz/found/<name>, apart from the small corpus that is committed; an
# input that fails lies there too, and ends the run with status 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-300}

names=()
for source in test/fuzz/*_fuzz.cpp; do names+=("$(basename "$source" _fuzz.cpp)"); done
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${names[@]/%/_fuzz}"
for name in "${names[@]}"; do
  found=build/fuzz/found/$name
  mkdir -p "$found"
  echo "== $name for $seconds s"
  "build/fuzz/test/fuzz/${name}_fuzz" -max_total_time="$seconds" -print_final_stats=1 \
    -artifact_prefix="$found/" "$found" "test/fuzz/corpus/$name" 2>&1 |
    grep -vE '^#[0-9]+\s+(NEW|REDUCE|pulse|RELOAD)'
done
