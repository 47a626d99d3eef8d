import IR

// Ops that read or write at places that are computed.

/// Written as `Gather` at known places, and a weighted sum of what is gathered.
extension Resample: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let shape = call.type(0).shape
    let axis = axis < 0 ? axis + shape.count : axis
    let taps = call.tensors.count > 1 ? call.type(1).shape[1] : 1
    let places = (0..<size).flatMap { place in
      (0..<taps).map { tap in
        Int64(min(max(floorDivide(step * place + start, divisor) + tap, 0), shape[axis] - 1))
      }
    }
    let extents = call.tensors.count > 1 ? [size, taps] : [size]
    let data = TensorData(encoding: Tensor<Double>(element: .i64, shape: extents, integer: places))
    let indices = builder.constant(data, name: "i64.places")
    let gathered = builder.add("Gather", [call.tensor(0), indices], [.integer("axis", axis)])
    if call.tensors.count == 1 { return [.tensor(gathered)] }
    let weights = builder.reshape(call.tensor(1), extents + shape[(axis + 1)...].map { _ in 1 })
    let products = builder.add("Mul", [gathered, weights])
    return [
      .tensor(builder.add("ReduceSum", [products, builder.integers([axis + 1])], [.integer("keepdims", 0)]))
    ]
  }
}

extension GridSample: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    if call.type(0).rank != 4 {
      throw Diagnostic("\(Self.mnemonic) of \(call.type(0)) has no ONNX in operator set 17, only images have")
    }
    let modes: [Mode: String] = [.nearest: "nearest", .linear: "bilinear", .cubic: "bicubic"]
    return [
      .tensor(
        builder.add(
          "GridSample", call.tensors,
          [
            .string("mode", modes[mode] ?? mode.rawValue), .string("padding_mode", padding.rawValue),
            .integer("align_corners", alignCorners ? 1 : 0),
          ]))
    ]
  }
}

/// The second result of `MaxPool`.
extension ArgMaxPool: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let shape = call.type(0).shape
    let axes = kernel.count
    // The overhang of a size that is rounded up becomes padding, as for the other pools.
    let pads = padding.enumerated().map { place, width -> Int in
      guard place >= axes else { return width }
      let axis = place - axes
      let span = (call.result.shape[axis + 2] - 1) * strides[axis] + dilation[axis] * (kernel[axis] - 1) + 1
      return width + max(0, span - padding[axis] - shape[axis + 2] - width)
    }
    let results = builder.add(
      "MaxPool", call.tensors,
      [
        .integers("kernel_shape", kernel), .integers("strides", strides), .integers("pads", pads),
        .integers("dilations", dilation), .integer("storage_order", columnMajor ? 1 : 0),
      ], results: 2)
    return [.tensor(results[1])]
  }
}

extension ScatterReduction {
  /// As operator set 17 defines it.
  fileprivate func attribute(_ mnemonic: String) throws -> Onnx_AttributeProto {
    switch self {
    case .replace: return .string("reduction", "none")
    case .add, .multiply: return .string("reduction", rawValue)
    case .maximum, .minimum:
      throw Diagnostic("\(mnemonic) with the reduction '\(rawValue)' has no ONNX in operator set 17")
    }
  }
}

extension ScatterElements: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let attributes = [Onnx_AttributeProto.integer("axis", axis), try reduction.attribute(Self.mnemonic)]
    return [.tensor(builder.add("ScatterElements", call.tensors, attributes))]
  }
}

extension ScatterND: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    [.tensor(builder.add("ScatterND", call.tensors, [try reduction.attribute(Self.mnemonic)]))]
  }
}
