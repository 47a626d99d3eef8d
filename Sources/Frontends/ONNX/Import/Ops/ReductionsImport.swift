import IR

// Products, folds and norms.

private func reduction(_ name: String, _ kind: Reduce.Kind) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let keeps = try call.attributes.flag("keepdims") ?? true
    let nothing = try call.attributes.flag("noop_with_empty_axes") ?? false
    let x = try call.input(0)
    let type = try builder.type(of: x)
    var axes = try call.axes(rank: type.rank) ?? []
    if axes.isEmpty && !nothing { axes = Array(0..<type.rank) }
    if !kind.isDefined(on: type.element) { throw Diagnostic("it is not defined on \(type.element.rawValue)") }
    if axes.isEmpty { return [try foldedAlone(&builder, kind, x)] }
    if type.count == 0 {
      // The fold of nothing at all: what a fold starts from.
      let kept = type.shape.indices.map { axes.contains($0) ? 1 : type.shape[$0] }
      let shape = keeps ? kept : type.shape.indices.filter { !axes.contains($0) }.map { type.shape[$0] }
      guard let start = kind.ofNothing(type.element) else {
        throw Diagnostic("it folds \(type), which is empty, and has no value for that")
      }
      let values = [Double](repeating: start, count: try knownExtents(kept).reduce(1, *))
      return [builder.known(Tensor<Double>(type.element, shape: shape, values))]
    }
    return [try builder.apply(Reduce(kind: kind, axes: axes.sorted(), keepDims: keeps), [x])]
  }
}

/// The fold of each element by itself: what a fold does to a set of one element.
private func foldedAlone(
  _ builder: inout ImportBuilder, _ kind: Reduce.Kind, _ x: ImportedValue
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  switch kind {
  case .sum, .mean, .maximum, .minimum, .product: return x
  case .l1, .l2, .sumOfSquares, .logSum, .logSumExp:
    if type.count == 0 { return x }
    let alone = try builder.shaped(x, type.shape + [1])
    return try builder.apply(Reduce(kind: kind, axes: [type.rank], keepDims: false), [alone])
  }
}

extension Reduce.Kind {
  /// What ONNX says the fold of no elements is; nil if it is undefined.
  fileprivate func ofNothing(_ element: ElementType) -> Double? {
    switch self {
    case .sum, .l1, .l2, .sumOfSquares: return 0
    case .product: return 1
    case .mean: return element.isFloat ? .nan : nil
    case .logSum, .logSumExp: return element.isFloat ? -.infinity : nil
    case .maximum: return element.isFloat ? -.infinity : element.integerRange.map { Double($0.lowerBound) }
    case .minimum:
      if element.isFloat { return .infinity }
      // The largest integers of 64 bits have no double.
      return element.byteCount == 8 ? nil : element.integerRange.map { Double($0.upperBound) }
    }
  }
}

/// The place of the best element along an axis.
private func arg(_ name: String, _ kind: ArgReduce.Kind) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let x = try call.input(0)
    let axis = try call.axis(call.attributes.integer("axis") ?? 0, rank: builder.type(of: x).rank)
    let op = ArgReduce(
      kind: kind, axis: axis, keepDims: try call.attributes.flag("keepdims") ?? true,
      selectLast: try call.attributes.flag("select_last_index") ?? false)
    return [try builder.apply(op, [x])]
  }
}

private func cumulation(_ name: String, _ kind: Cumulate.Kind) -> ImportedOperator {
  ImportedOperator(name, "an axis that depends on the input") { builder, call in
    let x = try call.input(0)
    guard let given = try call.integers(1, "the axis"), given.count == 1 else {
      throw Diagnostic("its axis is not one number")
    }
    let op = Cumulate(
      kind: kind, axis: try call.axis(given[0], rank: builder.type(of: x).rank),
      exclusive: try call.attributes.flag("exclusive") ?? false,
      reverse: try call.attributes.flag("reverse") ?? false)
    return [try builder.apply(op, [x])]
  }
}

/// An op that runs along one axis. Before operator set 13 it ran over all axes from this one on.
private func alongAxis(
  _ builder: inout ImportBuilder, _ call: ImportCall,
  _ body: (inout ImportBuilder, ImportedValue, Int) throws -> ImportedValue
) throws -> [ImportedValue] {
  let x = try call.input(0)
  let type = try builder.type(of: x)
  let axis = try call.axis(call.attributes.integer("axis") ?? (call.version >= 13 ? -1 : 1), rank: type.rank)
  if call.version >= 13 || axis == type.rank - 1 { return [try body(&builder, x, axis)] }
  let rows = type.shape[..<axis].reduce(1, *)
  let flat = try builder.apply(Reshape(shape: [rows, type.count / max(1, rows)]), [x])
  return [try builder.apply(Reshape(shape: type.shape), [body(&builder, flat, 1)])]
}

