import IR

// Norms: those that the standard defines by a function body are composed in the same way.

/// Zero mean and unit variance over axes.
private func normalized(
  _ builder: inout ImportBuilder, _ x: ImportedValue, over axes: [Int], epsilon: Double
) throws -> ImportedValue {
  try builder.apply(LayerNorm(axes: axes, epsilon: epsilon), [x])
}

/// A value a channel, times and plus.
private func scaled(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ call: ImportCall, scale: Int, bias: Int
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  func column(_ index: Int) throws -> ImportedValue {
    let own = try builder.type(of: call.input(index))
    guard own.shape == [type.shape[1]] else {
      throw Diagnostic("input \(index) is \(own); it must be a number for each of \(type.shape[1]) channels")
    }
    return try builder.shaped(call.input(index), [type.shape[1]] + type.shape.dropFirst(2).map { _ in 1 })
  }
  return try builder.node("Add", builder.node("Mul", x, column(scale)), column(bias))
}

private func epsilon(_ call: ImportCall) throws -> Double {
  try call.attributes.float("epsilon") ?? Double(Float(1e-5))
}

let normOperators: [ImportedOperator] = [
  .composed("LayerNormalization") { builder, call in
    call.attributes.ignore("stash_type")
    let epsilon = try epsilon(call)
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.axis(call.attributes.integer("axis") ?? -1, rank: type.rank)
    let axes = Array(axis..<type.rank)
    // Scale and bias may repeat along axes.
    let inner = Array(type.shape[axis...])
    let fits = try (1..<3).allSatisfy { try !call.has($0) || builder.type(of: call.input($0)).shape == inner }
    var result: ImportedValue
    if fits {
      result = try builder.apply(
        LayerNorm(axes: axes, epsilon: epsilon), try (0..<(call.has(2) ? 3 : 2)).map { try call.input($0) })
    } else {
      result = try builder.node("Mul", normalized(&builder, x, over: axes, epsilon: epsilon), call.input(1))
      if call.has(2) { result = try builder.node("Add", result, call.input(2)) }
      guard try builder.type(of: result).shape == type.shape else {
        throw Diagnostic("its scale or bias does not broadcast to \(type)")
      }
    }
    guard call.hasOutput.dropFirst().contains(true) else { return [result] }
    let mean = try builder.folded(.mean, x, axes)
    let centred = try builder.node("Sub", x, mean)
    let variance = try builder.folded(.mean, builder.node("Mul", centred, centred), axes)
    let shifted = try builder.node("Add", variance, builder.number(epsilon, type.element))
    return [result, mean, try builder.node("Reciprocal", builder.node("Sqrt", shifted))]
  },
  .composed("RMSNormalization") { builder, call in
    call.attributes.ignore("stash_type")
    let epsilon = try epsilon(call)
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.axis(call.attributes.integer("axis") ?? -1, rank: type.rank)
    let mean = try builder.folded(.mean, builder.node("Mul", x, x), Array(axis..<type.rank))
    let root = try builder.node("Sqrt", builder.node("Add", mean, builder.number(epsilon, type.element)))
    let result = try builder.node("Mul", builder.node("Div", x, root), call.input(1))
    guard try builder.type(of: result).shape == type.shape else {
      throw Diagnostic("its scale does not broadcast to \(type)")
    }
    return [result]
  },
  .composed("InstanceNormalization") { builder, call in
    let type = try spatial(builder, call)
    let result = try normalized(&builder, call.input(0), over: Array(2..<type.rank), epsilon: epsilon(call))
    return [try scaled(&builder, result, call, scale: 1, bias: 2)]
  },
  .composed("GroupNormalization") { builder, call in
    call.attributes.ignore("stash_type")
    let type = try spatial(builder, call)
    let groups = try call.attributes.integer("num_groups") ?? 0
    guard groups >= 1, type.shape[1] % groups == 0 else {
      throw Diagnostic("\(groups) groups do not divide \(type.shape[1]) channels")
    }
    let apart = try builder.shaped(call.input(0), [type.shape[0], groups, type.count / type.shape[0] / groups])
    var result = try normalized(&builder, apart, over: [2], epsilon: epsilon(call))
    if try builder.type(of: call.input(1)).shape == [groups], groups != type.shape[1], call.version < 21 {
      // Before operator set 21 scale and bias were a number a group.
      return [try builder.shaped(scaled(&builder, result, call, scale: 1, bias: 2), type.shape)]
    }
    result = try builder.shaped(result, type.shape)
    return [try scaled(&builder, result, call, scale: 1, bias: 2)]
  },
  .composed("MeanVarianceNormalization") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axes = try (call.attributes.integers("axes") ?? [0, 2, 3]).map { try call.axis($0, rank: type.rank) }
    let centred = try builder.node("Sub", x, builder.folded(.mean, x, axes.sorted()))
    let variance = try builder.folded(.mean, builder.node("Mul", centred, centred), axes.sorted())
    let deviation = try builder.node("Add", builder.node("Sqrt", variance), builder.number(1e-9, type.element))
    return [try builder.node("Div", centred, deviation)]
  },
  .composed("LpNormalization") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.axis(call.attributes.integer("axis") ?? -1, rank: type.rank)
    let power = try call.attributes.integer("p") ?? 2
    guard power == 1 || power == 2 else { throw Diagnostic("its norm is of order \(power); there are 1 and 2") }
    let norm = try builder.folded(power == 1 ? .l1 : .l2, x, [axis])
    // Zeros stay zeros: the norm is at least the least number, and zero divided by it is zero.
    let divisor = try builder.node("Max", norm, builder.number(0x1p-126, type.element))
    return [try builder.node("Div", x, divisor)]
  },
  .composed("LRN") { builder, call in
    let type = try spatial(builder, call)
    guard let size = try call.attributes.integer("size"), (1...1 << 16).contains(size) else {
      throw Diagnostic("it has no 'size', or none that is positive")
    }
    let alpha = try call.attributes.float("alpha") ?? Double(Float(1e-4))
    let beta = try call.attributes.float("beta") ?? 0.75
    let bias = try call.attributes.float("bias") ?? 1
    let x = try call.input(0)
    // Sums over neighbouring channels: a convolution along them.
    let plane = type.shape[2...].reduce(1, *)
    let squares = try builder.shaped(builder.node("Mul", x, x), [type.shape[0], 1, type.shape[1], plane])
    let ones = builder.numbers([Double](repeating: 1, count: size), shape: [1, 1, size, 1], type.element)
    let op = Conv2D(
      strides: [1, 1], padding: [(size - 1) / 2, 0, size / 2, 0], dilation: [1, 1], groups: 1)
    let sums = try builder.shaped(builder.apply(op, [squares, ones]), type.shape)
    let share = try builder.node("Mul", sums, builder.number(alpha / Double(size), type.element))
    let base = try builder.node("Add", share, builder.number(bias, type.element))
    return [try builder.node("Div", x, builder.node("Pow", base, builder.number(beta, type.element)))]
  },
]
