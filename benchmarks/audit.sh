#!/usr/bin/env bash
# How fast the audit databases take events, and how fast they answer `trace`: fresh servers on
# loopback, synced as in production. INSTANCES (200000) objects with five rows each; DATABASES
# ("sqlite postgresql mysql") one after another. Then what senders notice when both servers are down:
# ROUNDS (5; 0: not measured) of OBJECTS (2000) each way, and how fast DRAINED (20000) objects follow.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --build --preset release --target audit_load audit_ingest >/dev/null
read -ra databases <<<"${DATABASES:-sqlite postgresql mysql}"
build/release/benchmarks/audit_load "${INSTANCES:-200000}" "${databases[@]}"
[ "${ROUNDS:-5}" = 0 ] || build/release/benchmarks/audit_ingest "${ROUNDS:-5}" "${OBJECTS:-2000}" "${DRAINED:-20000}"
