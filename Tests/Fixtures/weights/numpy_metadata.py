#!/usr/bin/env python3
"""Writes numpy1.pth, numpy2.pth and numpy2_protocol5.pth of this folder: weights beside NumPy's numbers and arrays.

usage: numpy_metadata.py DIRECTORY

Made with torch 2.13.0 and, by NumPy's version, numpy 1.26.4 or 2.4.6: the two name their parts differently.
"""
import pathlib
import sys

import numpy
import torch


def ramp(*shape):
    """The values of checkpoints.py."""
    return ((torch.arange(numpy.prod(shape), dtype=torch.float32) - 4) / 8).reshape(shape)


def main():
    folder = pathlib.Path(sys.argv[1])
    best = numpy.float64(71.25)
    value = {
        "epoch": numpy.int64(299), "best": best, numpy.str_("loss"): numpy.float32(0.5), "done": numpy.bool_(True),
        "history": [numpy.float32(3), numpy.float16(2), {"top1": best, "again": best}],
        "mean": numpy.array([0.485, 0.456, 0.406]), "matrix": numpy.asfortranarray(numpy.arange(6, dtype=">i4").reshape(2, 3)),
        "names": numpy.array(["cat", None], dtype=object), "empty": numpy.zeros((0, 3)), "type": numpy.float32,
        "dtype": numpy.dtype("float16"), "structure": numpy.dtype([("a", "<f4"), ("b", "<i8", (2,))]), "bytes": b"\0\1\377",
        "complex": numpy.complex64(1 + 2j), "when": numpy.datetime64("2024-01-01"), "generator": numpy.random.RandomState(1).get_state(),
        "state_dict": {"fc.weight": ramp(2, 3), "fc.bias": ramp(2)},
        "after": numpy.uint8(3),
    }
    version = numpy.__version__.split(".")[0]
    # The state of a generator is long, and its words are like any others.
    kind, _, place, has, cached = value["generator"]
    value["generator"] = (kind, numpy.arange(4, dtype=numpy.uint32), place, has, cached)
    torch.save(value, folder / f"numpy{version}.pth")
    if version == "2":
        torch.save(value, folder / "numpy2_protocol5.pth", pickle_protocol=5)


main()
