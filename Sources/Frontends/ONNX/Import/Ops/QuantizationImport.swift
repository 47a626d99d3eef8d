import IR

// Quantised tensors: the pairs of QuantizeLinear and DequantizeLinear, and operators on integers, which become the same
// pairs around operators on reals. Sums of integers that are outputs themselves become exact integer ops.

/// How a node says what the integers of a tensor stand for.
private struct ImportedScale {
  let scale: ImportedValue
  let zeroPoint: ImportedValue?
  /// Where scales run, if there are several; counted from the front.
  var axis: Int?

  /// - Parameter first: the place of the scale among the inputs; the zero point follows it.
  init(_ call: ImportCall, _ first: Int, axis: Int? = nil) throws {
    scale = try call.input(first)
    zeroPoint = call.has(first + 1) ? try call.input(first + 1) : nil
    self.axis = axis
  }

  init(_ scale: ImportedValue, _ zeroPoint: ImportedValue?) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  /// The scales and zero points if all are known and valid; nil if one is computed.
  /// - Throws: A `Diagnostic` where they do not go with a tensor of `shape`.
  func known(_ builder: ImportBuilder, _ element: ElementType, _ shape: [Int]) throws -> Quantization? {
    let type = try builder.type(of: scale)
    if !type.element.isFloat { throw Diagnostic("its scale is \(type); scales are floats") }
    if type.count != 1 {
      guard let axis, type.rank == 1, shape.indices.contains(axis), type.count == shape[axis] else {
        throw Diagnostic(
          "its scale is \(type); it must be one number"
            + (axis.map { shape.indices.contains($0) ? ", or \(shape[$0]) along axis \($0)" : "" } ?? ""))
      }
    }
    if let zeroPoint {
      let own = try builder.type(of: zeroPoint)
      if own.count != type.count || own.element != element {
        throw Diagnostic("its zero point is \(own); it must be \(element.rawValue), as many as there are scales")
      }
    }
    guard let scales = scale.known.map({ KnownArithmetic.numbers($0.tensor) }) else { return nil }
    var zeros = scales.map { _ in 0 }
    if let zeroPoint {
      guard let known = zeroPoint.known else { return nil }
      zeros = known.tensor.integer.map { Int($0) }
    }
    let result = Quantization(scales: scales, zeroPoints: zeros, axis: type.count == 1 ? nil : axis)
    return result.scales.allSatisfy({ $0 > 0 && $0.isFinite }) ? result : nil
  }

  /// Scale and zero point as float32 tensors that broadcast with a tensor of `shape`.
  func broadcast(_ builder: inout ImportBuilder, _ shape: [Int]) throws -> (scale: ImportedValue, zero: ImportedValue?)
  {
    func column(_ value: ImportedValue) throws -> ImportedValue {
      let real = try builder.cast(value, to: .f32)
      let count = try builder.type(of: value).count
      guard count > 1, let axis else { return try builder.shaped(real, []) }
      return try builder.shaped(real, shape.indices.map { $0 == axis ? count : 1 })
    }
    return (try column(scale), try zeroPoint.map(column))
  }
}

extension ImportBuilder {
  /// The integers of a tensor without what they stand for.
  mutating func unquantized(_ value: ImportedValue) throws -> ImportedValue {
    guard case .computed(let id) = value else { return value }
    let type = graph.tensorType(of: id)
    return type.quantization == nil ? value : try apply(BitCast(to: type.element), [value])
  }

  /// Reals as integers.
  fileprivate mutating func quantized(
    _ x: ImportedValue, _ scale: ImportedScale, to element: ElementType
  ) throws -> ImportedValue {
    let real = try cast(x, to: .f32)
    let shape = try type(of: x).shape
    guard let range = element.integerRange, [.i8, .u8, .i16, .u16].contains(element) else {
      throw Diagnostic("it quantises to \(element.rawValue); i8, u8, i16 and u16 are possible")
    }
    if let known = try scale.known(self, element, shape) {
      return try apply(Quantize(to: element, known), [real])
    }
    let (factor, zero) = try scale.broadcast(&self, shape)
    var steps = try node("Round", node("Div", real, factor))
    if let zero { steps = try node("Add", steps, zero) }
    let low = known(scalar: Double(range.lowerBound))
    let high = known(scalar: Double(range.upperBound))
    return try cast(node("Clip", steps, low, high), to: element)
  }

