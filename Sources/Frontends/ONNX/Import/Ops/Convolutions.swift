import IR

// Convolutions over any number of spatial axes, plain and transposed, as those of the graph.

/// A convolution over any number of spatial axes.
func convolved(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ weight: ImportedValue, bias: ImportedValue?, _ window: Window,
  groups: Int
) throws -> ImportedValue {
  let shape = try builder.type(of: x).shape
  let filters = try builder.type(of: weight).shape
  guard filters.count == shape.count else {
    throw Diagnostic(
      "its weight is \(try builder.type(of: weight)); it must be of rank \(shape.count), like its operand")
  }
  switch window.kernel.count {
  case 1:
    let signal = try builder.shaped(x, shape + [1])
    let own = try builder.shaped(weight, filters + [1])
    let result = try convolved(&builder, signal, own, bias: bias, window.withColumn, groups: groups)
    return try builder.shaped(result, try builder.type(of: result).shape.dropLast())
  case 2:
    let op = Conv2D(
      strides: window.strides, padding: window.padding, dilation: window.dilation, groups: groups)
    let operands = [x, weight] + (bias.map { [$0] } ?? [])
    let isReal = try builder.type(of: x).element.isFloat
    return try builder.apply(isReal ? op : IntegerConv2D(op, zeroPoint: 0), operands)
  default:
    if window.kernel[0] > 1 << 12 {
      throw Diagnostic("its window is \(window.kernel[0]) planes deep; at most \(1 << 12) are possible")
    }
    // The planes that a window sees become channels, and its places along the first axis images.
    guard let count = window.count(0, extent: shape[2], roundsUp: false) else {
      throw Diagnostic(
        "its window spans \(window.span(0)) elements, more than axis 2 of \(try builder.type(of: x)) has")
    }
    var before = [Int](repeating: 0, count: shape.count)
    var after = before
    before[2] = window.before[0]
    after[2] = window.after[0]
    let padded = try builder.bordered(x, before: before, after: after)
    let rest = Array(shape[3...])
    let taps = try (0..<window.kernel[0]).map { tap in
      let first = tap * window.dilation[0]
      let planes = try slicedAlong(
        &builder, padded, axis: 2, from: first, to: first + (count - 1) * window.strides[0] + 1,
        step: window.strides[0])
      return try builder.shaped(planes, [shape[0], shape[1], 1, count] + rest)
    }
    let stacked = try builder.joined(taps, along: 2)
    let moved = try builder.permuted(stacked, [0, 3, 1, 2] + rest.indices.map { $0 + 4 })
    let images = try builder.shaped(moved, [shape[0] * count, shape[1] * taps.count] + rest)
    let own = try builder.shaped(weight, [filters[0], filters[1] * taps.count] + filters[3...])
    let inner = window.along(Array(1..<window.kernel.count))
    let result = try convolved(&builder, images, own, bias: bias, inner, groups: groups)
    let size = Array(try builder.type(of: result).shape[2...])
    let split = try builder.shaped(result, [shape[0], count, filters[0]] + size)
    return try builder.permuted(split, [0, 2, 1] + size.indices.map { $0 + 3 })
  }
}

/// The transposed convolution: each element scatters the filters over the result. This equals a convolution by the
/// mirrored filters of the operand with zeros between its elements.
func transposedConvolution(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ weight: ImportedValue, bias: ImportedValue?, _ window: Window,
  groups: Int, outputPadding: [Int]
) throws -> ImportedValue {
  let shape = try builder.type(of: x).shape
  let filters = try builder.type(of: weight).shape
  guard filters.count == shape.count, groups >= 1, filters[0] == shape[1], filters[0] % groups == 0 else {
    throw Diagnostic(
      "its weight is \(try builder.type(of: weight)); it must be [\(shape[1]), outputs / \(groups), a size an axis]")
  }
  let axes = shape.indices.dropFirst(2)
  // [groups * inputs, outputs, ..] to [groups * outputs, inputs, ..], mirrored along each spatial axis.
  let (inputs, outputs) = (filters[0] / groups, filters[1])
  var own = try builder.shaped(weight, [groups, inputs, outputs] + filters[2...])
  own = try builder.permuted(own, [0, 2, 1] + axes.map { $0 + 1 })
  own = try builder.shaped(own, [groups * outputs, inputs] + filters[2...])
  var spread = x
  for axis in axes {
    own = try slicedAlong(&builder, own, axis: axis, from: filters[axis] - 1, to: -filters[axis] - 1, step: -1)
    let stride = window.strides[axis - 2]
    if stride == 1 { continue }
    var extents = try builder.type(of: spread).shape
    let extent = extents[axis]
    spread = try builder.shaped(spread, extents[...axis] + [1] + extents[(axis + 1)...])
    var after = [Int](repeating: 0, count: extents.count + 1)
    after[axis + 1] = stride - 1
    spread = try builder.bordered(spread, before: after.map { _ in 0 }, after: after)
    extents[axis] = extent * stride
    spread = try builder.shaped(spread, extents)
    spread = try slicedAlong(&builder, spread, axis: axis, from: 0, to: (extent - 1) * stride + 1, step: 1)
  }
  let before = axes.map { window.span($0 - 2) - 1 - window.before[$0 - 2] }
  let after = axes.map { window.span($0 - 2) - 1 - window.after[$0 - 2] + outputPadding[$0 - 2] }
  spread = try builder.bordered(spread, before: [0, 0] + before, after: [0, 0] + after)
  var plain = window
  plain.strides = window.strides.map { _ in 1 }
  plain.before = window.before.map { _ in 0 }
  plain.after = plain.before
  return try convolved(&builder, spread, own, bias: bias, plain, groups: groups)
}

/// The padding of a transposed convolution, from the size that its result is to have.
func transposedWindow(
  _ call: ImportCall, kernel: [Int], over spatial: [Int], outputPadding: [Int]
) throws -> Window {
  var window = try Window(call, kernel: kernel, over: spatial)
  let automatic = try call.attributes.string("auto_pad") ?? "NOTSET"
  guard ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].contains(automatic) else {
    throw Diagnostic("there is no 'auto_pad' of '\(automatic)'")
  }
  var sizes = try call.attributes.integers("output_shape")
  if let given = sizes, given.count == spatial.count + 2 { sizes = Array(given[2...]) }
  if sizes == nil, automatic.hasPrefix("SAME") { sizes = zip(spatial, window.strides).map { $0 * $1 } }
  if automatic == "VALID" {
    window.before = spatial.map { _ in 0 }
    window.after = window.before
  }
  guard let sizes else { return window }
  guard sizes.count == spatial.count else {
    throw Diagnostic("its 'output_shape' is \(sizes); it must be \(spatial.count) numbers, one a spatial axis")
  }
  for axis in spatial.indices {
    guard (1...1 << 31).contains(sizes[axis]) else { throw Diagnostic("its 'output_shape' is \(sizes)") }
    let whole = window.strides[axis] * (spatial[axis] - 1) + outputPadding[axis] + window.span(axis)
    // If the result is larger than the whole, zeros are added on the sides that padding would be taken from. If its
    // size is given, all of them come after it.
    let padding = whole - sizes[axis]
    let total = automatic.hasPrefix("SAME") ? padding : max(0, padding)
    let half = total >> 1
    window.before[axis] = automatic == "SAME_UPPER" ? half : total - half
    window.after[axis] = padding - window.before[axis]
  }
  return window
}
