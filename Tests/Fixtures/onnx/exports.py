#!/usr/bin/env python3
"""Makes the models of values/ that PyTorch exports: positional encodings, masks, and branches and loops of scripted modules.

    exports.py FOLDER [NAME ...]

Each goes out through PyTorch's TorchScript exporter with sizes left open, so that the exporter writes down how each follows
from the input's; they are fixed afterwards. Some go out with fixed sizes too, through both exporters. Beside a model lies an
archive of what it takes and what ONNX Runtime makes of it; where PyTorch itself gives something else, that is said. Made
with torch 2.13.0, onnx 1.22.0, onnxscript 0.7 and onnxruntime 1.32.
"""

import pathlib
import sys
import warnings
from typing import List

import numpy
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
MODELS = {}


# Those that go out with fixed sizes too.
FIXED = {"floors", "floors_of_integers", "pool_divisor", "attention_causal", "windows", "anchors", "local_response"}


def model(*shapes, script=False, opset=17):
    def add(kind):
        exporters = ("torchscript_any",)
        if kind.__name__ in FIXED:
            exporters += ("torchscript", "dynamo")
        MODELS[kind.__name__] = (kind, shapes, script, opset, exporters)
        return kind
    return add


@model([1, 6, 8])
class sinusoids(nn.Module):
    def forward(self, x):
        steps = torch.arange(x.shape[1], dtype=torch.float32).unsqueeze(1)
        scale = torch.exp(torch.arange(0, x.shape[2], 2) * (-4.6 / x.shape[2]))
        table = torch.zeros(x.shape[1], x.shape[2])
        table[:, 0::2] = torch.sin(steps * scale)
        table[:, 1::2] = torch.cos(steps * scale)
        return x + table


@model([1, 4, 3, 5])
class detr_positions(nn.Module):
    def forward(self, x):
        mask = torch.zeros(x.shape[0], x.shape[2], x.shape[3], dtype=torch.bool)
        rows = (~mask).cumsum(1, dtype=torch.float32)
        columns = (~mask).cumsum(2, dtype=torch.float32)
        rows = rows / (rows[:, -1:, :] + 1e-6) * 6.28
        columns = columns / (columns[:, :, -1:] + 1e-6) * 6.28
        period = 100 ** (2 * torch.div(torch.arange(2), 2, rounding_mode="floor") / 2)
        a, b = rows[..., None] / period, columns[..., None] / period
        both = torch.cat((torch.stack((a.sin(), a.cos()), 4).flatten(3)[..., :2],
                          torch.stack((b.sin(), b.cos()), 4).flatten(3)[..., :2]), 3)
        return x + both.permute(0, 3, 1, 2)


@model([2, 3, 4, 5])
class mesh(nn.Module):
    def forward(self, x):
        rows, columns = torch.meshgrid(
            torch.linspace(-1, 1, x.shape[2]), torch.linspace(-1, 1, x.shape[3]), indexing="ij")
        grid = torch.stack((columns, rows)).unsqueeze(0).expand(x.shape[0], -1, -1, -1)
        return torch.cat((x, grid.type_as(x)), 1)


@model([2, 3, 4])
class expanded(nn.Module):
    def forward(self, x):
        weight = torch.arange(x.shape[-1]).to(x.dtype)
        return x * weight.expand_as(x) + torch.full_like(x, 0.5) + torch.ones(x.shape[1], 1).expand(-1, x.shape[2])


@model([1, 2, 6, 6])
class causal(nn.Module):
    def forward(self, x):
        n = x.shape[-1]
        mask = torch.triu(torch.ones(n, n, dtype=torch.bool), diagonal=1)
        return torch.softmax(x.masked_fill(mask, float("-inf")), -1)


@model([1, 5, 5])
class where_mask(nn.Module):
    def forward(self, x):
        near = (torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[2])[None]).abs() <= 1
        return torch.where(near, x, torch.tensor(-1.0)) + torch.where(x > 0, x, x.new_zeros(1))


@model([1, 4, 6])
class rotary(nn.Module):
    def forward(self, x):
        half = x.shape[-1] // 2
        frequency = 1.0 / (10000 ** (torch.arange(0, half).float() / half))
        angles = torch.outer(torch.arange(x.shape[1]).float(), frequency)
        a, b = x.chunk(2, -1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), -1)


@model([1, 3, 7, 9])
class windows(nn.Module):
    def forward(self, x):
        b, c, h, w = x.shape
        x = F.pad(x, (0, (4 - w % 4) % 4, 0, (4 - h % 4) % 4))
        h, w = x.shape[2:]
        x = x.view(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        return x.mean(1)


@model([1, 4, 16])
class relative_bias(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(9, 2))

    def forward(self, x):
        places = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(2), indexing="ij")).flatten(1)
        apart = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0) + 1
        index = apart[..., 0] * 3 + apart[..., 1]
        bias = self.table[index.view(-1)].view(4, 4, 2).permute(2, 0, 1)
        return x.view(1, 4, 4, 4).transpose(1, 2)[:, :2] + bias


