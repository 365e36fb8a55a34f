#!/usr/bin/env bash
# Ingest of this router beside what the machine allows, DCMTK and Orthanc: a Markdown table of medians
# on standard output (progress on standard error).
#
#   benchmarks/side_by_side.sh            about 10 minutes
#   ROUNDS=1 SECONDS_EACH=1 benchmarks/side_by_side.sh
#   RECEIVERS="limit storescp" SIZES=524288 ASSOCIATIONS="1 4" benchmarks/side_by_side.sh
#
# Receivers are started afresh for each run and take turns (A B C D A B C D ...), so that a noisy
# machine is noisy to all. Each takes a load like the one to be measured first and then comes to rest:
# what is measured is a receiver that has worked before. CPU seconds are the receiver's own, user and
# system, from /proc. Files are deleted only at the end: ext4 creates files slowly for minutes after
# many were deleted.
#
#   router    dicom-router: durable before it answers; the rules are evaluated, nothing is delivered
#   limit     append to one zero-filled log, synced in groups: the least that a durable receiver does
#   storescp  DCMTK's `storescp +B` (bit preserving); syncs nothing
#   orthanc   Debian's Orthanc as shipped, without plugins; syncs the file, not the folder
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-2}
read -ra receivers <<<"${RECEIVERS:-router limit storescp orthanc}"
read -ra sizes <<<"${SIZES:-524288 8192}"
read -ra associations <<<"${ASSOCIATIONS:-1 4 16}"
bin=$PWD/build/release
export TCP_NODELAY=1  # DCMTK, and with it Orthanc, would wait 40 ms for each acknowledgement

