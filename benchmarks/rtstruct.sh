#!/usr/bin/env bash
# Extraction of a structure set of 100 ROIs and 1 000 000 points on 512 x 512 x 200 voxels, beside
# plastimatch's conversion to masks. Runs are interleaved; the ratios are what counts.
#
#   benchmarks/rtstruct.sh [ROUNDS]     3
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
router=build/release/dicom-router
phantom=build/release/benchmarks/rtstruct_phantom
for program in "$router" "$phantom"; do
  [ -x "$program" ] || { echo "build $program first" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$phantom" "$work"

# timed NAME COMMAND...: wall seconds and peak memory in MiB.
timed() {
  local name=$1
  shift
  /usr/bin/time -f '%e %M' -o "$work/time" "$@" >"$work/out" 2>"$work/err" ||
    { cat "$work/err" >&2; exit 1; }
  local seconds kib
  read -r seconds kib <"$work/time"
  printf '%-26s %8.2f s %8d MiB\n' "$name" "$seconds" $((kib / 1024))
  last=$seconds
}

for ((round = 1; round <= rounds; ++round)); do
  timed "without masks" "$router" extract "$work/rtstruct.dcm"
  timed "without masks, with CT" "$router" extract --reference "$work/ct" "$work/rtstruct.dcm"
  rm -rf "$work/masks"
  timed "masks (.nii.gz)" "$router" extract --masks --reference "$work/ct" --output "$work/masks" \
    "$work/rtstruct.dcm"
  ours=$last
  rm -rf "$work/plastimatch"
  timed "plastimatch (.mha)" plastimatch convert --input "$work/rtstruct.dcm" \
    --referenced-ct "$work/ct" --output-prefix "$work/plastimatch" --prefix-format mha
  awk -v a="$last" -v b="$ours" 'BEGIN { printf "ratio to plastimatch .mha  %8.1f\n", a / b }'
done
rm -rf "$work/plastimatch"
timed "plastimatch (.nii.gz)" plastimatch convert --input "$work/rtstruct.dcm" \
  --referenced-ct "$work/ct" --output-prefix "$work/plastimatch" --prefix-format nii.gz
awk -v a="$last" -v b="$ours" 'BEGIN { printf "ratio to plastimatch .nii.gz %6.1f\n", a / b }'
