#!/usr/bin/env python3
"""Writes half_attention.onnx of this folder: two transformer blocks in half floats, as PyTorch 2.13 exports them.

usage: half.py DIRECTORY
"""
import pathlib
import sys

import onnx
import torch
from torch import nn


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.heads, self.merge = nn.LayerNorm(12), nn.Linear(12, 36), nn.Linear(12, 12)
        self.wide, self.narrow = nn.Linear(12, 24), nn.Linear(24, 12)

    def forward(self, x):
        for _ in range(2):
            queries, keys, values = self.heads(self.norm(x)).chunk(3, -1)
            x = x + self.merge(torch.softmax(queries @ keys.transpose(1, 2) * 0.3, -1) @ values)
            x = x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))
        return x


def main():
    torch.manual_seed(1)
    path = pathlib.Path(sys.argv[1]) / "half_attention.onnx"
    torch.onnx.export(
        Blocks().eval().half(), (torch.randn(1, 7, 12).half(),), str(path), dynamo=False, opset_version=17,
        input_names=["x"], output_names=["y"])
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, path)


main()
