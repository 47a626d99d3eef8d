@testable import Frontends

/// A node of a model that a test puts together, named after its first output.
func node(
  _ type: String, _ inputs: [String], _ outputs: [String], _ attributes: [Onnx_AttributeProto] = []
) -> Onnx_NodeProto {
  var node = Onnx_NodeProto()
  node.name = "n.\(outputs.first ?? "")"
  node.opType = type
  node.input = inputs
  node.output = outputs
  node.attribute = attributes
  return node
}