  /// What integers stand for, in float32.
  fileprivate mutating func dequantized(_ q: ImportedValue, _ scale: ImportedScale) throws -> ImportedValue {
    let type = try type(of: q)
    if let quantization = try scale.known(self, type.element, type.shape) {
      let op = Dequantize(quantization)
      // Weights stay integers, whatever is known of them.
      if q.known?.isInitializer == true, type.count > 1 {
        _ = try op.checkedResultTypes([.tensor(type)])
        return .computed(try graph.add(op, [try graphValue(q)], name: name, layer: layer)[0])
      }
      let own = type.quantization == quantization ? q : try unquantized(q)
      return try apply(op, [own])
    }
    let (factor, zero) = try scale.broadcast(&self, type.shape)
    var steps = try cast(unquantized(q), to: .f32)
    if let zero { steps = try node("Sub", steps, zero) }
    return try node("Mul", steps, factor)
  }

  /// A factor of an exact product: its integers less the zero point, in 32 bits.
  fileprivate mutating func difference(
    _ q: ImportedValue, _ zeroPoint: ImportedValue?, along axis: Int?
  ) throws -> ImportedValue {
    let wide = try cast(unquantized(q), to: .i32)
    guard let zeroPoint else { return wide }
    let shape = try type(of: q).shape
    var zero = try cast(zeroPoint, to: .i32)
    let count = try type(of: zero).count
    if count == 1 {
      zero = try shaped(zero, [])
    } else if try type(of: zero).rank == 1, let axis {
      guard shape[axis] == count else {
        throw Diagnostic("its zero point has \(count) numbers, and the axis \(shape[axis])")
      }
      zero = try shaped(zero, shape.indices.map { $0 == axis ? count : 1 })
    }
    return try node("Sub", wide, zero)
  }
}

/// The integer type of a quantised result: that of its zero point, or u8.
private func resultElement(_ builder: ImportBuilder, _ call: ImportCall, zeroPoint: Int) throws -> ElementType {
  call.has(zeroPoint) ? try builder.type(of: call.input(zeroPoint)).element : .u8
}

/// Refuses scales of blocks.
private func refuseBlocks(_ call: ImportCall) throws {
  call.attributes.ignore("saturate", "precision")
  if let size = try call.attributes.integer("block_size"), size != 0 {
    throw Diagnostic(
      "it has a scale for each block of \(size) elements; one a tensor and one along an axis are possible",
      notes: ["quantise the model per tensor or per channel"])
  }
}

/// The scale of `QuantizeLinear` and `DequantizeLinear`. Their axis means nothing to a scale of the whole tensor, whose rank it
/// may exceed.
private func pairScale(_ builder: ImportBuilder, _ call: ImportCall) throws -> ImportedScale {
  let rank = try builder.type(of: call.input(0)).rank
  let axis = try call.attributes.integer("axis") ?? 1
  return try ImportedScale(call, 1, axis: (-rank..<rank).contains(axis) ? call.axis(axis, rank: rank) : nil)
}

/// An operator on one quantised tensor: reals in, reals out. Inputs are x, its scale and zero point, the result's.
private func quantizedUnary(
  _ name: String, _ limits: String = "",
  _ real: @escaping @Sendable (inout ImportBuilder, ImportCall, ImportedValue) throws -> ImportedValue
) -> ImportedOperator {
  .composed(name, limits) { builder, call in
    let x = try builder.dequantized(call.input(0), ImportedScale(call, 1))
    let result = try real(&builder, call, x)
    return [try builder.quantized(result, ImportedScale(call, 3), to: builder.type(of: call.input(0)).element)]
  }
}

/// An operator on two quantised tensors, each followed by its scale and zero point.
private func quantizedBinary(_ name: String, as type: String) -> ImportedOperator {
  .composed(name) { builder, call in
    let a = try builder.dequantized(call.input(0), ImportedScale(call, 1))
    let b = try builder.dequantized(call.input(3), ImportedScale(call, 4))
    let result = try builder.node(type, a, b)
    return [try builder.quantized(result, ImportedScale(call, 6), to: builder.type(of: call.input(0)).element)]
  }
}

/// The attributes of a node for an operator that it is composed of.
private func passed(_ call: ImportCall, integers: [String] = [], lists: [String] = []) throws -> [Onnx_AttributeProto] {
  try integers.compactMap { name in try call.attributes.integer(name).map { .integer(name, $0) } }
    + lists.compactMap { name in try call.attributes.integers(name).map { .integers(name, $0) } }
}

