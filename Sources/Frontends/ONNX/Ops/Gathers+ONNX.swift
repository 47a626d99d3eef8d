import IR

// Ops that read at places that data says, and the one that finds such places.

extension Gather: ONNXNodeOp {
  static let onnxType = "Gather"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("axis", axis)] }
}

extension GatherElements: ONNXNodeOp {
  static let onnxType = "GatherElements"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("axis", axis)] }
}

extension GatherND: ONNXNodeOp {
  static let onnxType = "GatherND"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("batch_dims", batchDims)] }
}

extension TopK: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let attributes: [Onnx_AttributeProto] = [
      .integer("axis", axis), .integer("largest", largest ? 1 : 0), .integer("sorted", 1),
    ]
    return builder.add("TopK", [call.tensor(0), builder.integers([k])], attributes, results: 2).map { .tensor($0) }
  }
}
