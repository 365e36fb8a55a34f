#!/usr/bin/env bash
# `make demo`: the router as `make run` serves it, with a real Orthanc beside the folder `archive` and
# a rule between them, and a real PostgreSQL and MariaDB that get the audit beside SQLite. Sends sample objects with DCMTK and prints what went where, once as the router
# tells it and once as the destinations do. Everything on loopback, below a temporary folder that is
# removed at the end (KEEP=1 keeps it).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
router=$root/build/release/dicom-router
export TCP_NODELAY=1  # DCMTK would wait 40 ms for each acknowledgement

work=$(mktemp -d "${TMPDIR:-/tmp}/dicom-router-demo-XXXXXX")
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() {
  echo "demo: $1" >&2
  [ -z "${2:-}" ] || tail -n 20 "$2" >&2
  exit 1
}
listening() { grep -q ":$(printf %04X "$1") [0-9A-F]*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); listening "$port"; do :; done
  echo "$port"
}
# wait_until SECONDS COMMAND...: asks ten times a second.
wait_until() {
  local tries=$(($1 * 10))
  shift
  until "$@"; do
    [ $((tries -= 1)) -gt 0 ] || return 1
    read -rt 0.1 <> <(:) || true
  done
}

# as USER COMMAND...: database servers refuse to run as root.
as() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
  else
    exec "$@"
  fi
}
# folder_of USER NAME: a folder below $work that is the user's.
folder_of() {
  mkdir "$work/$2"
  [ "$(id -u)" != 0 ] || chown "$1": "$work/$2"
}
chmod 711 "$work"

pg_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
pg_port=$(free_port) mysql_port=$(free_port)
PG_PASSWORD=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' ') MYSQL_PASSWORD=$PG_PASSWORD
ROUTER_AUDIT_KEY=$PG_PASSWORD-key
export PG_PASSWORD MYSQL_PASSWORD ROUTER_AUDIT_KEY
psql() { PGPASSWORD=$PG_PASSWORD "$pg_bin/psql" -X -q -h 127.0.0.1 -p "$pg_port" -U router "$@"; }
mysql() { mariadb --no-defaults -h 127.0.0.1 -P "$mysql_port" "$@"; }

folder_of postgres pg
printf '%s\n' "$PG_PASSWORD" >"$work/password"
chmod 644 "$work/password"
(as postgres "$pg_bin/initdb" -D "$work/pg/data" -U router -N -E UTF8 --locale=C \
  --auth=scram-sha-256 --pwfile="$work/password") >"$work/initdb.log" 2>&1 ||
  die "initdb failed" "$work/initdb.log"
(cd / && as postgres "$pg_bin/postgres" -D "$work/pg/data" -c port="$pg_port" -c listen_addresses=127.0.0.1 \
  -c unix_socket_directories=) >"$work/pg.log" 2>&1 &
pids+=($!)
folder_of mysql my
(as mysql mariadb-install-db --no-defaults --datadir="$work/my/data" --skip-test-db --skip-name-resolve \
  --auth-root-authentication-method=normal) >"$work/install-db.log" 2>&1 ||
  die "mariadb-install-db failed" "$work/install-db.log"
(cd / && as mysql /usr/sbin/mariadbd --no-defaults --datadir="$work/my/data" --port="$mysql_port" \
  --bind-address=127.0.0.1 --socket="$work/my/sock" --skip-name-resolve) >"$work/my.log" 2>&1 &
pids+=($!)

dicom=$(free_port) admin=$(free_port) orthanc_dicom=$(free_port) orthanc_http=$(free_port)

cat >"$work/orthanc.json" <<JSON
{"StorageDirectory": "$work/orthanc", "IndexDirectory": "$work/orthanc", "DicomPort": $orthanc_dicom,
 "HttpPort": $orthanc_http, "DicomAlwaysAllowStore": true, "UnknownSopClassAccepted": true,
 "OverwriteInstances": true, "AuthenticationEnabled": false, "Plugins": []}
JSON
/usr/sbin/Orthanc "$work/orthanc.json" >"$work/orthanc.log" 2>&1 &
pids+=($!)

