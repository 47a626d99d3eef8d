import IR

// Convolutions and pools: a window that slides over the spatial axes of a tensor [N, C, D1, .., Dk].
//
// The graph's own windows run over images. Signals are images of one column. The window of a pool is split into one
// window an axis. A convolution of volumes becomes one of images whose channels are those of all planes a window sees.

/// The geometry that convolutions and pools share, an entry a spatial axis.
struct Window {
  var kernel: [Int]
  var strides: [Int]
  var before: [Int]
  var after: [Int]
  var dilation: [Int]

  /// From the attributes alone; `spatial` is the shape along the spatial axes.
  init(_ call: ImportCall, kernel: [Int], over spatial: [Int]) throws {
    func list(_ name: String) throws -> [Int] {
      let values = try call.attributes.integers(name) ?? spatial.map { _ in 1 }
      guard values.count == spatial.count, values.allSatisfy({ (1...1 << 24).contains($0) }) else {
        throw Diagnostic("its '\(name)' is \(values); it must be \(spatial.count) positive numbers, one a spatial axis")
      }
      return values
    }
    self.kernel = kernel
    strides = try list("strides")
    dilation = try list("dilations")
    let pads = try call.attributes.integers("pads") ?? (spatial + spatial).map { _ in 0 }
    guard pads.count == 2 * spatial.count, pads.allSatisfy({ (0...1 << 24).contains($0) }) else {
      throw Diagnostic("its 'pads' are \(pads); they must be \(2 * spatial.count) numbers, none of them negative")
    }
    before = Array(pads[..<spatial.count])
    after = Array(pads[spatial.count...])
    guard kernel.count == spatial.count, kernel.allSatisfy({ (1...1 << 24).contains($0) }) else {
      throw Diagnostic("its kernel is \(kernel); it must be \(spatial.count) positive numbers, one a spatial axis")
    }
  }

  /// With the padding that `auto_pad` asks for.
  init(padded call: ImportCall, kernel: [Int], over spatial: [Int]) throws {
    try self.init(call, kernel: kernel, over: spatial)
    let automatic = try call.attributes.string("auto_pad") ?? "NOTSET"
    switch automatic {
    case "NOTSET": break
    case "VALID":
      before = spatial.map { _ in 0 }
      after = before
    case "SAME_UPPER", "SAME_LOWER":
      for (axis, extent) in spatial.enumerated() {
        let count = (extent + strides[axis] - 1) / strides[axis]
        let total = max(0, (count - 1) * strides[axis] + span(axis) - extent)
        let less = total / 2
        before[axis] = automatic == "SAME_UPPER" ? less : total - less
        after[axis] = total - before[axis]
      }
    default: throw Diagnostic("there is no 'auto_pad' of '\(automatic)'")
    }
  }

  private init(kernel: [Int], strides: [Int], before: [Int], after: [Int], dilation: [Int]) {
    self.kernel = kernel
    self.strides = strides
    self.before = before
    self.after = after
    self.dilation = dilation
  }

  /// Elements from the first that a window sees along an axis to the last.
  func span(_ axis: Int) -> Int { dilation[axis] * (kernel[axis] - 1) + 1 }

  /// In the order of ops: before each axis, then after each.
  var padding: [Int] { before + after }

  /// The window along some of the axes, in their order.
  func along(_ axes: [Int]) -> Window {
    Window(
      kernel: axes.map { kernel[$0] }, strides: axes.map { strides[$0] }, before: axes.map { before[$0] },
      after: axes.map { after[$0] }, dilation: axes.map { dilation[$0] })
  }

  /// The same geometry with a last axis along which it does nothing.
  var withColumn: Window {
    Window(
      kernel: kernel + [1], strides: strides + [1], before: before + [0], after: after + [0], dilation: dilation + [1])
  }

  var isIdentity: Bool {
    kernel.allSatisfy { $0 == 1 } && strides.allSatisfy { $0 == 1 } && padding.allSatisfy { $0 == 0 }
  }

  /// How many places the window has along an axis of `extent`. A place that would begin after the axis and the padding
  /// before it does not count. Nil if the window does not fit.
  func count(_ axis: Int, extent: Int, roundsUp: Bool) -> Int? {
    let room = before[axis] + extent + after[axis] - span(axis)
    if room < 0 { return nil }
    if !roundsUp { return room / strides[axis] + 1 }
    let count = (room + strides[axis] - 1) / strides[axis] + 1
    return (count - 1) * strides[axis] >= extent + before[axis] ? count - 1 : count
  }
}

