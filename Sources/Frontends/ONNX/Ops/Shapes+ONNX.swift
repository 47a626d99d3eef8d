import IR

// Ops that only move elements.

extension Concat: ONNXNodeOp {
  static let onnxType = "Concat"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("axis", axis)] }
}

extension Transpose: ONNXNodeOp {
  static let onnxType = "Transpose"
  var onnxAttributes: [Onnx_AttributeProto] { [.integers("perm", permutation)] }
}

extension Reshape: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    [.tensor(builder.reshape(call.tensor(0), call.result.shape))]
  }
}

extension Slice: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let parameters = [starts, ends, axes, steps].map { builder.integers($0) }
    return [.tensor(builder.add("Slice", call.tensors + parameters))]
  }
}

extension Pad: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    if mode == .wrap { throw Diagnostic("padding that wraps has no operator in set \(ONNXExporter.operatorSet)") }
    let border = builder.integers(before + after)
    let fill = mode == .constant ? [builder.scalar(value, call.element)] : []
    let attributes: [Onnx_AttributeProto] = [.string("mode", mode.rawValue)]
    return [.tensor(builder.add("Pad", [call.tensor(0), border] + fill, attributes))]
  }
}

extension Roll: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let shape = call.type(0).shape
    var x = call.tensor(0)
    for (shift, axis) in zip(shifts, axes) {
      let axis = axis < 0 ? axis + shape.count : axis
      x = builder.rolled(x, by: shift, axis: axis, extent: shape[axis])
    }
    return [.tensor(x)]
  }
}
