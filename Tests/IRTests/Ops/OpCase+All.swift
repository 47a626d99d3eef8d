import IR

extension OpCase {
  static let all: [OpCase] =
    elementwise + typed + spatial + movement + gathers + sampling + reductions + graphs + quantization

  private static let positive: ClosedRange<Double> = 0.1...3

  private static let elementwise: [OpCase] = [
    OpCase("absolute", Absolute(), shapes: [2, 3, 5]),
    OpCase("elu", Elu(alpha: 0.7), shapes: [2, 3, 5]),
    OpCase("erf", Erf(), shapes: [4, 9]),
    OpCase("exp", Exp(), shapes: [4, 9]),
    OpCase("gelu", Gelu(), shapes: [4, 9]),
    OpCase("gelu by tanh", Gelu(approximation: .tanh), shapes: [4, 9]),
    OpCase("hard_sigmoid", HardSigmoid(alpha: 0.2, beta: 0.4), [.tensor([4, 9], -4...4)]),
    OpCase("hard_swish", HardSwish(), [.tensor([4, 9], -5...5)]),
    OpCase("leaky_relu", LeakyRelu(slope: 0.01), shapes: [4, 9]),
    OpCase("log", Log(), [.tensor([4, 9], positive)]),
    OpCase("negate", Negate(), shapes: [7]),
    OpCase("reciprocal", Reciprocal(), [.tensor([4, 9], positive)]),
    OpCase("relu", Relu(), shapes: [4, 9]),
    OpCase("relu6", Relu6(), [.tensor([4, 9], -9...9)]),
    OpCase("sigmoid", Sigmoid(), [.tensor([4, 9], -9...9)]),
    OpCase("silu", Silu(), [.tensor([4, 9], -9...9)]),
    OpCase("softplus", Softplus(), [.tensor([4, 9], -9...9)]),
    OpCase("sqrt", Sqrt(), [.tensor([4, 9], positive)]),
    OpCase("tanh", Tanh(), shapes: [4, 9]),
    OpCase("add", Add(), shapes: [2, 3, 4, 5], [2, 3, 4, 5]),
    OpCase("add a bias", Add(), shapes: [2, 3, 4, 5], [3, 1, 1]),
    OpCase("add both ways", Add(), shapes: [3, 1, 5], [2, 1, 4, 1]),
    OpCase("subtract", Subtract(), shapes: [], [3, 4]),
    OpCase("multiply", Multiply(), shapes: [2, 3, 4], [4]),
    OpCase("divide", Divide(), [.tensor([2, 3, 4], -2...2), .tensor([3, 1], positive)]),
    OpCase("minimum", Minimum(), shapes: [2, 3], [2, 3]),
    OpCase("maximum", Maximum(), shapes: [2, 3], [2, 1]),
    OpCase("power", Power(), [.tensor([5, 7], positive), .tensor([7], -2...3)]),
    OpCase("power of a scalar", Power(), [.tensor([5, 7], -2...2), .tensor([], 2...2)]),
    OpCase("cube", Power(), [.tensor([5, 7], -2...2), .tensor([], 3...3)]),
  ]

  private static let words: [ElementType] = [.i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64]
  private static let floats: [ElementType] = [.f32, .f64, .f16, .bf16]

  private static func isSigned(_ element: ElementType) -> Bool { (element.integerRange?.lowerBound ?? -1) < 0 }

  /// Wide enough that products wrap around, and not all sums.
  private static func range(_ element: ElementType) -> ClosedRange<Double> {
    if element == .bool { return 0...1 }
    if element.isFloat { return -3...3 }
    return isSigned(element) ? -100...100 : 0...200
  }

  private static func of(
    _ elements: [ElementType], _ name: String, _ op: any Op, _ shapes: [Int]...
  ) -> [OpCase] {
    elements.map { element in
      OpCase("\(name) of \(element.rawValue)", op, shapes.map { .typed(element, $0, range(element)) })
    }
  }