/// The type of an operand with spatial axes.
func spatial(_ builder: ImportBuilder, _ call: ImportCall) throws -> TensorType {
  let x = try builder.type(of: call.input(0))
  guard x.rank >= 3 else {
    throw Diagnostic("it runs over \(x); it must have images, channels and at least one spatial axis")
  }
  if x.count == 0 { throw Diagnostic("it runs over \(x), which is empty") }
  return x
}

private func pool(_ builder: ImportBuilder, _ call: ImportCall) throws -> (window: Window, roundsUp: Bool) {
  let x = try spatial(builder, call)
  guard let kernel = try call.attributes.integers("kernel_shape") else { throw Diagnostic("it has no 'kernel_shape'") }
  return (
    try Window(padded: call, kernel: kernel, over: Array(x.shape[2...])),
    try call.attributes.flag("ceil_mode") ?? false
  )
}

/// A pool whose window is split into one an axis, over images: the last two axes together, then each axis before them.
private func pooled(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ window: Window,
  _ images: (inout ImportBuilder, ImportedValue, Window) throws -> ImportedValue
) throws -> ImportedValue {
  let axes = window.kernel.count
  if axes == 2 { return try images(&builder, x, window) }
  var shape = try builder.type(of: x).shape
  var result = x
  let groups = axes == 1 ? [[0]] : [[axes - 2, axes - 1]] + (0..<(axes - 2)).reversed().map { [$0] }
  for group in groups {
    let part = window.along(group)
    if part.isIdentity { continue }
    let first = group[0] + 2
    let channels = shape[1..<first].reduce(1, *)
    let columns = shape[(first + 1)...].reduce(1, *)
    result = try builder.shaped(result, [shape[0], channels, shape[first], columns])
    result = try images(&builder, result, group.count == 2 ? part : part.withColumn)
    let size = try builder.type(of: result).shape
    shape[first] = size[2]
    if group.count == 2 { shape[first + 1] = size[3] }
    result = try builder.shaped(result, shape)
  }
  return result
}

/// The sums of windows over images; padding counts as zeros.
private func summed(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ window: Window, roundsUp: Bool
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  var window = window
  for axis in 0..<2 {
    let extent = type.shape[axis + 2]
    guard let count = window.count(axis, extent: extent, roundsUp: roundsUp) else {
      throw Diagnostic("its window spans \(window.span(axis)) elements, more than axis \(axis + 2) of \(type) has")
    }
    let padded = window.before[axis] + extent + window.after[axis]
    window.after[axis] += max(0, (count - 1) * window.strides[axis] + window.span(axis) - padded)
  }
  let shape = [type.shape[1], 1] + window.kernel
  let ones = builder.numbers(
    [Double](repeating: 1, count: try knownExtents(shape).reduce(1, *)), shape: shape, type.element)
  let op = Conv2D(
    strides: window.strides, padding: window.padding, dilation: window.dilation, groups: type.shape[1])
  return try builder.apply(op, [x, ones])
}

/// The means of windows over images, whose elements may lie apart.
private func averaged(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ window: Window, roundsUp: Bool, countsPadding: Bool
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  if window.dilation == [1, 1] {
    let op = AveragePool(
      kernel: window.kernel, strides: window.strides, padding: window.padding, countIncludePad: countsPadding,
      ceilMode: roundsUp)
    return try builder.apply(op, [x])
  }
  let sums = try summed(&builder, x, window, roundsUp: roundsUp)
  let size = try builder.type(of: sums).shape
  for axis in 0..<2 { _ = try knownExtents([size[axis + 2], window.kernel[axis]]) }
  _ = try knownExtents([size[2], size[3]])
  /// How many elements of a window at each place count, along one axis.
  func counts(_ axis: Int) -> [Double] {
    let extent = type.shape[axis + 2]
    let counted = countsPadding ? -window.before[axis]..<(extent + window.after[axis]) : 0..<extent
    return (0..<size[axis + 2]).map { place in
      let first = place * window.strides[axis] - window.before[axis]
      return Double((0..<window.kernel[axis]).filter { counted.contains(first + $0 * window.dilation[axis]) }.count)
    }
  }
  let (rows, columns) = (counts(0), counts(1))
  if (rows + columns).contains(0) { throw Diagnostic("a window of it sees nothing but padding") }
  let divisors = rows.flatMap { row in columns.map { row * $0 } }
  return try builder.node("Div", sums, builder.numbers(divisors, shape: [size[2], size[3]], type.element))
}