# The configuration that comes with the router, on free ports, and one destination and rule more. Its
# paths are relative to its own folder, so spool, audit and archive stand below the copy.
cp -r conf "$work/conf"
config=$work/conf/router.toml
sed -i -e "s/^\( *bind *= *\"\)[^\"]*:11112\"/\1127.0.0.1:$dicom\"/" \
  -e "s/^\( *bind *= *\"\)[^\"]*:8080\"/\1127.0.0.1:$admin\"/" "$config"
cat >>"$config" <<TOML

[[destination]]
name     = "orthanc"
kind     = "dimse"
profile  = "orthanc"
host     = "127.0.0.1"
port     = $orthanc_dicom
ae_title = "ORTHANC"
verify   = "none"
retry    = { first = "1s" }

[keys]
audit = "\${ROUTER_AUDIT_KEY}"
[audit.postgresql]
url      = "postgresql://router@127.0.0.1:$pg_port/router"
password = "\${PG_PASSWORD}"
[audit.mysql]
url      = "mysql://router@127.0.0.1:$mysql_port/router"
password = "\${MYSQL_PASSWORD}"
TOML
cat >"$work/conf/rules.d/00-demo.toml" <<'TOML'
[[rule]]
name  = "CT, MR and radiotherapy to Orthanc as well"
when  = { Modality = ["CT", "MR", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTIMAGE"] }
route = ["orthanc", "archive"]
TOML
wait_until 60 psql -d postgres -c "CREATE DATABASE router" 2>"$work/psql.log" || die "PostgreSQL did not start" "$work/pg.log"
wait_until 60 mysql -u root -e "CREATE USER router IDENTIFIED BY '$MYSQL_PASSWORD';
  CREATE DATABASE router; GRANT ALL ON router.* TO router" 2>"$work/mysql.log" || die "MariaDB did not start" "$work/my.log"
"$router" check -c "$config" || die "the configuration is not valid"
wait_until 60 listening "$orthanc_dicom" || die "Orthanc did not start" "$work/orthanc.log"
"$router" serve -c "$config" >"$work/router.log" 2>&1 &
pids+=($!)
wait_until 60 listening "$dicom" || die "the router did not start" "$work/router.log"

# make_object NUMBER MODALITY SOP-CLASS: a small image made by DCMTK from text, a series a modality.
make_object() {
  local uid=2.25.$EPOCHSECONDS$RANDOM$1
  cat >"$work/object.txt" <<TEXT
(0008,0016) UI $3
(0008,0018) UI $uid
(0008,0020) DA 20240102
(0008,0060) CS $2
(0010,0010) PN Demo^$2
(0010,0020) LO DEMO-$2
(0020,000d) UI 2.25.$EPOCHSECONDS
(0020,000e) UI 2.25.$EPOCHSECONDS.$((16#$(printf %s "$2" | od -An -tx1 | tr -d ' ')))
(0028,0002) US 1
(0028,0004) CS MONOCHROME2
(0028,0010) US 2
(0028,0011) US 2
(0028,0100) US 16
(0028,0101) US 16
(0028,0102) US 15
(0028,0103) US 0
(7fe0,0010) OW 0001\0002\0003\0004
TEXT
  dump2dcm -q +te "$work/object.txt" "$samples/$2-$1.dcm"
}
samples=$(dirname "$root")/shared/data/objects
if [ ! -d "$samples" ]; then
  echo "../shared/data/objects is not there: sending objects made with DCMTK instead."
  samples=$work/own
  mkdir "$samples"
  image=1.2.840.10008.5.1.4.1.1
  for i in 1 2 3 4; do
    make_object "$i" CT $image.2
    make_object "$i" MR $image.4
    make_object "$i" OT $image.7
  done
fi

echo "Sending $(find "$samples" -type f | wc -l) files to the router with dcmsend ..."
dcmsend -aet MODALITY -aec ROUTER --no-halt --no-illegal-proposal --scan-directories --recurse \
  --create-report-file "$work/sent" 127.0.0.1 "$dicom" "$samples" >"$work/dcmsend.log" 2>&1 || true
[ -s "$work/sent" ] || die "nothing was sent" "$work/dcmsend.log"
grep -E '^Number of|^ +[*-] ' "$work/sent" || true

settled() {
  "$router" queue list -c "$config" --json >"$work/queue.json" &&
    jq -e 'all(.[]; .state != "waiting" and .state != "sending")' "$work/queue.json" >/dev/null
}
# Twice: what has just been received is in the journal a moment before it is in a queue.
wait_until 120 settled && read -rt 0.3 <> <(:) || wait_until 120 settled || echo "after two minutes something still waits; below is how it stands"

# What was sent, by SOP Instance UID and modality, and how the router says it stands.
while IFS= read -r -d '' file; do
  dcmdump -q -s -M +P 0008,0018 +P 0008,0060 "$file" 2>/dev/null | awk -F'[][]' '
    /^\(0008,0018\)/ && uid == "" { uid = $2 } /^\(0008,0060\)/ && modality == "" { modality = $2 }
    END { if (uid != "") print uid, modality == "" ? "(none)" : modality }'
done < <(find "$samples" -type f -print0) | sort -u >"$work/objects"
while read -r uid modality; do
  "$router" trace -c "$config" --json "$uid" 2>/dev/null |
    jq -r --arg m "$modality" '.objects[-1] // {} | if .state == null then [$m, "not received", ""]
      else ([$m, "received", ""], (.states // {} | to_entries[] | [$m, .key, .value])) end | @tsv' ||
    printf '%s\tnot received\t\n' "$modality"
done <"$work/objects" >"$work/states"

printf '\nWhat went where, as the router tells it (objects; a destination counts those delivered):\n\n'
awk -F'\t' '
  { seen[$1] = 1 }
  $2 == "received" || $2 == "not received" { sent[$1]++; if ($2 == "received") got[$1]++; next }
  $3 == "delivered" || $3 == "verified" { there[$1 " " $2]++; next }
  { other[$1 "\t" $2 " " $3]++ }
  END {
    printf "%-12s %8s %9s %8s %8s  %s\n", "modality", "sent", "received", "archive", "orthanc", "otherwise"
    for (o in other) { split(o, part, "\t"); rest[part[1]] = rest[part[1]] other[o] " " part[2] "; " }
    for (m in seen)
      printf "%-12s %8d %9d %8d %8d  %s\n", m, sent[m], got[m], there[m " archive"],
        there[m " orthanc"], rest[m] | "sort"
  }' "$work/states"

printf '\nAs the destinations tell it:\n\n'
printf 'Orthanc holds  %s instances\n' \
  "$(curl -sS "http://127.0.0.1:$orthanc_http/statistics" | jq .CountInstances)"
archive=$(find "$work" -type d -name archive -not -path '*/spool/*' | head -n 1)
printf 'archive holds  %s files, for example\n' "$(find "${archive:-$work/none}" -type f 2>/dev/null | wc -l)"
find "${archive:-$work/none}" -type f -printf '  %P\n' 2>/dev/null | sort | sed -n '1p;$p'

printf '\nThe whole life of one object (dicom-router trace):\n\n'
"$router" trace -c "$config" "$(head -n 1 "$work/objects" | cut -d' ' -f1)" || true

one=$(head -n 1 "$work/objects" | cut -d' ' -f1)
rows="SELECT at_utc, event, place, outcome FROM v_life WHERE sop_instance_uid = '$one' ORDER BY at, event"
counts="SELECT modality, count(*) AS objects, sum(octets) AS octets FROM instance GROUP BY modality ORDER BY modality"
printf '\nThe audit in PostgreSQL:\n\n'
psql -d router -c "$counts" -c "$rows"
printf 'The audit in MariaDB:\n\n'
mysql -u router -p"$MYSQL_PASSWORD" --table -e "$counts; $rows" router
printf '\nAll three against each other (dicom-router audit compare):\n\n'
"$router" audit compare -c "$config"
