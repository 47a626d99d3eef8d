"""A small Vision GNN in PyTorch, trained for three steps and saved as training scripts save theirs.

usage: save.py DIRECTORY

    net.pth.tar    a training checkpoint: weights behind DataParallel's prefix, an optimiser, options, averaged weights
    half.pt        a state dict by itself, in half precision
    input.npy      an input, and what PyTorch makes of it with each of the three:
    trained.npy, averaged.npy, half.npy
"""
import argparse
import copy
import pathlib
import sys

import numpy
import torch
from torch import nn


def conv(channels, to, size=1):
    """Sizes above 1 halve the image."""
    return nn.Conv2d(channels, to, size, stride=1 if size == 1 else 2, padding=size // 2)


class Stem(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, channels // 2, 3), nn.BatchNorm2d(channels // 2), nn.GELU(),
            conv(channels // 2, channels, 3), nn.BatchNorm2d(channels), nn.GELU())

    def forward(self, x):
        return self.stem(x)


class Svga(nn.Module):
    """Every second pixel of a pixel's row and column is its neighbour (MobileViG's construction)."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.nn = nn.Sequential(conv(2 * channels, hidden), nn.BatchNorm2d(hidden), nn.GELU())

    def forward(self, x):
        farthest = torch.zeros_like(x)
        for axis in (2, 3):
            for shift in range(2, x.shape[axis], 2):
                farthest = torch.maximum(farthest, x - torch.roll(x, shift, axis))
        return self.nn(torch.cat([x, farthest], 1))


class Grapher(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Sequential(conv(channels, channels), nn.BatchNorm2d(channels))
        self.graph_conv = Svga(channels, 2 * channels)
        self.fc2 = nn.Sequential(conv(2 * channels, channels), nn.BatchNorm2d(channels))

    def forward(self, x):
        return x + self.fc2(self.graph_conv(self.fc1(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Stem(16)
        self.backbone = nn.Sequential(Grapher(16))
        self.prediction = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(16, 24), nn.BatchNorm2d(24), nn.GELU())
        self.head = conv(24, 5)

    def forward(self, x):
        return self.head(self.prediction(self.backbone(self.stem(x)))).flatten(1)


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(0)
    model = Net()
    averages = copy.deepcopy(model)
    parallel = nn.DataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(3):
        loss = nn.functional.cross_entropy(model(torch.randn(8, 3, 24, 32)), torch.randint(5, (8,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(averages.state_dict().values(), model.state_dict().values()):
                old.copy_(0.5 * old + 0.5 * new)
    torch.save({
        "epoch": 3, "state_dict": parallel.state_dict(), "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.05, model="net"), "state_dict_ema": averages.state_dict(),
    }, folder / "net.pth.tar")
    half = copy.deepcopy(model).half()
    torch.save(half.state_dict(), folder / "half.pt")

    image = torch.randn(1, 3, 24, 32)
    numpy.save(folder / "input.npy", image.numpy())
    for name, network in [("trained", model), ("averaged", averages), ("half", half.float())]:
        with torch.no_grad():
            numpy.save(folder / f"{name}.npy", network.eval()(image).numpy())


if __name__ == "__main__":
    main()