  private static let typed: [OpCase] = {
    var cases: [OpCase] = []
    let pairs: [any Op] = [Add(), Subtract(), Multiply(), Minimum(), Maximum(), Divide()]
    for op in pairs { cases += of(words, op.mnemonic, op, [3, 1, 5], [4, 1]) }
    let singles: [any Op] = [Absolute(), Negate(), Relu(), Sign()]
    for op in singles { cases += of(words + [.f16, .f64], op.mnemonic, op, [3, 7]) }
    cases += of([.f64, .f16, .bf16], "add", Add(), [3, 4], [4])
    let curves: [any Op] = [Exp(), Sigmoid(), Silu(), Elu(), Softplus(), Tanh()]
    for op in curves { cases += of([.f64, .f16, .bf16], op.mnemonic, op, [3, 4]) }
    cases.append(OpCase("log of f64", Log(), [.typed(.f64, [5, 9], 0.001...40)]))
    cases.append(OpCase("power of f64", Power(), [.typed(.f64, [5, 9], 0...4), .typed(.f64, [9], -2...3)]))
    let roundings: [any Op] = [Floor(), Ceiling(), Round()]
    for op in roundings { cases += of(floats, op.mnemonic, op, [4, 9]) }
    for element in words {
      let (bases, exponents): (ClosedRange<Double>, ClosedRange<Double>) =
        isSigned(element) ? (-5...5, -3...6) : (0...5, 0...6)
      cases.append(
        OpCase(
          "power of \(element.rawValue)", Power(), [.typed(element, [5, 7], bases), .typed(element, [7], exponents)]))
    }
    for sign in Modulo.Sign.allCases {
      cases += of(words + [.f32, .f64], "modulo by \(sign.rawValue)", Modulo(sign: sign), [5, 9], [9])
    }
    for relation in Comparison.Relation.allCases {
      cases += of(words + floats, "compare \(relation.rawValue)", Comparison(relation), [3, 5], [5])
      // Few enough numbers that many are equal.
      for element in [ElementType.i32, .u64] {
        let few: OpCase.Operand = .typed(element, [3, 9], 0...2)
        cases.append(
          OpCase(
            "compare \(relation.rawValue) of few \(element.rawValue)", Comparison(relation),
            [few, .typed(element, [9], 0...2)]))
      }
    }
    cases += of([.bool], "compare equal", Comparison(.equal), [3, 5], [5])
    for kind in Bitwise.Kind.allCases {
      cases += of(words + [.bool], "bitwise \(kind.rawValue)", Bitwise(kind), [3, 5], [5])
    }
    cases += of(words + [.bool], "not", Not(), [3, 5])
    for direction in Shift.Direction.allCases {
      for element in words where !isSigned(element) {
        cases.append(
          OpCase(
            "shift \(direction.rawValue) of \(element.rawValue)", Shift(direction),
            [.typed(element, [3, 9], 0...200), .typed(element, [9], 0...70)]))
      }
    }
    for element in ElementType.allCases {
      let operands = [[4, 5], [5]].map { Operand.typed(element, $0, range(element)) }
      cases.append(OpCase("select of \(element.rawValue)", Select(), [.typed(.bool, [4, 1], 0...1)] + operands))
      for other in ElementType.allCases {
        let wide: ClosedRange<Double> = element.isFloat && !other.isFloat ? -300...300 : range(element)
        cases.append(
          OpCase("cast \(element.rawValue) to \(other.rawValue)", Cast(to: other), [.typed(element, [3, 11], wide)]))
      }
    }
    cases += of(ElementType.allCases, "broadcast", Broadcast(shape: [2, 3, 4, 5]), [3, 1, 5])
    cases += of(floats, "is_nan", IsNaN(), [4, 3]) + of(floats, "is_infinite", IsInfinite(), [4, 3])
    cases.append(OpCase("is_infinite above", IsInfinite(negative: false), shapes: [3]))
    cases.append(OpCase("is_infinite below", IsInfinite(positive: false), shapes: [3]))
    for function in Trigonometric.Function.allCases {
      let range: ClosedRange<Double> =
        switch function {
        case .asin, .acos, .atanh: -0.95...0.95
        case .acosh: 1...9
        case .sin, .cos, .tan, .atan, .sinh, .cosh, .asinh: -1.5...1.5
        }
      cases.append(OpCase(function.rawValue, Trigonometric(function), [.tensor([4, 9], range)]))
    }
    for kind in Reduce.Kind.allCases {
      let elements = (words + [.bool, .f64, .f16]).filter { kind.isDefined(on: $0) && kind != .logSum }
      let op = Reduce(kind: kind, axes: [-1, 0], keepDims: true)
      cases += of(elements, "reduce \(kind.rawValue)", op, [2, 3, 4])
    }
    for kind in ArgReduce.Kind.allCases {
      for last in [false, true] {
        let op = ArgReduce(kind: kind, axis: 1, keepDims: last, selectLast: last)
        cases += of(words + floats, "arg_reduce \(kind.rawValue)", op, [2, 9, 4])
      }
    }
    for kind in Cumulate.Kind.allCases {
      for flag in [false, true] {
        let op = Cumulate(kind: kind, axis: -2, exclusive: flag, reverse: flag)
        cases += of([.i32, .u8, .i64, .f32, .f64], "cumulate \(kind.rawValue)", op, [2, 5, 3])
      }
    }
    for (from, to) in [(ElementType.f32, ElementType.i32), (.u64, .f64), (.f16, .i16), (.u16, .bf16), (.i8, .u8)] {
      cases += of([from], "bits as \(to.rawValue)", BitCast(to: to), [3, 4])
    }
    cases += of([.f64, .f16, .bf16], "softmax", Softmax(axis: 0), [4, 3])
    cases += of(floats, "log_softmax", LogSoftmax(axis: 1), [3, 5])
    cases += of(words + [.f64], "matmul", MatMul(), [3, 5], [5, 4])
    return cases
  }()

