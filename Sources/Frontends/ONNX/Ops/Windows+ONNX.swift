import IR

// Convolutions and pools: a window that slides over images.

extension Conv2D: ONNXNodeOp {
  static let onnxType = "Conv"
  /// The padding is in ONNX's own order: top, left, bottom, right.
  var onnxAttributes: [Onnx_AttributeProto] {
    [
      .integers("strides", strides), .integers("pads", padding), .integers("dilations", dilation),
      .integer("group", groups),
    ]
  }
}

extension GlobalAveragePool: ONNXNodeOp { static let onnxType = "GlobalAveragePool" }

/// An output size that is rounded up becomes padding at the end: what `ceil_mode` means differs between versions of ONNX
/// and between runtimes.
private func overhang(_ input: TensorType, _ output: TensorType, span: [Int], strides: [Int], padding: [Int]) -> [Int] {
  (0..<2).map { axis in
    let padded = padding[axis] + input.shape[axis + 2] + padding[axis + 2]
    return max(0, (output.shape[axis + 2] - 1) * strides[axis] + span[axis] - padded)
  }
}

extension AveragePool: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let over = overhang(call.type(0), call.result, span: kernel, strides: strides, padding: padding)
    var x = call.tensor(0)
    var pads = [padding[0], padding[1], padding[2] + over[0], padding[3] + over[1]]
    var counts = countIncludePad
    if countIncludePad && over != [0, 0] {
      // The padding counts and the overhang does not: so the padding becomes part of the image.
      if padding != [0, 0, 0, 0] {
        let border = builder.integers([0, 0, padding[0], padding[1], 0, 0, padding[2], padding[3]])
        x = builder.add("Pad", [x, border, builder.scalar(0, call.element)], [.string("mode", "constant")])
      }
      pads = [0, 0] + over
      counts = false
    }
    let attributes: [Onnx_AttributeProto] = [
      .integers("kernel_shape", kernel), .integers("strides", strides), .integers("pads", pads),
      .integer("count_include_pad", counts ? 1 : 0),
    ]
    return [.tensor(builder.add("AveragePool", [x], attributes))]
  }
}

extension MaxPool: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let span = (0..<2).map { dilation[$0] * (kernel[$0] - 1) + 1 }
    let over = overhang(call.type(0), call.result, span: span, strides: strides, padding: padding)
    var pads = [padding[0], padding[1], padding[2] + over[0], padding[3] + over[1]]
    var x = call.tensor(0)
    // Runtimes refuse padding of a whole kernel, which a dilated window may well have.
    if (0..<4).contains(where: { pads[$0] >= kernel[$0 % 2] }) {
      let border = builder.integers([0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]])
      x = builder.add("Pad", [x, border, builder.scalar(-.infinity, call.element)], [.string("mode", "constant")])
      pads = [0, 0, 0, 0]
    }
    let attributes: [Onnx_AttributeProto] = [
      .integers("kernel_shape", kernel), .integers("strides", strides), .integers("pads", pads),
      .integers("dilations", dilation),
    ]
    return [.tensor(builder.add("MaxPool", [x], attributes))]
  }
}
