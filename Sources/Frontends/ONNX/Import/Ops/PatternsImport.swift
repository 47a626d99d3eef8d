import IR

// Operators that make or mask tensors by the places of their elements.

let patternOperators: [ImportedOperator] = [
  ImportedOperator("OneHot", "a depth that depends on the input") { builder, call in
    var indices = try call.input(0)
    guard let given = try call.scalar(1, "the depth"), given >= 1, given <= Double(KnownArithmetic.mostElements),
      let depth = Int(exactly: given.rounded(.towardZero))
    else { throw Diagnostic("its depth is not a number of classes") }
    let values = try call.input(2)
    guard try builder.type(of: values).shape == [2] else { throw Diagnostic("its values are not two numbers") }
    indices = try converted(&builder, indices, to: .i64)
    let isNegative = try builder.apply(Comparison(.less), [indices, builder.known(scalar: 0, .i64)])
    let raised = try builder.apply(Add(), [indices, builder.known(scalar: Double(depth), .i64)])
    let places = try builder.apply(Select(), [isNegative, raised, indices])
    var shape = try builder.type(of: indices).shape
    let rank = shape.count + 1
    let axis = try call.axis(call.attributes.integer("axis") ?? -1, rank: rank)
    shape.insert(1, at: axis)
    let aligned = try builder.apply(Reshape(shape: shape), [places])
    let classes = try builder.places(depth, along: axis, rank: rank)
    let isHot = try builder.apply(Comparison(.equal), [aligned, classes])
    func value(_ place: Int) throws -> ImportedValue {
      let one = try builder.apply(Slice(starts: [place], ends: [place + 1], axes: [0], steps: [1]), [values])
      return try builder.apply(Reshape(shape: []), [one])
    }
    return [try builder.apply(Select(), [isHot, value(1), value(0)])]
  },
  ImportedOperator("Trilu", "a diagonal that depends on the input") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    guard type.rank >= 2 else { throw Diagnostic("it takes triangles of \(type), which has no matrices") }
    let isUpper = try call.attributes.flag("upper") ?? true
    let diagonal = Int(exactly: try call.scalar(1, "the diagonal") ?? 0) ?? 0
    let (rows, columns) = (type.shape[type.rank - 2], type.shape[type.rank - 1])
    _ = try knownExtents([rows, columns])
    let bound = min(max(diagonal, -rows), columns)
    let kept = (0..<rows * columns).map { place -> Int64 in
      let beyond = place % columns - place / columns - bound
      return (isUpper ? beyond >= 0 : beyond <= 0) ? 1 : 0
    }
    if type.count == 0 { return [x] }
    let mask = builder.known(Tensor<Double>(element: .bool, shape: [rows, columns], integer: kept))
    return [try builder.apply(Select(), [mask, x, builder.known(scalar: 0, type.element)])]
  },
  ImportedOperator("EyeLike", "floats of 8 bits and less") { builder, call in
    let type = try builder.type(of: call.input(0))
    guard type.rank == 2 else { throw Diagnostic("it makes a matrix like \(type), which is none") }
    let shape = try knownExtents(type.shape)
    let code = try call.attributes.integer("dtype")
    guard let element = code.map({ ElementType(onnx: Int32(clamping: $0)) }) ?? type.element else {
      throw Diagnostic("it makes a matrix of type \(code ?? 0)")
    }
    let diagonal = try call.attributes.integer("k") ?? 0
    let values = (0..<shape[0] * shape[1]).map { place in
      place % shape[1] - place / shape[1] == diagonal ? 1.0 : 0
    }
    return [builder.known(Tensor<Double>(element, shape: shape, values))]
  },
]
