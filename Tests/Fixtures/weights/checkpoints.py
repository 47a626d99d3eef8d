#!/usr/bin/env python3
"""Writes the .pth and .npz files of this folder: byte for byte what torch.save and numpy.savez write, without PyTorch.

usage: checkpoints.py [DIRECTORY]

torch.save pickles an object by protocol 2 with PyTorch's own classes named in it and storages kept apart, then puts the
pickle and the storages into a zip archive: stored, with 64-bit records at the end, sizes behind the data, and padding so
that data begins at multiples of 64. Here modules of the same names stand in for PyTorch while the pickle is made.
"""
import argparse
import collections
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile
import zlib

import numpy

torch = types.ModuleType("torch")
utils = types.ModuleType("torch._utils")
torch._utils = utils
sys.modules["torch"] = torch
sys.modules["torch._utils"] = utils


def rebuilt(name):
    def function(*_):
        raise AssertionError("only ever named in a pickle")

    function.__name__ = function.__qualname__ = name
    function.__module__ = "torch._utils"
    setattr(utils, name, function)
    return function


rebuild_tensor = rebuilt("_rebuild_tensor_v2")
rebuild_parameter = rebuilt("_rebuild_parameter")

STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "bf16": "BFloat16Storage",
            "<i8": "LongStorage", "<i4": "IntStorage", "<i2": "ShortStorage", "|i1": "CharStorage", "|u1": "ByteStorage",
            "|b1": "BoolStorage"}
for storage_name in STORAGES.values():
    setattr(torch, storage_name, type(storage_name, (), {"__module__": "torch"}))


class Storage:
    def __init__(self, array, kind=None):
        array = numpy.ascontiguousarray(array)
        self.kind, self.count, self.data = kind or array.dtype.str, array.size, array.tobytes()


class Tensor:
    """A view: by default all of an array."""

    def __init__(self, array=None, storage=None, offset=0, shape=None, strides=None):
        self.storage = storage or Storage(array)
        self.offset = offset
        self.shape = tuple(array.shape if shape is None else shape)
        if strides is None:
            strides = [1] * len(self.shape)
            for axis in range(len(self.shape) - 2, -1, -1):
                strides[axis] = strides[axis + 1] * max(1, self.shape[axis + 1])
        self.strides = tuple(strides)

    def __reduce_ex__(self, _):
        return (rebuild_tensor, (self.storage, self.offset, self.shape, self.strides, False, collections.OrderedDict()))


class Parameter(Tensor):
    def __reduce_ex__(self, _):
        tensor = Tensor(storage=self.storage, offset=self.offset, shape=self.shape, strides=self.strides)
        return (rebuild_parameter, (tensor, True, collections.OrderedDict()))


def bfloat16(array):
    bits = numpy.ascontiguousarray(array, "<f4").view("<u4")
    return Storage((bits >> 16).astype("<u2"), "bf16")


class StateDict(collections.OrderedDict):
    """PyTorch's has the attribute `_metadata`, which is pickled as state."""

    def __reduce__(self):
        state = {"_metadata": collections.OrderedDict([("", {"version": 1})])}
        return (collections.OrderedDict, (), state, None, iter(self.items()))


def save(value, path, protocol=2):
    storages = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            if item not in storages:
                storages.append(item)
            return ("storage", getattr(torch, STORAGES[item.kind]), str(storages.index(item)), "cpu", item.count)

    file = io.BytesIO()
    Pickler(file, protocol=protocol).dump(value)
    name = pathlib.Path(path).name.split(".")[0]
    records = [("data.pkl", file.getvalue()), ("byteorder", b"little")]
    records += [(f"data/{index}", storage.data) for index, storage in enumerate(storages)]
    records += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    write_archive([(f"{name}/{record}", data) for record, data in records], path)


