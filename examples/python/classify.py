#!/usr/bin/env python3
"""Run a library that vigc compiled from Python, with nothing but the standard library.

usage: classify.py DIRECTORY MODEL [IMAGE.f32]     DIRECTORY is what `vigc compile MODEL --build shared -o DIRECTORY` wrote;
                                                   IMAGE.f32 is the input, C x H x W float32; without one, all 0.5

Prints the five best classes.
"""
import ctypes
import mmap
import pathlib
import re
import sys
from ctypes import byref, c_char, c_char_p, c_float, c_int, c_size_t, c_void_p


class Model:
    """A compiled model: the sizes out of its header, the functions out of its shared library, the weights mapped."""

    class State(ctypes.Structure):  # M_t; its members are private, its size is what counts
        _fields_ = [("weights", c_void_p), ("arena", c_void_p),
                    ("parallel_for", c_void_p), ("context", c_void_p), ("workers", c_int)]

    def __init__(self, directory, name):
        directory = pathlib.Path(directory)
        header = (directory / f"{name}.h").read_text()
        macros = dict(re.findall(rf"#define {name.upper()}_(\w+) (\d+)$", header, re.M))
        self.input_elements, self.output_elements = int(macros["INPUT_ELEMENTS"]), int(macros["OUTPUT_ELEMENTS"])
        self.library = ctypes.CDLL(str((directory / f"lib{name}.so").resolve()))
        self._init, self._run = self.library[f"{name}_init"], self.library[f"{name}_run"]
        self._init.argtypes = [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p]
        self._run.argtypes = [c_void_p, c_void_p, c_void_p]
        self._strerror = self.library[f"{name}_strerror"]
        self._strerror.argtypes, self._strerror.restype = [c_int], c_char_p

        # Mappings begin on a page, so they are aligned for any model. ACCESS_COPY because ctypes asks for a writable
        # buffer: nothing is written, so nothing is copied, and processes share the pages.
        with open(directory / f"{name}.weights", "rb") as file:
            self._weights = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._arena = mmap.mmap(-1, int(macros["ARENA_BYTES"]))
        self._state = self.State()
        self._check(self._init(byref(self._state), self._address(self._weights), len(self._weights),
                               self._address(self._arena), len(self._arena), None))

    @staticmethod
    def _address(mapping):
        return ctypes.addressof(c_char.from_buffer(mapping))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self._strerror(status).decode())

    def __call__(self, image):
        """The scores of an image given as `input_elements` floats or as so many float32 in bytes."""
        floats = c_float * self.input_elements
        data = floats.from_buffer_copy(image) if isinstance(image, (bytes, bytearray)) else floats(*image)
        scores = (c_float * self.output_elements)()
        self._check(self._run(byref(self._state), data, scores))
        return list(scores)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    model = Model(sys.argv[1], sys.argv[2])
    image = pathlib.Path(sys.argv[3]).read_bytes() if len(sys.argv) == 4 else [0.5] * model.input_elements
    scores = model(image)
    for index in sorted(range(len(scores)), key=lambda i: -scores[i])[:5]:
        print(f"{index:5}  {scores[index]:.6g}")


if __name__ == "__main__":
    main()