private func windowAttributes(_ call: ImportCall) throws -> [Onnx_AttributeProto] {
  var result = try passed(
    call, integers: ["group", "ceil_mode", "count_include_pad"],
    lists: ["kernel_shape", "strides", "pads", "dilations"])
  if let automatic = try call.attributes.string("auto_pad") { result.append(.string("auto_pad", automatic)) }
  return result
}

/// Refuses images whose channels lie last, which no operator of the standard has.
private func refuseChannelsLast(_ call: ImportCall) throws {
  if try call.attributes.flag("channels_last") ?? false { throw Diagnostic("its images have their channels last") }
}

let quantizationOperators: [ImportedOperator] = [
  .composed("QuantizeLinear", "float8, 4-bit and blocked forms") { builder, call in
    try refuseBlocks(call)
    var element = try resultElement(builder, call, zeroPoint: 2)
    if let code = try call.attributes.integer("output_dtype"), code != 0 {
      guard let given = ElementType(onnx: Int32(clamping: code)) else {
        throw Diagnostic("it quantises to type \(code)")
      }
      element = given
    }
    let scale = try pairScale(builder, call)
    return [try builder.quantized(call.input(0), scale, to: element)]
  },
  .composed("DequantizeLinear", "float8, 4-bit and blocked forms") { builder, call in
    try refuseBlocks(call)
    let scale = try pairScale(builder, call)
    let real = try builder.dequantized(call.input(0), scale)
    var element = try builder.type(of: scale.scale).element
    if let code = try call.attributes.integer("output_dtype"), code != 0 {
      guard let given = ElementType(onnx: Int32(clamping: code)), given.isFloat else {
        throw Diagnostic("it dequantises to type \(code)")
      }
      element = given
    }
    return [try builder.cast(real, to: element)]
  },
  .composed("DynamicQuantizeLinear") { builder, call in
    let x = try call.input(0)
    let rank = try builder.type(of: x).rank
    let axes = Array(0..<rank)
    let zero = builder.known(scalar: 0)
    let low = try builder.node("Min", builder.folded(.minimum, x, axes, keeps: false), zero)
    let high = try builder.node("Max", builder.folded(.maximum, x, axes, keeps: false), zero)
    let range = try builder.node("Div", builder.node("Sub", high, low), builder.known(scalar: 255))
    // Of nothing but zeros any scale will do.
    let isEmpty = try builder.node("Equal", range, zero)
    let scale = try builder.node("Where", isEmpty, builder.known(scalar: 1), range)
    let offset = try builder.node("Round", builder.node("Div", builder.node("Neg", low), scale))
    let clipped = try builder.node("Clip", offset, builder.known(scalar: 0), builder.known(scalar: 255))
    let zeroPoint = try builder.cast(clipped, to: .u8)
    let integers = try builder.quantized(x, ImportedScale(scale, zeroPoint), to: .u8)
    return [integers, scale, zeroPoint]
  },
  .composed("QLinearConv") { builder, call in
    var weight = try ImportedScale(call, 4)
    weight.axis = 0
    let x = try builder.dequantized(call.input(0), ImportedScale(call, 1))
    let filters = try builder.dequantized(call.input(3), weight)
    var inputs: [ImportedValue?] = [x, filters]
    if call.has(8) {
      let scales = try builder.node("Mul", builder.shaped(ImportedScale(call, 1).scale, [1]), weight.scale)
      var scale = ImportedScale(scales, nil)
      scale.axis = 0
      inputs.append(try builder.dequantized(call.input(8), scale))
    }
    let result = try builder.nodes("Conv", inputs, windowAttributes(call))[0]
    return [try builder.quantized(result, ImportedScale(call, 6), to: resultElement(builder, call, zeroPoint: 7))]
  },
  .composed("QLinearMatMul") { builder, call in
    let (a, b) = (try builder.type(of: call.input(0)), try builder.type(of: call.input(3)))
    let left = try builder.dequantized(call.input(0), ImportedScale(call, 1, axis: max(0, a.rank - 2)))
    let right = try builder.dequantized(call.input(3), ImportedScale(call, 4, axis: max(0, b.rank - 1)))
    let result = try builder.node("MatMul", left, right)
    return [try builder.quantized(result, ImportedScale(call, 6), to: resultElement(builder, call, zeroPoint: 7))]
  },
  .composed("ConvInteger") { builder, call in
    let x = try spatial(builder, call)
    let weight = try builder.type(of: call.input(1))
    guard weight.rank == x.rank else { throw Diagnostic("its weight is \(weight); it must be of rank \(x.rank)") }
    let window = try Window(padded: call, kernel: Array(weight.shape[2...]), over: Array(x.shape[2...]))
    if let given = try call.attributes.integers("kernel_shape"), given != window.kernel {
      throw Diagnostic("its 'kernel_shape' is \(given), and its weight \(weight)")
    }
    let image = try builder.difference(call.input(0), call.has(2) ? call.input(2) : nil, along: nil)
    let filters = try builder.difference(call.input(1), call.has(3) ? call.input(3) : nil, along: 0)
    return [
      try convolved(
        &builder, image, filters, bias: nil, window, groups: try call.attributes.integer("group") ?? 1)
    ]
  },
  .composed("MatMulInteger") { builder, call in
    let (a, b) = (try builder.type(of: call.input(0)), try builder.type(of: call.input(1)))
    let left = try builder.difference(call.input(0), call.has(2) ? call.input(2) : nil, along: max(0, a.rank - 2))
    let right = try builder.difference(call.input(1), call.has(3) ? call.input(3) : nil, along: max(0, b.rank - 1))
    return [try builder.node("MatMul", left, right)]
  },
  quantizedBinary("com.microsoft.QLinearAdd", as: "Add"),
  quantizedBinary("com.microsoft.QLinearMul", as: "Mul"),
  quantizedUnary("com.microsoft.QLinearSigmoid") { builder, _, x in try builder.node("Sigmoid", x) },
  quantizedUnary("com.microsoft.QLinearLeakyRelu") { builder, call, x in
    let slope = try call.attributes.float("alpha") ?? Double(Float(0.01))
    return try builder.node("LeakyRelu", x, attributes: [.float("alpha", slope)])
  },
  quantizedUnary("com.microsoft.QLinearSoftmax", "operator sets before 13") { builder, call, x in
    if let version = try call.attributes.integer("opset"), version < 13 {
      throw Diagnostic("it means the Softmax of operator set \(version), which flattens its operand")
    }
    return try builder.node("Softmax", x, attributes: passed(call, integers: ["axis"]))
  },
  quantizedUnary("com.microsoft.QLinearGlobalAveragePool", "channels last") { builder, call, x in
    try refuseChannelsLast(call)
    return try builder.node("GlobalAveragePool", x)
  },
  quantizedUnary("com.microsoft.QLinearAveragePool", "channels last") { builder, call, x in
    try refuseChannelsLast(call)
    return try builder.node("AveragePool", x, attributes: windowAttributes(call))
  },
  .composed("com.microsoft.QLinearConcat") { builder, call in
    let parts = try stride(from: 2, to: call.inputs.count, by: 3).map {
      try builder.dequantized(call.input($0), ImportedScale(call, $0 + 1))
    }
    if parts.isEmpty { throw Diagnostic("it joins nothing") }
    let joined = try builder.nodes("Concat", parts, passed(call, integers: ["axis"]))[0]
    return [try builder.quantized(joined, ImportedScale(call, 0), to: resultElement(builder, call, zeroPoint: 1))]
  },
  .composed("com.microsoft.QGemm") { builder, call in
    let isTransposed = try call.attributes.flag("transB") ?? false
    let a = try builder.dequantized(call.input(0), ImportedScale(call, 1))
    var weight = try ImportedScale(call, 4)
    weight.axis = isTransposed ? 0 : 1
    let b = try builder.dequantized(call.input(3), weight)
    var inputs: [ImportedValue?] = [a, b]
    let alpha = try call.attributes.float("alpha") ?? 1
    if call.has(6) {
      let one = try builder.node("Mul", builder.shaped(ImportedScale(call, 1).scale, [1]), weight.scale)
      let scales = try alpha == 1 ? one : builder.node("Mul", one, builder.number(alpha))
      let bias = try builder.type(of: call.input(6))
      var scale = ImportedScale(scales, nil)
      scale.axis = bias.rank - 1
      inputs.append(try builder.dequantized(call.input(6), scale))
    }
    let attributes =
      try passed(call, integers: ["transA"]) + [.integer("transB", isTransposed ? 1 : 0), .float("alpha", alpha)]
    let result = try builder.nodes("Gemm", inputs, attributes)[0]
    guard call.has(7) else { return [result] }
    return [try builder.quantized(result, ImportedScale(call, 7), to: resultElement(builder, call, zeroPoint: 8))]
  },
]