@model([2, 3, 8, 8])
class local_response(nn.Module):
    def forward(self, x):
        return nn.LocalResponseNorm(3)(x)


@model([2, 3, 8, 8], script=True)
class local_response_scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LocalResponseNorm(3)

    def forward(self, x):
        return self.norm(x)


@model([2, 3, 4], script=True)
class branches(nn.Module):
    def forward(self, x):
        bias = x.mean()
        if x.shape[1] > 2:
            y = x * 2
            if x.shape[2] == 5:
                y = y - 1
            else:
                y = y + bias
        else:
            y = x.flatten(1)
        return y


@model([2, 3, 4], script=True)
class repeated(nn.Module):
    def forward(self, x):
        y = x
        for i in range(x.shape[1]):
            y = torch.tanh(y * (i + 1) + x[:, i:i + 1])
        return y


@model([3, 2, 4], script=True)
class listed(nn.Module):
    def forward(self, x):
        found: List[torch.Tensor] = []
        state = torch.zeros(2, 4)
        for i in range(x.shape[0]):
            state = state * 0.5 + x[i]
            found.append(state)
        return torch.stack(found), state


@model([2, 3], script=True)
class until(nn.Module):
    def forward(self, x):
        n = 1
        while n < 20:
            x = x + n
            n = n * 3
        return x


@model([2, 6], script=True)
class split_list(nn.Module):
    def forward(self, x):
        parts = torch.split(x, 2, 1)
        out = torch.zeros(2, 2)
        for part in parts:
            out = out * 2 + part
        return out


@model([1, 2, 4, 4])
class upsampled(nn.Module):
    def forward(self, x):
        y = F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] * 2), mode="bilinear", align_corners=False)
        return y + F.interpolate(x, scale_factor=2.0, mode="nearest")


@model([1, 4, 5])
class index_put(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, torch.arange(0, 4, 2)] = 7
        y[:, 1, torch.tensor([0, 3])] = -1
        return y


@model([2, 4, 5])
class bool_index(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.tensor([True, False, True, True]))

    def forward(self, x):
        return x[:, self.kept]


@model([2, 3, 4])
class floors(nn.Module):
    def forward(self, x):
        return torch.floor_divide(x, 0.3), torch.div(x, -0.7, rounding_mode="floor"), torch.div(
            x, 0.3, rounding_mode="trunc"), x // 1.5, torch.remainder(x, 0.4), torch.fmod(x, 0.4)


@model([2, 3, 4])
class floors_of_integers(nn.Module):
    def forward(self, x):
        i = (x * 10).to(torch.int64)
        return (torch.floor_divide(i, 3), i // -4, torch.div(i, 3, rounding_mode="trunc"), i % 3, torch.remainder(i, -4),
                torch.fmod(i, 3), torch.div(i, 3, rounding_mode="floor"))


@model([1, 2, 5, 5])
class pool_divisor(nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, 2, divisor_override=3), F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)


@model([1, 5, 4])
class recurrences(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x):
        y, h = self.gru(x)
        return y, h


@model([1, 6, 4])
class attention_masked(nn.Module):
    def forward(self, x):
        n = x.shape[1]
        mask = torch.full((n, n), float("-inf")).triu(1)
        return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)


@model([1, 6, 4])
class attention_causal(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], is_causal=True)


@model([1, 7, 4])
class class_token(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 4))
        self.positions = nn.Parameter(torch.randn(1, 10, 4))

    def forward(self, x):
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1)
        grid = self.positions[:, 1:].reshape(1, 3, 3, 4).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(7, 1), mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
        return x + torch.cat((self.positions[:, :1], grid), 1)


@model([2, 5])
class lengths(nn.Module):
    def forward(self, x):
        valid = torch.arange(x.shape[1])[None] < torch.tensor([3, 5])[:, None]
        return (x * valid).sum(1) / valid.sum(1).clamp(min=1)


@model([2, 3, 4])
class scatter_gather(nn.Module):
    def forward(self, x):
        order = torch.argsort(x, -1, descending=True)
        back = torch.zeros_like(x).scatter_(-1, order, x)
        return torch.gather(x, -1, order), back, torch.flip(x, [1]), torch.roll(x, 1, 2)


