import IR

// Convolutions and pools: a window that slides over images.

/// The geometry that `Conv` and the pools share, in the words of the graph.
private struct Window {
  var kernel: [Int]
  var strides: [Int]
  /// Top, left, bottom, right.
  var padding: [Int]
  var dilation: [Int]

  init(_ call: ImportCall, kernel: [Int], over shape: [Int]) throws {
    func pair(_ name: String) throws -> [Int] {
      let values = try call.attributes.integers(name) ?? [1, 1]
      guard values.count == 2, values.allSatisfy({ (1...1 << 24).contains($0) }) else {
        throw Diagnostic("its '\(name)' is \(values); it must be two positive numbers")
      }
      return values
    }
    self.kernel = kernel
    strides = try pair("strides")
    dilation = try pair("dilations")
    padding = try call.attributes.integers("pads") ?? [0, 0, 0, 0]
    guard padding.count == 4, padding.allSatisfy({ (0...1 << 24).contains($0) }) else {
      throw Diagnostic("its 'pads' are \(padding); they must be four numbers, none of them negative")
    }
    guard kernel.count == 2, kernel.allSatisfy({ (1...1 << 24).contains($0) }) else {
      throw Diagnostic("its kernel is \(kernel); it must be two positive numbers")
    }
    let automatic = try call.attributes.string("auto_pad") ?? "NOTSET"
    switch automatic {
    case "NOTSET": break
    case "VALID": padding = [0, 0, 0, 0]
    case "SAME_UPPER", "SAME_LOWER":
      for axis in 0..<2 {
        let extent = shape[axis + 2]
        let count = (extent + strides[axis] - 1) / strides[axis]
        let span = dilation[axis] * (kernel[axis] - 1) + 1
        let total = max(0, (count - 1) * strides[axis] + span - extent)
        let less = total / 2
        padding[axis] = automatic == "SAME_UPPER" ? less : total - less
        padding[axis + 2] = total - padding[axis]
      }
    default: throw Diagnostic("there is no 'auto_pad' of '\(automatic)'")
    }
  }
}

/// The type of an operand that must be images; `what` says what else there is.
private func images(_ builder: ImportBuilder, _ call: ImportCall) throws -> TensorType {
  let x = try builder.type(of: call.input(0))
  guard x.rank == 4 else {
    throw Diagnostic("it runs over a tensor of rank \(x.rank); only images, of rank 4, are supported")
  }
  return x
}

private func pool(_ builder: ImportBuilder, _ call: ImportCall) throws -> (window: Window, roundsUp: Bool) {
  let x = try images(builder, call)
  guard let kernel = try call.attributes.integers("kernel_shape") else { throw Diagnostic("it has no 'kernel_shape'") }
  return (try Window(call, kernel: kernel, over: x.shape), try call.attributes.flag("ceil_mode") ?? false)
}

let windowOperators: [ImportedOperator] = [
  ImportedOperator("Conv", "signals and volumes (one or three spatial axes)") { builder, call in
    let x = try images(builder, call)
    let weight = try builder.type(of: call.input(1))
    guard weight.rank == 4 else { throw Diagnostic("its weight is \(weight); it must be of rank 4") }
    let kernel = Array(weight.shape[2...])
    if let given = try call.attributes.integers("kernel_shape"), given != kernel {
      throw Diagnostic("its 'kernel_shape' is \(given), and its weight \(weight)")
    }
    let window = try Window(call, kernel: kernel, over: x.shape)
    let op = Conv2D(
      strides: window.strides, padding: window.padding, dilation: window.dilation,
      groups: try call.attributes.integer("group") ?? 1)
    let operands = try [call.input(0), call.input(1)] + (call.has(2) ? [call.input(2)] : [])
    return [try builder.apply(op, operands)]
  },
  ImportedOperator("MaxPool", "the indices; column-major order") { builder, call in
    try call.requireOneOutput()
    if try call.attributes.integer("storage_order") ?? 0 != 0 { throw Diagnostic("its order is column-major") }
    let (window, roundsUp) = try pool(builder, call)
    let op = MaxPool(
      kernel: window.kernel, strides: window.strides, padding: window.padding, dilation: window.dilation,
      ceilMode: roundsUp)
    return [try builder.apply(op, [call.input(0)])]
  },
  ImportedOperator("AveragePool", "dilations") { builder, call in
    let counts = try call.attributes.flag("count_include_pad") ?? false
    let (window, roundsUp) = try pool(builder, call)
    if window.dilation != [1, 1] { throw Diagnostic("its window is dilated by \(window.dilation)") }
    let op = AveragePool(
      kernel: window.kernel, strides: window.strides, padding: window.padding, countIncludePad: counts,
      ceilMode: roundsUp)
    return [try builder.apply(op, [call.input(0)])]
  },
  ImportedOperator("GlobalAveragePool", "signals and volumes") { builder, call in
    _ = try images(builder, call)
    return [try builder.apply(GlobalAveragePool(), [call.input(0)])]
  },
  ImportedOperator("GlobalMaxPool", "signals and volumes") { builder, call in
    _ = try images(builder, call)
    return [try builder.apply(Reduce(kind: .maximum, axes: [2, 3], keepDims: true), [call.input(0)])]
  },
]
