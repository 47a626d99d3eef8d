#!/usr/bin/env python3
"""Makes the models of values/ that begin with `flow_`: branches, loops and sequences, and results whose size is known.

    graphs.py FOLDER

Written in ONNX's text form. Beside each model lies an archive of what it takes and what ONNX Runtime makes of it. Made with
onnx 1.22.0 and onnxruntime 1.32.
"""

import pathlib
import sys

import numpy
import onnx.parser
import onnxruntime

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'

# By their names: the signature and the nodes.
GRAPHS = {
    # The condition comes of a shape; a branch reads names of the graph around it and holds a branch itself.
    "if_nested": """(float[2,3] x) => (float[N,M] y) {
        s = Shape (x)
        one = Constant <value_ints = [1]> ()
        w = Gather (s, one)
        three = Constant <value_ints = [3]> ()
        wide = Equal (w, three)
        long = Greater (w, three)
        b = Add (x, x)
        y = If (wide) <
          then_branch = inner () => (float[N,M] t) {
            c = Mul (b, x)
            t = If (long) <
              then_branch = a () => (float[N,M] p) { p = Neg (c) },
              else_branch = e () => (float[N,M] q) { d = Sqrt (c) q = Sub (d, b) }
            >
          },
          else_branch = other () => (float[N,M] u) { u = Flatten (x) }
        >
    }""",
    # As PyTorch writes squeeze(x, 1) where it does not know the shape.
    "if_squeeze": """(float[2,1,3] x) => (float[N,M] y) {
        s = Shape (x)
        one = Constant <value_ints = [1]> ()
        e = Gather (s, one)
        is = Equal (e, one)
        y = If (is) <
          then_branch = a () => (float[N,M] p) { p = Squeeze (x, one) },
          else_branch = b () => (float[N,M,K] q) { q = Identity (x) }
        >
    }""",
    # Each branch gives two values; one returns what was there before it, one has weights of its own.
    "if_two": """(float[2,3] x) => (float[N,M] y, float[N] z) {
        no = Constant <value = bool[1] {0}> ()
        m = Relu (x)
        y, z = If (no) <
          then_branch = a () => (float[N,M] m1, float[N] v1) {
            m1 = Identity (x) axes = Constant <value_ints = [1]> () v1 = ReduceSum <keepdims = 0> (x, axes)
          },
          else_branch = b () => (float[N,M] m2, float[N] v2) <float[3] w = {1, 2, 3}, int64[1] axes = {0}> {
            m2 = Identity (m)
            q = Mul (m, w)
            v2 = ReduceSum <keepdims = 0> (q, axes)
          }
        >
    }""",
    # Branches of different shapes, chosen by the number of elements; the result goes on.
    "if_shapes": """(float[1,3] x) => (float[N] y) {
        n = Size (x)
        two = Constant <value_int = 2> ()
        many = Greater (n, two)
        t = If (many) <
          then_branch = a () => (float[N,M] p) { p = Transpose <perm = [1, 0]> (x) },
          else_branch = b () => (float[N,M] q) { q = Identity (x) }
        >
        flat = Constant <value_ints = [-1]> ()
        y = Reshape (t, flat)
    }""",
    # What a loop carries grows; what it collects is stacked.
    "loop_grows": """(float[1,2] x) => (float[N,2] y, float[T,2] s, int64[T] i) {
        n = Constant <value_int = 3> ()
        yes = Constant <value = bool {1}> ()
        y, s, i = Loop (n, yes, x) <
          body = b (int64 k, bool c, float[N,2] v) => (bool c, float[N,2] w, float[2] t, int64 k2) {
            f = Cast <to = 1> (k)
            r = Add (x, f)
            w = Concat <axis = 0> (v, r)
            axes = Constant <value_ints = [0]> ()
            t = ReduceMean <axes = [0], keepdims = 0> (w)
            k2 = Mul (k, k)
          }
        >
    }""",
    # Ends by its condition, which comes of the number of the turn, before its trip count does.
    "loop_breaks": """(float[2] x) => (float[2] y, float[T,2] s) {
        n = Constant <value_int = 100> ()
        five = Constant <value_int = 5> ()
        y, s = Loop (n, , x) <
          body = b (int64 k, bool c, float[2] v) => (bool on, float[2] w, float[2] t) {
            on = Less (k, five)
            w = Mul (v, x)
            t = Identity (w)
          }
        >
    }""",
    # Its condition is known at first only: after the last turn nobody asks.
    "loop_asked_once": """(float[2] x) => (float[2] y) {
        n = Constant <value_int = 1> ()
        yes = Constant <value = bool {1}> ()
        y = Loop (n, yes, x) <
          body = b (int64 k, bool c, float[2] v) => (bool on, float[2] w) {
            sum = ReduceSum <keepdims = 0> (v)
            zero = Constant <value_float = 0.0> ()
            on = Greater (sum, zero)
            w = Exp (v)
          }
        >
    }""",
    # No turn: what is carried is what it was.
    "loop_none": """(float[2] x) => (float[2] y) {
        n = Constant <value_int = 4> ()
        no = Constant <value = bool {0}> ()
        v = Loop (n, no, x) <
          body = b (int64 k, bool c, float[2] v) => (bool c2, float[2] w) { c2 = Identity (c) w = Exp (v) }
        >
        y = Add (v, x)
    }""",
    # Loops in each other, and a branch that the number of the turn decides.
    "loop_nested": """(float[3] x) => (float[3] y) {
        n = Constant <value_int = 3> ()
        yes = Constant <value = bool {1}> ()
        y = Loop (n, yes, x) <
          body = outer (int64 i, bool c, float[3] v) => (bool c, float[3] w) {
            one = Constant <value_int = 1> ()
            odd = Equal (i, one)
            u = If (odd) <
              then_branch = a () => (float[3] p) { p = Neg (v) },
              else_branch = b () => (float[3] q) {
                q = Loop (i, yes, v) <
                  body = inner (int64 j, bool d, float[3] r) => (bool d, float[3] s) {
                    f = Cast <to = 1> (j)
                    g = Add (r, f)
                    s = Mul (g, x)
                  }
                >
              }
            >
            w = Add (u, x)
          }
        >
    }""",
    "scan": """(float[2] a, float[4,2] x, float[2,4] z) => (float[2] y, float[T,2] s, float[2,T] r) {
        y, s, r = Scan <num_scan_inputs = 2, scan_input_axes = [0, 1], scan_input_directions = [0, 1],
                        scan_output_axes = [0, 1], scan_output_directions = [0, 1],
          body = b (float[2] v, float[2] p, float[2] q) => (float[2] w, float[2] s1, float[2] r1) {
            d = Mul (v, p)
            w = Add (d, q)
            s1 = Identity (w)
            r1 = Sub (p, q)
          }
        > (a, x, z)
    }""",
    "sequences": """(float[5,2] x) => (float[N,2] y, float[N,2,2] z, int64 n) {
        two = Constant <value_int = 2> ()
        parts = SplitToSequence <axis = 0> (x, two)
        first = Constant <value_int = 0> ()
        last = Constant <value_int = -1> ()
        less = SequenceErase (parts, last)
        n = SequenceLength (parts)
        head = SequenceAt (parts, first)
        more = SequenceInsert (less, head, first)
        tail = SequenceAt (parts, last)
        y = ConcatFromSequence <axis = 0> (parts)
        z = ConcatFromSequence <axis = 0, new_axis = 1> (more)
    }""",
    "sequence_rows": """(float[3,2] x) => (float[2,3] y) {
        rows = SplitToSequence <axis = 0, keepdims = 0> (x)
        y = ConcatFromSequence <axis = 1, new_axis = 1> (rows)
    }""",
    "compress": """(float[3,4] x) => (float[N,4] y, float[M] z) {
        c = Constant <value = bool[3] {1, 0, 1}> ()
        y = Compress <axis = 0> (x, c)
        d = Constant <value = bool[7] {0, 1, 0, 0, 1, 1, 1}> ()
        z = Compress (x, d)
    }""",
    "nonzero": """(float[3,4] x) => (float[N] y, int64[2,N] z) {
        m = Constant <value = bool[3,4] {1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1}> ()
        z = NonZero (m)
        places = Transpose (z)
        y = GatherND (x, places)
    }""",
    "unique": """(float[2] x) => (float[N] y, int64[N] i, int64[M] j, int64[N] k, int64[A,B] r, int64[N] q, float[2] u) {
        v = Constant <value = float[6] {2.0, 1.0, 1.0, -3.0, 2.0, -0.5}> ()
        y, i, j, k = Unique (v)
        m = Constant <value = int64[3,2] {1, 0, -1, 5, 1, 0}> ()
        r = Unique <axis = 0> (m)
        a, q = Unique <sorted = 0> (m)
        u = Neg (x)
    }""",
    # Boxes and scores that are known: how many are kept is known too.
    "suppression": """(float[6,4] x) => (int64[N,3] y, float[N,4] z, int64[N,3] c) {
        b = Constant <value = float[1,6,4] {0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11, 0, 10.1, 1, 11.1,
                                            1, 101, 0, 100}> ()
        s = Constant <value = float[1,2,6] {0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.1, 0.75, 0.75, 0.2, 0.5, 0.3}> ()
        most = Constant <value = int64[1] {3}> ()
        overlap = Constant <value = float[1] {0.5}> ()
        least = Constant <value = float[1] {0.2}> ()
        y = NonMaxSuppression (b, s, most, overlap, least)
        two = Constant <value_int = 2> ()
        places = Gather <axis = 1> (y, two)
        z = Gather <axis = 0> (x, places)
        c = NonMaxSuppression <center_point_box = 1> (b, s, most, overlap)
    }""",
    # Positions of a grid: ranges, a mesh of them and masks, all out of the input's shape.
    "positions": """(float[2,3,4,5] x) => (float[2,3,4,5] y) {
        s = Shape (x)
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        two = Constant <value_int = 2> ()
        three = Constant <value_int = 3> ()
        h = Gather (s, two)
        w = Gather (s, three)
        rows = Range (zero, h, one)
        columns = Range (zero, w, one)
        up = Constant <value_ints = [1]> ()
        tall = Unsqueeze (rows, up)
        size = Slice (s, two1, four)
        two1 = Constant <value_ints = [2]> ()
        four = Constant <value_ints = [4]> ()
        grid = Expand (tall, size)
        below = Greater (grid, columns)
        even = Mod (grid, two)
        f = Cast <to = 1> (even)
        big = ConstantOfShape <value = float[1] {-1.5}> (s)
        masked = Where (below, big, x)
        y = Add (masked, f)
    }""",
    # Nothing at all, repeated, tiled, padded, joined to something: what PyTorch makes of empty slices.
    "empties": """(float[2,3] x) => (float[N,3] y, float[M] z) {
        zero = Constant <value_ints = [0]> ()
        none = Slice (x, zero, zero, zero)
        nothing = Expand (none, one)
        one = Constant <value_ints = [1]> ()
        tiles = Constant <value_ints = [0, 1]> ()
        tiled = Tile (x, tiles)
        negated = Neg (none)
        doubled = Add (tiled, nothing)
        cast = Cast <to = 1> (none)
        y = Concat <axis = 0> (none, x, nothing, tiled, negated, doubled, cast)
        flat = Constant <value_ints = [-1]> ()
        p = Transpose (none)
        q = Reshape (x, flat)
        r = Reshape (p, flat)
        z = Concat <axis = 0> (r, q)
    }""",
}


def sorted_nodes(graph):
    """Text may use names before they are made; models may not."""
    known = {value.name for value in graph.input} | {value.name for value in graph.initializer} | {""}
    left, done = list(graph.node), []
    while left:
        node = next(node for node in left if set(node.input) <= known)
        left.remove(node)
        done.append(node)
        known.update(node.output)
    del graph.node[:]
    graph.node.extend(done)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name, text in GRAPHS.items():
        model = onnx.parser.parse_model(f"{HEAD} {name} {text}")
        if name in ("positions", "empties"):
            sorted_nodes(model.graph)
        path = folder / f"flow_{name}.onnx"
        onnx.save(model, path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        generator = numpy.random.default_rng(5)
        given = {entry.name: generator.random(entry.shape, dtype=numpy.float32) + 0.25 for entry in session.get_inputs()}
        archive = {f"inputs/{key}": value for key, value in given.items()}
        for entry, value in zip(session.get_outputs(), session.run(None, given), strict=True):
            archive[f"expected/{entry.name}"] = value
        numpy.savez_compressed(path.with_suffix(".npz"), **archive)


main()