/// Exchanges the last two axes.
private func transposed(_ builder: inout ImportBuilder, _ x: ImportedValue) throws -> ImportedValue {
  try builder.apply(Transpose(permutation: [1, 0]), [x])
}

let reductionOperators: [ImportedOperator] = [
  reduction("ReduceMean", .mean),
  reduction("ReduceSum", .sum),
  reduction("ReduceMax", .maximum),
  reduction("ReduceMin", .minimum),
  reduction("ReduceL1", .l1),
  reduction("ReduceL2", .l2),
  reduction("ReduceProd", .product),
  reduction("ReduceSumSquare", .sumOfSquares),
  reduction("ReduceLogSum", .logSum),
  reduction("ReduceLogSumExp", .logSumExp),
  arg("ArgMax", .maximum),
  arg("ArgMin", .minimum),
  cumulation("CumSum", .sum),
  cumulation("CumProd", .product),
  .single("MatMul") { builder, call in
    // A vector counts as a row on the left and as a column on the right. The axis that is added for this is removed
    // again.
    var (a, b) = (try call.input(0), try call.input(1))
    let (left, right) = (try builder.type(of: a).shape, try builder.type(of: b).shape)
    if left.count == 1 { a = try builder.apply(Reshape(shape: [1] + left), [a]) }
    if right.count == 1 { b = try builder.apply(Reshape(shape: right + [1]), [b]) }
    let product = try builder.apply(MatMul(), [a, b])
    if left.count != 1 && right.count != 1 { return [product] }
    var shape = try builder.type(of: product).shape
    if right.count == 1 { shape.removeLast() }
    if left.count == 1 { shape.remove(at: shape.count - (right.count == 1 ? 1 : 2)) }
    return [try builder.apply(Reshape(shape: shape), [product])]
  },
  .single("Gemm") { builder, call in
    var a = try call.input(0)
    var b = try call.input(1)
    for operand in [a, b] {
      let type = try builder.type(of: operand)
      if type.rank != 2 { throw Diagnostic("it multiplies \(type); both factors must be matrices") }
    }
    if try call.attributes.flag("transA") ?? false { a = try transposed(&builder, a) }
    if try call.attributes.flag("transB") ?? false { b = try transposed(&builder, b) }
    var result = try builder.apply(MatMul(), [a, b])
    let alpha = try call.attributes.float("alpha") ?? 1
    let beta = try call.attributes.float("beta") ?? 1
    let element = try builder.type(of: result).element
    func scalar(_ value: Double) throws -> ImportedValue {
      guard element.isFloat || value.rounded() == value else {
        throw Diagnostic("it scales \(element.rawValue) by \(value), which is no integer")
      }
      return builder.known(scalar: value, element)
    }
    if alpha != 1 { result = try builder.apply(Multiply(), [result, scalar(alpha)]) }
    if call.has(2) && beta != 0 {
      var bias = try call.input(2)
      if beta != 1 { bias = try builder.apply(Multiply(), [bias, scalar(beta)]) }
      let shape = try builder.type(of: result).shape
      result = try builder.apply(Add(), [result, bias])
      if try builder.type(of: result).shape != shape { throw Diagnostic("its bias does not broadcast to \(shape)") }
    }
    return [result]
  },
  ImportedOperator("Softmax") { builder, call in
    try alongAxis(&builder, call) { try $0.apply(Softmax(axis: $2), [$1]) }
  },
  ImportedOperator("LogSoftmax") { builder, call in
    try alongAxis(&builder, call) { try $0.apply(LogSoftmax(axis: $2), [$1]) }
  },
  ImportedOperator("Hardmax") { builder, call in
    try alongAxis(&builder, call) { builder, x, axis in
      let type = try builder.type(of: x)
      let best = try builder.apply(ArgReduce(kind: .maximum, axis: axis, keepDims: true), [x])
      let places = try builder.places(type.shape[axis], along: axis, rank: type.rank)
      return try converted(&builder, builder.apply(Comparison(.equal), [best, places]), to: type.element)
    }
  },
  .single("BatchNormalization", "training") { builder, call in
    call.attributes.ignore("momentum")
    let epsilon = try call.attributes.float("epsilon") ?? Double(Float(1e-5))
    if try call.attributes.flag("training_mode") ?? false {
      throw Diagnostic("it trains; export the model for inference")
    }
    try call.requireOneOutput()
    return [try builder.apply(BatchNorm(epsilon: epsilon), (0..<5).map { try call.input($0) })]
  },
]
