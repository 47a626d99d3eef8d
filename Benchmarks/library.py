"""Calls a library that vigc compiled, in this process: what `compare` and `Scripts/verify-quantized` share."""
import ctypes
import pathlib
import re
import sys

import numpy as np


class Library:
    """A library compiled by vigc, called in this process."""

    def __init__(self, place, threads=1):
        place = pathlib.Path(place)
        model = next(place.glob("*.weights")).stem
        header = (place / f"{model}.h").read_text()
        sizes = dict(re.findall(rf"#define {model.upper()}_(\w+) (\d+)$", header, re.M))
        self.library = ctypes.CDLL(str(place / f"lib{model}.so"))
        self.weights = self._aligned(np.fromfile(place / f"{model}.weights", np.uint8))
        self.arena = self._aligned(np.zeros(int(sizes["ARENA_BYTES"]), np.uint8))
        self.output = np.empty((1, int(sizes["OUTPUT_ELEMENTS"])), np.float32)
        self.state = ctypes.create_string_buffer(256)  # M_t: five words
        pointer = ctypes.c_void_p
        init = self.library[f"{model}_init"]
        init.argtypes = [pointer, pointer, ctypes.c_size_t, pointer, ctypes.c_size_t, pointer]
        self.run = self.library[f"{model}_run"]
        self.run.argtypes = [pointer] * 3
        parallel = None
        if threads > 1:
            parallel = self._pool(model, threads)
        status = init(self.state, self.weights.ctypes.data, self.weights.nbytes, self.arena.ctypes.data,
                      self.arena.nbytes, parallel)
        if status != 0:
            sys.exit(f"{model}_init returned {status}")

    def _pool(self, model, threads):
        class Parallel(ctypes.Structure):
            _fields_ = [("parallel_for", ctypes.c_void_p), ("context", ctypes.c_void_p), ("workers", ctypes.c_int)]

        # M_pool is a few hundred bytes and 24 for each worker; room to spare.
        self.pool = ctypes.create_string_buffer(4096 + 64 * threads)
        create = self.library[f"{model}_pool_create"]
        create.argtypes = [ctypes.c_void_p, ctypes.c_int]
        if create(self.pool, threads) != 0:
            sys.exit("the thread pool cannot be created")
        make = self.library[f"{model}_pool_parallel"]
        make.argtypes, make.restype = [ctypes.c_void_p], Parallel
        self.parallel = make(self.pool)
        return ctypes.byref(self.parallel)

    @staticmethod
    def _aligned(array):
        """A copy at a multiple of 4096 bytes."""
        memory = np.empty(array.nbytes + 4096, np.uint8)
        start = -memory.ctypes.data % 4096
        place = memory[start:start + array.nbytes]
        place[:] = array
        return place

    def __call__(self, x):
        if self.run(self.state, x.ctypes.data, self.output.ctypes.data) != 0:
            sys.exit("run failed")
        return self.output
