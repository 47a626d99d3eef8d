#!/bin/sh
# Does what README.md says. usage: run.sh VIGC [DIRECTORY FOR FILES]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vigc=$(command -v "$1")
build=${2:-$here/build}
mkdir -p "$build"

if ! python3 -c 'import numpy, torch' 2>/dev/null; then
  echo "skipped: this example needs PyTorch and NumPy"
  exit 0
fi
python3 "$here/save.py" "$build"

run() { "$vigc" run "$here/net.yaml" --input "$build/input.npy" "$@"; }
run --weights "$build/net.pth.tar" --output "$build/found_trained.npy"
run --weights "$build/net.pth.tar" --ema --output "$build/found_averaged.npy"
run --weights "$build/half.pt" --output "$build/found_half.npy"
for name in trained averaged half; do
  python3 "$here/compare.py" "$build/found_$name.npy" "$build/$name.npy"
done
