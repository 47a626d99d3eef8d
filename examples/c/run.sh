#!/bin/sh
# Does what README.md says and compares the scores with vigc's own. usage: run.sh VIGC [DIRECTORY FOR BUILDING]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vigc=$(command -v "$1")
build=${2:-$here/build}
mkdir -p "$build"

# Any image will do: 1 KiB of numbers of magnitude 1/8 to 1/2, over and over, as raw float32 and as .npy.
awk 'BEGIN { for (i = 0; i < 256; i++) { for (j = 0; j < 3; j++) { s = (s * 137 + 71) % 251; printf "\\0%03o", s }
  printf (s % 2 ? "\\0276" : "\\0076") } }' >"$build/numbers.txt"
printf '%b' "$(cat "$build/numbers.txt")" >"$build/numbers.f32"
i=0
while [ $i -lt 588 ]; do cat "$build/numbers.f32"; i=$((i + 1)); done >"$build/image.f32"
{
  printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }"
  cat "$build/image.f32"
} >"$build/image.npy"

"$vigc" compile mobilevig_ti --weights synthetic -o "$build/mobilevig_ti"
cmake -S "$here" -B "$build" -DMODEL_DIR="$build/mobilevig_ti"
cmake --build "$build"
"$build/classify" "$build/mobilevig_ti/mobilevig_ti.weights" <"$build/image.f32" >"$build/scores.f32"

"$vigc" run mobilevig_ti --weights synthetic --input "$build/image.npy" --output "$build/scores.npy"
tail -c 4000 "$build/scores.npy" | cmp - "$build/scores.f32"
echo "the program and vigc give the same bytes"
