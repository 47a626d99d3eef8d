import IR

// Products, folds and norms.

private func reduction(_ name: String, _ kind: Reduce.Kind) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let keeps = try call.attributes.flag("keepdims") ?? true
    let nothing = try call.attributes.flag("noop_with_empty_axes") ?? false
    let x = try call.input(0)
    let type = try builder.type(of: x)
    var axes = try call.axes(rank: type.rank) ?? []
    if axes.isEmpty {
      if nothing { return [x] }
      axes = Array(0..<type.rank)
    }
    if axes.isEmpty { return [x] }
    if let known = x.known, !known.data.element.isFloat {
      return [builder.known(try KnownArithmetic.reduced(name, known.tensor, axes: Set(axes), keeps: keeps))]
    }
    return [try builder.apply(Reduce(kind: kind, axes: axes.sorted(), keepDims: keeps), [x])]
  }
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
  ImportedOperator("MatMul", "vectors") { builder, call in
    [try builder.apply(MatMul(), [call.input(0), call.input(1)])]
  },
  ImportedOperator("Gemm") { builder, call in
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
    if alpha != 1 { result = try builder.apply(Multiply(), [result, builder.known(scalar: alpha)]) }
    if call.has(2) && beta != 0 {
      var bias = try call.input(2)
      if beta != 1 { bias = try builder.apply(Multiply(), [bias, builder.known(scalar: beta)]) }
      let shape = try builder.type(of: result).shape
      result = try builder.apply(Add(), [result, bias])
      if try builder.type(of: result).shape != shape { throw Diagnostic("its bias does not broadcast to \(shape)") }
    }
    return [result]
  },
  ImportedOperator("Softmax") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.axis(call.attributes.integer("axis") ?? (call.version >= 13 ? -1 : 1), rank: type.rank)
    if call.version >= 13 || axis == type.rank - 1 { return [try builder.apply(Softmax(axis: axis), [x])] }
    // Of old, over all axes from this one on.
    let rows = type.shape[..<axis].reduce(1, *)
    let flat = try builder.apply(Reshape(shape: [rows, type.count / rows]), [x])
    return [try builder.apply(Reshape(shape: type.shape), [builder.apply(Softmax(axis: 1), [flat])])]
  },
  ImportedOperator("BatchNormalization", "training") { builder, call in
    call.attributes.ignore("momentum")
    let epsilon = try call.attributes.float("epsilon") ?? Double(Float(1e-5))
    if try call.attributes.flag("training_mode") ?? false {
      throw Diagnostic("it trains; export the model for inference")
    }
    try call.requireOneOutput()
    return [try builder.apply(BatchNorm(epsilon: epsilon), (0..<5).map { try call.input($0) })]
  },
]
