#!/usr/bin/env bash
# A start with many waiting objects, after kill -9: how long until associations are accepted, until the
# first object is delivered, and what one waiting delivery takes of memory.
#
#   benchmarks/restart.sh [OBJECTS [PIXEL_OCTETS]]      default 1000000 of 2048: about 4 minutes, 6 GB
set -euo pipefail
cd "$(dirname "$0")/.."

objects=${1:-1000000}
pixels=${2:-2048}
bin=$PWD/build/release
work=$(mktemp -d "${TMPDIR:-/tmp}/dicom-router-bench-XXXXXX")
node= sink=
cleanup() {
  for pid in $node $sink; do
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

listening() { grep -q ":$(printf %04X "$1") [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); listening "$port"; do :; done
  echo "$port"
}
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$node/status"; }
pause() { read -rt "$1" <> <(:) || true; }
start() {
  began=$(now)
  "$bin/dicom-router" serve -c "$work/router.toml" >>"$work/log" 2>&1 &
  node=$!
  until listening "$port"; do
    kill -0 "$node" 2>/dev/null || { tail -n 20 "$work/log" >&2; exit 1; }
    pause 0.01
  done
  accepts=$(since "$began")
}

port=$(free_port)
sink_port=$(free_port)
admin=$(free_port)
mkdir "$work/rules.d" "$work/sink"
cat >"$work/router.toml" <<TOML
[node]
name     = "bench"
ae_title = "ROUTER"
spool    = "spool"
rules    = "rules.d"
[[listener]]
name      = "bench"
kind      = "dimse"
bind      = "127.0.0.1:$port"
ae_titles = ["*"]
[[destination]]
name     = "sink"
kind     = "dimse"
host     = "127.0.0.1"
port     = $sink_port
ae_title = "SINK"
retry    = { first = "1s", factor = 1.0, most = "1s" }
[admin]
bind = "127.0.0.1:$admin"
TOML
printf '[[rule]]\nname = "all"\nwhen = "unmatched"\nroute = ["sink"]\n' >"$work/rules.d/all.toml"

start
empty=$(resident)
"$bin/benchmarks/load_sender" "$port" --associations 16 --objects "$objects" --seconds 600 \
  --pixels "$pixels" --called ROUTER
echo "waiting: $(awk -v a="$empty" -v b="$(resident)" -v n="$objects" 'BEGIN { printf "%.0f", (b - a) * 1024 / n }') octets of memory each, in the process that received them"
kill -9 "$node"
wait "$node" 2>/dev/null || true
du -sh "$work/spool" "$work"/spool/checkpoints | tr '\n' ' '
echo
cold=page-cache
[ ! -w /proc/sys/vm/drop_caches ] || { sync && echo 3 >/proc/sys/vm/drop_caches && cold=cold; }
TCP_NODELAY=1 storescp --ignore +xa "$sink_port" >"$work/sink.log" 2>&1 &
sink=$!
start
delivered() {
  curl -s "http://127.0.0.1:$admin/metrics" |
    awk '/^dicom_router_deliveries_total.*outcome="delivered"/ { n += $2 } END { print n + 0 }'
}
until [ "$(delivered)" -gt 0 ]; do
  kill -0 "$node" || exit 1
  pause 0.02
done
echo "restart ($cold): accepts after $accepts s, first delivered after $(since "$began") s"
pause 20
echo "waiting: $(awk -v a="$empty" -v b="$(resident)" -v n="$objects" 'BEGIN { printf "%.0f", (b - a) * 1024 / n }') octets of memory each, 20 s after the start"
grep -E 'journal.opened' "$work/log" | tail -1