work=$(mktemp -d "${TMPDIR:-/tmp}/dicom-router-bench-XXXXXX")
pid=
stop_receiver() {
  [ -n "$pid" ] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  pid=
}
cleanup() {
  stop_receiver
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

need=$((${#sizes[@]} * ${#associations[@]} * rounds * 3))  # GB, at most 1 for each storing receiver
free=$(df --output=avail -BG "$work" | tail -1 | tr -dc 0-9)
if [ "$free" -lt "$need" ]; then
  echo "note: $free GB free below $work, up to $need GB wanted; TMPDIR chooses another disk" >&2
fi

# listening PORT: asks the kernel's table; the receiver sees no connection.
listening() { grep -q ":$(printf %04X "$1") [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); listening "$port"; do :; done
  echo "$port"
}
wait_for() {
  local port=$1 tries=0
  until listening "$port"; do
    if ! kill -0 "$pid" 2>/dev/null || [ $((tries += 1)) -gt 600 ]; then
      echo "the receiver did not start:" >&2
      tail -n 20 "$work/log" >&2
      exit 1
    fi
    read -rt 0.05 <> <(:) || true
  done
}

start_router() {
  admin=$(free_port)
  mkdir -p "$2/rules.d"
  cat >"$2/router.toml" <<TOML
[node]
name     = "bench"
ae_title = "ROUTER"
spool    = "spool"
rules    = "rules.d"

[[listener]]
name      = "bench"
kind      = "dimse"
bind      = "127.0.0.1:$1"
ae_titles = ["*"]

[[destination]]
name = "archive"
kind = "folder"
path = "archive"

[admin]
bind = "127.0.0.1:$admin"
TOML
  cat >"$2/rules.d/bench.toml" <<TOML
[[rule]]
name  = "not what the bench sends"
when  = { Modality = "MR" }
route = ["archive"]
TOML
  "$bin/dicom-router" serve -c "$2/router.toml" >"$work/log" 2>&1 &
  pid=$!
}
start_limit() {
  "$bin/benchmarks/limit_receiver" "$1" log "$2/log" >"$work/log" 2>&1 &
  pid=$!
}
start_storescp() {
  storescp +B -od "$2" "$1" >"$work/log" 2>&1 &
  pid=$!
}
start_orthanc() {
  cat >"$2/orthanc.json" <<JSON
{"StorageDirectory": "$2/storage", "IndexDirectory": "$2/storage", "DicomPort": $1,
 "HttpPort": $(free_port), "DicomAlwaysAllowStore": true, "Plugins": []}
JSON
  /usr/sbin/Orthanc "$2/orthanc.json" >"$work/log" 2>&1 &
  pid=$!
}

# CPU seconds of the receiver and the children that it has waited for.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) / hz }' "/proc/$pid/stat"; }

# The router's thread that computes SHA-256 behind the acknowledgement: told apart, since no other
# receiver does that.
digest_cpu() {
  local task
  for task in /proc/"$pid"/task/*; do
    [ "$(cat "$task/comm" 2>/dev/null)" = digest ] || continue
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "$task/stat"
    return
  done
  echo 0
}
syncs() {
  [ "$receiver" = router ] || { echo 0; return; }
  curl -s "http://127.0.0.1:$admin/metrics" | awk '/^dicom_router_journal_sync_seconds_count/ { print $2 }'
}

# At rest: it used no CPU for a while, or there is no end to it.
settle() {
  local last now tries=0
  now=$(cpu)
  while last=$now; [ $((tries += 1)) -le 20 ]; do
    read -rt 1 <> <(:) || true
    now=$(cpu)
    [ "$now" != "$last" ] || break
  done
  sync -f "$work"
}
load() {
  "$bin/benchmarks/load_sender" "$port" --associations "$n" --objects "$most" --seconds "$seconds" \
    --pixels "$pixels" --called ROUTER
}

field() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$result"; }

run=0
for pixels in "${sizes[@]}"; do
  most=$((pixels > 100000 ? 1000 : 30000))
  for n in "${associations[@]}"; do
    for ((round = 1; round <= rounds; ++round)); do
      for receiver in "${receivers[@]}"; do
        folder=$work/$((++run))
        mkdir "$folder"
        port=$(free_port)
        "start_$receiver" "$port" "$folder"
        wait_for "$port"
        load >"$work/warm-up" || true  # a failure shows in the run that counts
        settle
        before=$(cpu) digest_before=$(digest_cpu) syncs_before=$(syncs)
        if ! result=$(load); then
          echo "$receiver, $n associations, $pixels octets: $result" >&2
        fi
        after=$(cpu) digest_after=$(digest_cpu) syncs_after=$(syncs)
        stop_receiver
        echo "$pixels $n $receiver $(field objects) $(field failed) $(field objects_per_s)" \
          "$(field octets) $(field p50_ms) $(field p95_ms) $(field sender_cpu_s) $before $after" \
          "$digest_before $digest_after $((syncs_after - syncs_before))" \
          >>"$work/results"
        printf '\r%d of %d runs ' "$run" \
          $((rounds * ${#receivers[@]} * ${#sizes[@]} * ${#associations[@]})) >&2
        # A log that is written in place again is no file that others would have to keep.
        [ "$receiver" != limit ] || rm -f "$folder/log"
      done
    done
  done
done
echo >&2

echo "$(nproc) cores, loopback, $(df --output=fstype "$work" | tail -1); medians (minimum–maximum) of $rounds runs of" \
  "at most $seconds s, taking turns; CPU is the receiver's."
awk -v order="${receivers[*]}" '
function sorted(list, out,   n, i, j, t) {
  n = split(list, out, " ")
  for (i = 2; i <= n; i++)
    for (j = i; j > 1 && out[j - 1] + 0 > out[j] + 0; j--) { t = out[j]; out[j] = out[j - 1]; out[j - 1] = t }
  return n
}
function median(list,   a, n) { n = sorted(list, a); return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2 }
function range(list, format,   a, n) {
  n = sorted(list, a)
  if (n == 0) return "–"
  return sprintf(format " (" format "–" format ")", median(list), a[1], a[n])
}
function middle(list) { return list == "" ? "–" : sprintf("%.2f", median(list)) }
{
  group = $1 " " $2; key = group " " $3
  if (!(group in seen)) { seen[group] = ++groups; name[groups] = group }
  used = $12 - $11
  digest = $14 - $13
  rate[key] = rate[key] " " $6
  failed[key] += $5
  if ($4 > 0) {
    each[key] = each[key] " " used / $4 * 1000
    octet[key] = octet[key] " " used / ($4 * $7) * 1e9
    bare[key] = bare[key] " " (used - digest) / ($4 * $7) * 1e9
    sync[key] = sync[key] " " $15 / $4
    p50[key] = p50[key] " " $8; p95[key] = p95[key] " " $9
  }
  objects += $4; sender += $10
}
END {
  count = split(order, receiver, " ")
  for (g = 1; g <= groups; g++) {
    split(name[g], part, " ")
    what = (part[1] > 100000) ? "CT-sized (525 KB)" : (part[1] / 1024) " KB"
    printf "\n**%s, %d association%s**\n\n", what, part[2], (part[2] > 1) ? "s" : ""
    print "| receiver | objects/s | CPU s per 1,000 | CPU s per GB | without SHA-256 | p50 ms | p95 ms | failed | syncs per object | router to it: objects/s | CPU without SHA-256 |"
    print "|---|---|---|---|---|---|---|---|---|---|---|"
    router = name[g] " router"
    for (r = 1; r <= count; r++) {
      key = name[g] " " receiver[r]
      ratio = cost = "–"
      if (receiver[r] != "router" && (router in rate) && each[key] != "" && median(rate[key]) > 0) {
        ratio = sprintf("%.2f", median(rate[router]) / median(rate[key]))
        if (bare[router] != "" && median(bare[key]) > 0)
          cost = sprintf("%.2f", median(bare[router]) / median(bare[key]))
      }
      synced = (receiver[r] == "router") ? middle(sync[key]) : "–"
      printf "| %s | %s | %s | %s | %s | %s | %s | %d | %s | %s | %s |\n", receiver[r],
        range(rate[key], "%.0f"), range(each[key], "%.2f"), range(octet[key], "%.2f"),
        middle(bare[key]), middle(p50[key]), middle(p95[key]), failed[key], synced, ratio, cost
    }
  }
  if (objects > 0)
    printf "\nThe sender used %.2f CPU s per 1,000 objects.\n", sender / objects * 1000
}' "$work/results"