def write_archive(records, path):
    out, directory = b"", b""
    for name, data in records:
        name, offset = name.encode(), len(out)
        padding = -(offset + 30 + len(name) + 4) % 64
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, 0x808, 0, 0, 0, 0, 0, 0, len(name), padding + 4)
        out += name + struct.pack("<2sH", b"FB", padding) + b"Z" * padding + data
        sizes = struct.pack("<III", zlib.crc32(data), len(data), len(data))
        out += b"PK\7\10" + sizes
        directory += struct.pack("<IHHHHHH", 0x02014B50, 0, 0, 0x808, 0, 0, 0) + sizes
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, offset) + name
    start, end, count = len(out), len(out) + len(directory), len(records)
    out += directory
    out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 0x31E, 45, 0, 0, count, count, len(directory), start)
    out += struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    out += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), start, 0)
    pathlib.Path(path).write_bytes(out)


def ramp(*shape):
    """The values of every tensor in these files: multiples of 1/8, which all types hold exactly."""
    return (numpy.arange(int(numpy.prod(shape)), dtype="<f4").reshape(shape) - 4) / 8


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)

    values = ramp(2, 3)
    shared = Storage(numpy.concatenate([numpy.full(3, 9, "<f4"), values.reshape(-1), numpy.full(2, 9, "<f4")]))
    wide = Storage(numpy.repeat(values.reshape(-1), 2))
    types_dict = StateDict([
        ("float", Tensor(values)),
        ("double", Tensor(values.astype("<f8"))),
        ("half", Tensor(values.astype("<f2"))),
        ("bfloat", Tensor(storage=bfloat16(values), shape=(2, 3))),
        ("parameter", Parameter(values)),
        ("transposed", Tensor(storage=Storage(values.T), shape=(2, 3), strides=(1, 2))),
        ("slice", Tensor(storage=shared, offset=3, shape=(2, 3))),
        ("steps", Tensor(storage=wide, shape=(2, 3), strides=(6, 2))),
        ("expanded", Tensor(storage=Storage(numpy.array([0.5], "<f4")), shape=(2, 3), strides=(0, 0))),
        ("scalar", Tensor(storage=Storage(numpy.array([0.5], "<f4")), shape=())),
        ("empty", Tensor(numpy.zeros((0, 3), "<f4"))),
        ("norm.num_batches_tracked", Tensor(numpy.array(7, "<i8"))),
        ("int", Tensor(numpy.array([1, -2], "<i4"))),
        ("short", Tensor(numpy.array([1, -2], "<i2"))),
        ("char", Tensor(numpy.array([1, -2], "|i1"))),
        ("byte", Tensor(numpy.array([1, 2], "|u1"))),
        ("bool", Tensor(numpy.array([True, False]))),
    ])
    save(types_dict, folder / "types.pth")
    save(dict(types_dict), folder / "protocol4.pth", protocol=4)

    # As training scripts save it: wrapped by DataParallel, averages beside it, and much that is not read.
    def trained(prefix, shift):
        return StateDict([(f"{prefix}fc.weight", Tensor(ramp(2, 3) + shift)), (f"{prefix}fc.bias", Tensor(ramp(2) + shift))])

    save({
        "epoch": 299, "arch": "tiny", "metric": 71.25, "best": None, "done": True, "seed": 2**70, "big": -2**40,
        "state_dict": trained("module.", 0),
        "optimizer": {"state": {0: {"step": 3, "exp_avg": Tensor(ramp(2, 3))}},
                      "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0, 1]}]},
        "args": argparse.Namespace(lr=1e-3, model="tiny", resume="", sizes=[1, 2, 3]),
        "state_dict_ema": trained("", 1),
        "version": 2,
    }, folder / "training.pth.tar")

    arrays = {"float": values, "half": values.astype("<f2"), "double": values.astype("<f8"),
              "big": values.astype(">f4"), "fortran": numpy.asfortranarray(values),
              "norm.num_batches_tracked": numpy.array(7), "bytes": numpy.array([1, 2], "|u1")}
    numpy.savez(folder / "stored.npz", **arrays)
    numpy.savez_compressed(folder / "deflated.npz", **arrays)


if __name__ == "__main__":
    main()