let windowOperators: [ImportedOperator] = [
  .composed("Conv") { builder, call in
    let x = try spatial(builder, call)
    let weight = try builder.type(of: call.input(1))
    guard weight.rank == x.rank else { throw Diagnostic("its weight is \(weight); it must be of rank \(x.rank)") }
    let kernel = Array(weight.shape[2...])
    if let given = try call.attributes.integers("kernel_shape"), given != kernel {
      throw Diagnostic("its 'kernel_shape' is \(given), and its weight \(weight)")
    }
    let window = try Window(padded: call, kernel: kernel, over: Array(x.shape[2...]))
    return [
      try convolved(
        &builder, call.input(0), call.input(1), bias: call.has(2) ? call.input(2) : nil, window,
        groups: try call.attributes.integer("group") ?? 1)
    ]
  },
  .composed("ConvTranspose") { builder, call in
    let x = try spatial(builder, call)
    let weight = try builder.type(of: call.input(1))
    guard weight.rank == x.rank else { throw Diagnostic("its weight is \(weight); it must be of rank \(x.rank)") }
    let kernel = Array(weight.shape[2...])
    if let given = try call.attributes.integers("kernel_shape"), given != kernel {
      throw Diagnostic("its 'kernel_shape' is \(given), and its weight \(weight)")
    }
    let spatial = Array(x.shape[2...])
    let outputPadding = try call.attributes.integers("output_padding") ?? spatial.map { _ in 0 }
    guard outputPadding.count == spatial.count, outputPadding.allSatisfy({ (0...1 << 24).contains($0) }) else {
      throw Diagnostic("its 'output_padding' is \(outputPadding); it must be \(spatial.count) numbers, none negative")
    }
    let window = try transposedWindow(call, kernel: kernel, over: spatial, outputPadding: outputPadding)
    return [
      try transposedConvolution(
        &builder, call.input(0), call.input(1), bias: call.has(2) ? call.input(2) : nil, window,
        groups: try call.attributes.integer("group") ?? 1, outputPadding: outputPadding)
    ]
  },
  .composed("MaxPool") { builder, call in
    let isColumnMajor = try call.attributes.integer("storage_order") ?? 0 != 0
    let (window, roundsUp) = try pool(builder, call)
    let element = try builder.type(of: call.input(0)).element
    // Small integers are exact as floats too. The maximum stands for what the elements stand for.
    let quantization = try builder.type(of: call.input(0)).quantization
    let plain = try builder.unquantized(call.input(0))
    let x = element.isFloat ? plain : try builder.cast(plain, to: .f32)
    let values = try pooled(&builder, x, window) { builder, x, window in
      let op = MaxPool(
        kernel: window.kernel, strides: window.strides, padding: window.padding, dilation: window.dilation,
        ceilMode: roundsUp)
      return try builder.apply(op, [x])
    }
    var result = element.isFloat ? values : try builder.cast(values, to: element)
    if let quantization {
      let real = try builder.apply(Dequantize(quantization), [result])
      result = try builder.apply(Quantize(to: element, quantization), [real])
    }
    guard call.hasOutput.count > 1, call.hasOutput[1] else { return [result] }
    let op = ArgMaxPool(
      kernel: window.kernel, strides: window.strides, padding: window.padding, dilation: window.dilation,
      ceilMode: roundsUp, columnMajor: isColumnMajor)
    return [result, try builder.apply(op, [x])]
  },
  .composed("AveragePool") { builder, call in
    let counts = try call.attributes.flag("count_include_pad") ?? false
    let (window, roundsUp) = try pool(builder, call)
    return [
      try pooled(&builder, call.input(0), window) { builder, x, window in
        try averaged(&builder, x, window, roundsUp: roundsUp, countsPadding: counts)
      }
    ]
  },
  .composed("LpPool") { builder, call in
    let (window, roundsUp) = try pool(builder, call)
    let power = Double(try call.attributes.integer("p") ?? 2)
    if power < 1 { throw Diagnostic("its 'p' is \(power); it must be positive") }
    let element = try builder.type(of: call.input(0)).element
    let powers = try raised(&builder, call.input(0), to: power)
    let sums = try pooled(&builder, powers, window) { builder, x, window in
      try summed(&builder, x, window, roundsUp: roundsUp)
    }
    return [try rooted(&builder, sums, power, element)]
  },
  .composed("GlobalAveragePool") { builder, call in
    let x = try spatial(builder, call)
    if x.rank == 4 { return [try builder.apply(GlobalAveragePool(), [call.input(0)])] }
    return [try builder.folded(.mean, call.input(0), Array(2..<x.rank))]
  },
  .composed("GlobalMaxPool") { builder, call in
    [try builder.folded(.maximum, call.input(0), Array(2..<spatial(builder, call).rank))]
  },
  .composed("GlobalLpPool") { builder, call in
    let x = try spatial(builder, call)
    let power = Double(try call.attributes.integer("p") ?? 2)
    if power < 1 { throw Diagnostic("its 'p' is \(power); it must be positive") }
    let powers = try raised(&builder, call.input(0), to: power)
    return [try rooted(&builder, builder.folded(.sum, powers, Array(2..<x.rank)), power, x.element)]
  },
  .composed("MaxUnpool") { builder, call in
    let x = try spatial(builder, call)
    guard let kernel = try call.attributes.integers("kernel_shape") else {
      throw Diagnostic("it has no 'kernel_shape'")
    }
    let window = try Window(call, kernel: kernel, over: Array(x.shape[2...]))
    let sizes = kernel.indices.map { axis in
      (x.shape[axis + 2] - 1) * window.strides[axis] - window.before[axis] - window.after[axis] + kernel[axis]
    }
    // If a shape is given, places are counted in it: it is the shape of the tensor that was pooled.
    let shape = try call.integers(2, "the output's shape") ?? Array(x.shape[..<2]) + sizes
    guard shape.count == x.rank, let count = product(shape), count <= KnownArithmetic.mostElements else {
      throw Diagnostic("its result would be \(shape)")
    }
    let zeros = builder.numbers([Double](repeating: 0, count: count), shape: [count], x.element)
    let indices = try builder.shaped(call.input(1), [x.count])
    let flat = try builder.apply(
      ScatterElements(axis: 0), [zeros, indices, builder.shaped(call.input(0), [x.count])])
    return [try builder.shaped(flat, shape)]
  },
  .composed("Col2Im") { builder, call in
    guard let image = try call.integers(1, "the image's shape"), let block = try call.integers(2, "the block's shape"),
      image.count == block.count, !image.isEmpty
    else { throw Diagnostic("it has no shapes of image and block, of one rank") }
    let x = try builder.type(of: call.input(0))
    let window = try Window(call, kernel: block, over: image)
    guard x.rank == 3, let size = product(block), x.shape[1] % size == 0 else {
      throw Diagnostic("it puts blocks \(block) out of \(x); it takes [N, channels * elements of a block, blocks]")
    }
    let counts = try block.indices.map { axis in
      guard let count = window.count(axis, extent: image[axis], roundsUp: false) else {
        throw Diagnostic("its blocks \(block) do not fit into \(image)")
      }
      return count
    }
    guard counts.reduce(1, *) == x.shape[2] else {
      throw Diagnostic("its operand has \(x.shape[2]) blocks, and \(counts.reduce(1, *)) fit into \(image)")
    }
    // A transposed convolution whose filters put each element of a block in its place.
    let channels = x.shape[1] / size
    _ = try knownExtents([channels, size, size])
    let filters = (0..<channels).flatMap { _ in
      (0..<size).flatMap { element in (0..<size).map { $0 == element ? 1.0 : 0.0 } }
    }
    let weight = builder.numbers(filters, shape: [channels * size, 1] + block, x.element)
    let blocks = try builder.shaped(call.input(0), Array(x.shape[..<2]) + counts)
    let left = block.indices.map { axis in
      image[axis] + window.before[axis] + window.after[axis] - window.span(axis)
        - (counts[axis] - 1) * window.strides[axis]
    }
    return [
      try transposedConvolution(
        &builder, blocks, weight, bias: nil, window, groups: channels, outputPadding: left)
    ]
  },
]

/// |x|^power.
private func raised(_ builder: inout ImportBuilder, _ x: ImportedValue, to power: Double) throws -> ImportedValue {
  let element = try builder.type(of: x).element
  if power == 2 { return try builder.node("Mul", x, x) }
  let magnitude = try builder.node("Abs", x)
  return power == 1 ? magnitude : try builder.node("Pow", magnitude, builder.number(power, element))
}

/// x^(1 / power).
private func rooted(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ power: Double, _ element: ElementType
) throws -> ImportedValue {
  if power == 1 { return x }
  if power == 2 { return try builder.node("Sqrt", x) }
  return try builder.node("Pow", x, builder.number(1 / power, element))
}

/// The number of elements of a shape; nil if it is not a shape, or has more elements than any network.
func product(_ shape: [Int]) -> Int? {
  var count = 1
  for extent in shape {
    guard extent >= 1, extent <= ImportBuilder.mostElements / count else { return nil }
    count *= extent
  }
  return count
}