@model([1, 2, 6, 6])
class swin_mask(nn.Module):
    def forward(self, x):
        h, w = x.shape[2:]
        areas = torch.zeros((1, h, w, 1))
        count = 0
        for rows in (slice(0, -3), slice(-3, -1), slice(-1, None)):
            for columns in (slice(0, -3), slice(-3, -1), slice(-1, None)):
                areas[:, rows, columns, :] = count
                count += 1
        parts = areas.view(1, h // 3, 3, w // 3, 3, 1).permute(0, 1, 3, 2, 4, 5).reshape(-1, 9)
        mask = parts.unsqueeze(1) - parts.unsqueeze(2)
        mask = mask.masked_fill(mask != 0, -100.0).masked_fill(mask == 0, 0.0)
        rows = x.view(1, 2, 2, 3, 2, 3).permute(0, 2, 4, 3, 5, 1).reshape(4, 9, 2)
        return torch.softmax(rows @ rows.transpose(1, 2) + mask, -1)


@model([1, 3, 4, 5])
class anchors(nn.Module):
    def forward(self, x):
        h, w = x.shape[-2:]
        sizes = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
        ys = (torch.arange(h, device=x.device) + 0.5) * 8
        xs = (torch.arange(w, device=x.device) + 0.5) * 8
        ys, xs = torch.meshgrid(ys, xs, indexing="ij")
        centres = torch.stack((xs, ys, xs, ys), -1).reshape(-1, 1, 4)
        corners = torch.cat((-sizes, sizes), 1)[None] / 2
        return (centres + corners).reshape(1, -1, 4) * x.mean()


@model([1, 4, 4])
class eye_and_tri(nn.Module):
    def forward(self, x):
        n = x.shape[1]
        return x + torch.eye(n) - torch.tril(x, -1) + torch.diagonal(x, dim1=1, dim2=2)[:, None]


@model([2, 3, 4])
class norms(nn.Module):
    def forward(self, x):
        return (F.normalize(x, dim=1), torch.linalg.vector_norm(x, dim=-1), torch.cdist(x, x * 2 + 1), x.var(1), x.std(dim=(1, 2)),
                torch.logsumexp(x, 1), x.amax(1), x.prod(2))


@model([2, 3, 4])
class buckets(nn.Module):
    def forward(self, x):
        n = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[2])[None]
        small = n.abs()
        large = 2 + (torch.log(small.float().clamp(min=1) / 2) * 2).long()
        return x + torch.where(small < 2, small, torch.min(large, torch.full_like(large, 3)))


@model([1, 2, 3, 3])
class grid_sampled(nn.Module):
    def forward(self, x):
        theta = torch.tensor([[[1.0, 0.2, 0.0], [0.0, 0.8, 0.1]]])
        grid = F.affine_grid(theta, [1, 2, 4, 4], align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


@model([4, 6])
class one_hot(nn.Module):
    def forward(self, x):
        return F.one_hot(x.argmax(1), 6).to(x.dtype) * x, F.embedding(x.argmin(1), torch.arange(24.0).view(6, 4))


@model([2, 8])
class einsums(nn.Module):
    def forward(self, x):
        y = x.view(2, 2, 4)
        return torch.einsum("bij,bkj->bik", y, y), torch.einsum("bij->bji", y), torch.tensordot(y, y, dims=([2], [2]))


@model([1, 2, 4, 4])
class empty_cat(nn.Module):
    def forward(self, x):
        return torch.cat((x[:, :0], x, x.new_zeros(1, 0, 4, 4)), 1)


@model([2, 4])
class nonzero_constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.tensor([[True, False, True, True], [False, True, False, False]]))

    def forward(self, x):
        return torch.masked_select(x, self.mask), x[self.mask] * 2, torch.nonzero(self.mask).to(x.dtype) + x.mean()


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name, (kind, shapes, script, opset, exporters) in MODELS.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        for exporter in exporters:
            torch.manual_seed(7)
            module = kind().eval()
            inputs = tuple(torch.randn(shape) for shape in shapes)
            path = folder / f"torch_{name}_{exporter}.onnx"
            free = {}
            if exporter == "torchscript_any":
                free = {"dynamic_axes": {"x": {axis: f"d{axis}" for axis in range(len(shapes[0]))}}}
            try:
                torch.onnx.export(
                    torch.jit.script(module) if script else module, inputs, str(path), dynamo=exporter == "dynamo",
                    opset_version=18 if exporter == "dynamo" else opset, input_names=["x"], external_data=False,
                    do_constant_folding=False, verbose=False, **free)
            except Exception as problem:
                print(f"{path.stem}: PyTorch does not export it: {type(problem).__name__} {str(problem)[:150]!r}")
                continue
            found = onnx.load(path)
            # Where nodes come from is of no use here.
            found.doc_string = ""
            for axis, extent in enumerate(shapes[0]):
                found.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = extent
            for node in found.graph.node:
                node.doc_string = ""
                del node.metadata_props[:]
            del found.graph.value_info[:], found.graph.metadata_props[:]
            for function in found.functions:
                for node in function.node:
                    del node.metadata_props[:]
            onnx.save(found, path)
            try:
                session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
                given = {entry.name: tensor.numpy() for entry, tensor in zip(session.get_inputs(), inputs)}
                results = session.run(None, given)
            except Exception as problem:
                print(f"{path.stem}: ONNX Runtime: {str(problem)[:200]!r}")
                path.unlink()
                continue
            expected = module(*inputs)
            expected = expected if isinstance(expected, tuple) else (expected,)
            for result, truth in zip(results, expected):
                if not numpy.allclose(result, truth.detach().numpy(), rtol=1e-4, atol=1e-5):
                    print(f"{path.stem}: PyTorch and ONNX Runtime differ")
            archive = {f"inputs/{name}": value for name, value in given.items()}
            archive |= {f"expected/{entry.name}": value for entry, value in zip(session.get_outputs(), results)}
            numpy.savez_compressed(path.with_suffix(".npz"), **archive)


main()
