#!/usr/bin/env bash
# How fast the audit databases take events, and how fast they answer `trace`: fresh servers on
# loopback, synced as in production. INSTANCES (200000) objects with five rows each; DATABASES
# ("sqlite postgresql mysql") one after another. 10,000,000 instances take about 12 GB in each.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --build --preset release --target audit_load >/dev/null
read -ra databases <<<"${DATABASES:-sqlite postgresql mysql}"
exec build/release/benchmarks/audit_load "${INSTANCES:-200000}" "${databases[@]}"
