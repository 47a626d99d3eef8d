"""Exits with 1 unless two .npy files hold the same numbers up to rounding. usage: compare.py FOUND EXPECTED"""
import sys

import numpy

found, expected = (numpy.load(path).astype("f8") for path in sys.argv[1:])
error = numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected)
print(f"{sys.argv[1]}: relative L2 error {error:.1e} against PyTorch")
sys.exit(not error < 1e-5)
