#!/bin/sh
# Does what README.md says and compares the best classes with vigc's own. usage: run.sh VIGC [DIRECTORY FOR BUILDING]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
vigc=$(command -v "$1")
build=${2:-$here/build}
mkdir -p "$build"

# numpy's file format is a line of text and the numbers: vigc and the program then read the same image.
python3 - "$build" <<'END'
import array, math, sys
image = array.array("f", (math.sin(i * i % 1009) for i in range(3 * 224 * 224)))
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 224, 224), }"
with open(sys.argv[1] + "/image.f32", "wb") as file:
    image.tofile(file)
with open(sys.argv[1] + "/image.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00\x76\x00" + header.ljust(117).encode() + b"\n")
    image.tofile(file)
END

"$vigc" compile mobilevig_ti --weights synthetic --build shared -o "$build/mobilevig_ti"
python3 "$here/classify.py" "$build/mobilevig_ti" mobilevig_ti "$build/image.f32" | tee "$build/found.txt"

"$vigc" run mobilevig_ti --weights synthetic --input "$build/image.npy" --top 5 >"$build/expected.txt"
awk '{ print $1 }' "$build/found.txt" >"$build/found.classes"
awk 'NR > 2 { print $1 }' "$build/expected.txt" | cmp - "$build/found.classes"
echo "the program and vigc name the same classes"
