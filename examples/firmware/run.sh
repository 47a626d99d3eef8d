#!/bin/sh
# Does what README.md says, and demands the same bits from this machine. usage: run.sh VIGC [DIRECTORY FOR BUILDING]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vigc=$(command -v "$1")
build=${2:-$here/build}
mkdir -p "$build"

for form in array incbin; do
  "$vigc" compile "$here/pocket.yaml" --weights synthetic --normalize --target scalar --weights-as $form -o "$build/$form"
done
sources="$here/main.c $build/array/pocket.c $build/array/pocket_weights.c"
flags="-std=c99 -O2 -ffp-contract=off -Wall -Wextra -Wpedantic -Werror -I$build/array"
cc $flags $sources -lm -o "$build/host"
"$build/host" | tee "$build/host.txt"

# The weights through the assembler are the same weights.
cc $flags -I"$build/incbin" "$here/main.c" "$build/incbin/pocket.c" "$build/incbin/pocket_weights.S" -lm -o "$build/incbin/host"
"$build/incbin/host" | cmp - "$build/host.txt"

if ! command -v arm-linux-gnueabihf-gcc >/dev/null || ! command -v qemu-arm >/dev/null; then
  echo "skipped: 32-bit Arm needs gcc-arm-linux-gnueabihf and qemu-user" >&2
  exit 0
fi
arm-linux-gnueabihf-gcc $flags -static $sources -lm -o "$build/firmware"
arm-linux-gnueabihf-size "$build/firmware"
qemu-arm "$build/firmware" | cmp - "$build/host.txt"
echo "32-bit Arm and this machine give the same bits"