  /// Indices reach outside on purpose.
  private static let gathers: [OpCase] = [
    OpCase("gather", Gather(axis: 1), [.tensor([2, 5, 3], -2...2), .typed(.i64, [2, 4], -7...7)]),
    OpCase("gather one", Gather(axis: -1), [.typed(.u8, [2, 5], 0...9), .typed(.i32, [], -2...2)]),
    OpCase(
      "gather_elements", GatherElements(axis: 1), [.tensor([3, 4, 2], -2...2), .typed(.i32, [2, 6, 2], -5...5)]),
    OpCase("gather_nd", GatherND(), [.tensor([3, 4, 2], -2...2), .typed(.i64, [5, 2], -4...4)]),
    OpCase(
      "gather_nd batched", GatherND(batchDims: 1), [.tensor([3, 4, 2], -2...2), .typed(.i64, [3, 2, 1], -4...4)]),
    OpCase("top_k", TopK(axis: 1, k: 3), shapes: [2, 5, 3]),
    OpCase("top_k smallest", TopK(axis: -1, k: 6, largest: false), shapes: [2, 6]),
    OpCase("top_k of integers", TopK(axis: 0, k: 4), [.typed(.i32, [6, 2], -2...2)]),
  ]

  private static func convolution(
    _ name: String, x: [Int], weight: [Int], bias: Bool = true, strides: [Int] = [1, 1],
    padding: [Int] = [0, 0, 0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) -> OpCase {
    let op = Conv2D(strides: strides, padding: padding, dilation: dilation, groups: groups)
    return OpCase(name, op, ([x, weight] + (bias ? [[weight[0]]] : [])).map { .tensor($0, -1...1) })
  }

  private static let spatial: [OpCase] = [
    convolution("conv pointwise", x: [2, 5, 4, 7], weight: [6, 5, 1, 1]),
    convolution("conv 1x1 strided", x: [1, 5, 6, 7], weight: [3, 5, 1, 1], strides: [2, 3]),
    convolution("conv 3x3", x: [2, 3, 6, 7], weight: [5, 3, 3, 3], strides: [2, 2], padding: [1, 1, 1, 1]),
    convolution(
      "conv uneven", x: [1, 3, 9, 8], weight: [4, 3, 3, 2], bias: false, strides: [1, 2],
      padding: [0, 2, 3, 1], dilation: [2, 3]),
    convolution("conv grouped", x: [2, 6, 5, 4], weight: [9, 2, 3, 3], padding: [1, 1, 1, 1], groups: 3),
    convolution(
      "conv depthwise", x: [2, 5, 6, 7], weight: [5, 1, 3, 5], strides: [2, 1], padding: [1, 2, 1, 2],
      groups: 5),
    convolution("conv depth multiplier", x: [1, 3, 6, 5], weight: [6, 1, 7, 7], padding: [3, 3, 3, 3], groups: 3),
    OpCase(
      "batch_norm", BatchNorm(epsilon: 1e-5),
      [.tensor([2, 3, 4, 5], -2...2)] + Array(repeating: .tensor([3], -1...1), count: 3) + [.tensor([3], positive)]),
    OpCase("average_pool", AveragePool(kernel: [2, 3], strides: [2, 2]), shapes: [2, 3, 6, 7]),
    OpCase(
      "average_pool padded", AveragePool(kernel: [3, 3], strides: [2, 1], padding: [1, 1, 0, 2]),
      shapes: [1, 3, 6, 5]),
    OpCase(
      "average_pool inside",
      AveragePool(
        kernel: [3, 3], strides: [2, 1], padding: [1, 1, 0, 2],
        countIncludePad: false), shapes: [1, 3, 6, 5]),
    OpCase(
      "average_pool ceil", AveragePool(kernel: [3, 2], strides: [3, 2], padding: [1, 0, 1, 0], ceilMode: true),
      shapes: [1, 2, 7, 5]),
    OpCase("max_pool", MaxPool(kernel: [3, 2], strides: [2, 1], padding: [1, 1, 1, 0]), shapes: [2, 3, 6, 5]),
    OpCase(
      "max_pool ceil dilated", MaxPool(kernel: [2, 2], strides: [2, 2], dilation: [2, 1], ceilMode: true),
      shapes: [1, 3, 6, 5]),
    OpCase("global_average_pool", GlobalAveragePool(), shapes: [2, 3, 4, 5]),
  ]

  private static let movement: [OpCase] = [
    OpCase("concat", Concat(axis: 1), shapes: [2, 3, 4], [2, 1, 4], [2, 5, 4]),
    OpCase("concat last", Concat(axis: -1), shapes: [2, 3], [2, 4]),
    OpCase("slice", Slice(starts: [1, -4], ends: [Int.max, -1], axes: [0, 2], steps: [2, 1]), shapes: [5, 3, 7]),
    OpCase("slice backwards", Slice(starts: [-1], ends: [Int.min + 1], axes: [-1], steps: [-2]), shapes: [3, 6]),
    OpCase("roll", Roll(shifts: [2, -3], axes: [2, 3]), shapes: [2, 3, 5, 7]),
    OpCase("roll far", Roll(shifts: [12, 0], axes: [1, 0]), shapes: [2, 5]),
    OpCase("reshape", Reshape(shape: [4, -1, 3]), shapes: [2, 6, 3]),
    OpCase("transpose", Transpose(permutation: [2, 0, 3, 1]), shapes: [2, 3, 4, 5]),
    OpCase("pad", Pad(before: [0, 1, 2], after: [1, 0, 3], value: 0.5), shapes: [2, 3, 4]),
    OpCase("pad reflect", Pad(before: [0, 2, 3], after: [1, 1, 2], mode: .reflect), shapes: [2, 3, 4]),
    OpCase("pad edge", Pad(before: [0, 2, 3], after: [1, 4, 2], mode: .edge), shapes: [2, 3, 4]),
    OpCase("convert_layout", ConvertLayout(layout: .rowMajor), shapes: [2, 3, 4, 5]),
    OpCase("matmul", MatMul(), shapes: [3, 5], [5, 4]),
    OpCase("matmul batched", MatMul(), shapes: [2, 1, 3, 5], [4, 5, 7]),
    OpCase("matmul rows of 1", MatMul(), shapes: [2, 1, 5], [2, 5, 1]),
  ]

  private static let reductions: [OpCase] =
    Reduce.Kind.allCases.map { kind in
      OpCase(
        "reduce \(kind.rawValue)", Reduce(kind: kind, axes: [-1, 1], keepDims: false),
        [.tensor([2, 3, 4, 5], kind == .logSum ? positive : -2...2)])
    } + [
      OpCase("reduce keeping", Reduce(kind: .mean, axes: [0, 2], keepDims: true), shapes: [2, 3, 4]),
      OpCase("reduce all", Reduce(kind: .maximum, axes: [0, 1], keepDims: false), shapes: [2, 3]),
      OpCase("softmax", Softmax(axis: 1), shapes: [2, 5, 3]),
      OpCase("softmax last", Softmax(axis: -1), shapes: [2, 5]),
      OpCase("layer_norm", LayerNorm(axes: [-1], epsilon: 1e-5), shapes: [2, 3, 7], [7], [7]),
      OpCase("layer_norm of channels", LayerNorm(axes: [1], epsilon: 1e-6), shapes: [2, 5, 3, 4], [5]),
      OpCase("layer_norm bare", LayerNorm(axes: [1, 3], epsilon: 1e-6), shapes: [2, 5, 3, 4]),
    ]

  private static func svga(_ step: Int, _ batch: Int, _ height: Int, _ width: Int) -> Operand {
    let down = stride(from: step, to: height, by: step).map { Offset(dy: $0, dx: 0) }
    let right = stride(from: step, to: width, by: step).map { Offset(dy: 0, dx: $0) }
    return .neighborhood(
      NeighborhoodType(.offsets(down + right), batch: batch, height: height, width: width), .offsets(down + right))
  }

  /// Two neighbours by roll, each admitted by about half of the pixels.
  private static let gated: Operand = {
    let offsets = [Offset(dy: 2, dx: 0), Offset(dy: 0, dx: -1)]
    let bits = randomFloats(2 * 2 * 20, seed: 9).map { $0 > 0 }
    return .neighborhood(
      NeighborhoodType(.gatedOffsets(offsets), batch: 2, height: 5, width: 4),
      .gatedOffsets(offsets, admitted: [Array(bits[..<40]), Array(bits[40...])]))
  }()

  private static func indices(count: Int, candidates: Int) -> Operand {
    let indices = randomFloats(2 * 20 * count, in: 0...0.999, seed: 5).map { Int($0 * Float(candidates)) }
    return .neighborhood(
      NeighborhoodType(.indices(count: count, candidates: candidates), batch: 2, height: 5, width: 4),
      .indices(indices, count: count))
  }

  /// Four hyperedges, the third empty; the second image's last pixel reads one that it is no member of.
  private static let hypergraph = Operand.neighborhood(
    NeighborhoodType(.incidence(hyperedges: 4), batch: 2, height: 3, width: 2),
    .incidence(
      nodeEdges: [[0, 1], [1], [3], [1, 3], [0], [0], [3], [0, 1, 3], [1], [1], [0], [2]],
      edgeNodes: [[0, 4, 5], [0, 1, 3], [], [2, 3], [1, 4], [1, 2, 3], [], [0, 1]]))

  private static let graphs: [OpCase] = [
    OpCase("mean of pixels", IncidenceMean(to: .hyperedges), [.tensor([2, 3, 3, 2], -2...2), hypergraph]),
    OpCase("mean of hyperedges", IncidenceMean(to: .nodes), [.tensor([2, 3, 4, 1], -2...2), hypergraph]),
    OpCase("links of gates", Links(), [gated]),
    OpCase("links of indices", Links(), [indices(count: 3, candidates: 20)]),
    OpCase("links of a hypergraph", Links(), [hypergraph]),
    OpCase("svga", BuildNeighborhood(construction: SVGA(step: 2)), shapes: [2, 3, 5, 7]),
    OpCase("mgc", BuildNeighborhood(construction: MGC(step: 2)), shapes: [2, 3, 5, 7]),
    OpCase("lsgc", BuildNeighborhood(construction: LSGC(base: 2)), shapes: [2, 3, 5, 7]),
    OpCase("mgc clamped", BuildNeighborhood(construction: MGC(step: 5)), shapes: [2, 3, 5, 7]),
    OpCase("dagc", BuildNeighborhood(construction: DAGC(step: 2)), shapes: [2, 3, 5, 7]),
    OpCase("dagc every pixel", BuildNeighborhood(construction: DAGC(step: 1)), shapes: [1, 7, 3, 5]),
    OpCase("dagc of one pixel", BuildNeighborhood(construction: DAGC(step: 1)), shapes: [1, 3, 1, 1]),
    OpCase(
      "aggregate svga", Aggregate(kind: .maxRelative, direction: .selfMinusNeighbor, start: 0),
      [.tensor([2, 3, 7, 5], -2...2), svga(2, 2, 7, 5)]),
    OpCase(
      "aggregate other way", Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil),
      [.tensor([1, 3, 6, 9], -2...2), svga(3, 1, 6, 9)]),
    OpCase(
      "aggregate gated", Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: 0),
      [.tensor([2, 3, 5, 4], -2...2), gated]),
    OpCase(
      "aggregate gated without start", Aggregate(kind: .maxRelative, direction: .selfMinusNeighbor, start: nil),
      [.tensor([2, 3, 5, 4], -2...2), gated]),
    OpCase(
      "aggregate indices", Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil),
      [.tensor([2, 3, 5, 4], -2...2), indices(count: 3, candidates: 20)]),
    OpCase("max of rolls", Aggregate(.maximum), [.tensor([2, 3, 7, 5], -2...2), svga(2, 2, 7, 5)]),
    OpCase("max of indices", Aggregate(.maximum), [.tensor([2, 3, 5, 4], -2...2), indices(count: 3, candidates: 20)]),
    OpCase("sum of rolls", Aggregate(.sum), [.tensor([1, 3, 6, 9], -2...2), svga(3, 1, 6, 9)]),
    OpCase(
      "sum of candidates", Aggregate(.sum),
      [.tensor([2, 3, 5, 4], -2...2), indices(count: 3, candidates: 6), .tensor([2, 3, 2, 3], -2...2)]),
    OpCase("edges of rolls", EdgeFeatures(), [.tensor([2, 3, 7, 5], -2...2), svga(2, 2, 7, 5)]),
    OpCase("edges of indices", EdgeFeatures(), [.tensor([2, 3, 5, 4], -2...2), indices(count: 3, candidates: 20)]),
    OpCase(
      "edges of candidates", EdgeFeatures(),
      [.tensor([2, 3, 5, 4], -2...2), indices(count: 3, candidates: 6), .tensor([2, 3, 2, 3], -2...2)]),
    OpCase(
      "aggregate candidates", Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil),
      [.tensor([2, 3, 5, 4], -2...2), indices(count: 3, candidates: 6), .tensor([2, 3, 2, 3], -2...2)]),
  ]
}
