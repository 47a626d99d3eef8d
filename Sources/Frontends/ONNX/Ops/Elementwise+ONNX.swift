import Foundation
import IR

// Element-wise ops: most are one node.

extension Absolute: ONNXNodeOp { static let onnxType = "Abs" }
extension Add: ONNXNodeOp { static let onnxType = "Add" }
extension Divide: ONNXNodeOp { static let onnxType = "Div" }
extension Erf: ONNXNodeOp { static let onnxType = "Erf" }
extension Exp: ONNXNodeOp { static let onnxType = "Exp" }
extension HardSwish: ONNXNodeOp { static let onnxType = "HardSwish" }
extension Log: ONNXNodeOp { static let onnxType = "Log" }
extension Maximum: ONNXNodeOp { static let onnxType = "Max" }
extension Minimum: ONNXNodeOp { static let onnxType = "Min" }
extension Multiply: ONNXNodeOp { static let onnxType = "Mul" }
extension Negate: ONNXNodeOp { static let onnxType = "Neg" }
extension Power: ONNXNodeOp { static let onnxType = "Pow" }
extension Reciprocal: ONNXNodeOp { static let onnxType = "Reciprocal" }
extension Relu: ONNXNodeOp { static let onnxType = "Relu" }
extension Sigmoid: ONNXNodeOp { static let onnxType = "Sigmoid" }
extension Softplus: ONNXNodeOp { static let onnxType = "Softplus" }
extension Sqrt: ONNXNodeOp { static let onnxType = "Sqrt" }
extension Subtract: ONNXNodeOp { static let onnxType = "Sub" }
extension Tanh: ONNXNodeOp { static let onnxType = "Tanh" }

extension Elu: ONNXNodeOp {
  static let onnxType = "Elu"
  var onnxAttributes: [Onnx_AttributeProto] { [.float("alpha", alpha)] }
}

extension HardSigmoid: ONNXNodeOp {
  static let onnxType = "HardSigmoid"
  var onnxAttributes: [Onnx_AttributeProto] { [.float("alpha", alpha), .float("beta", beta)] }
}

extension LeakyRelu: ONNXNodeOp {
  static let onnxType = "LeakyRelu"
  var onnxAttributes: [Onnx_AttributeProto] { [.float("alpha", slope)] }
}

extension Relu6: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let bounds = [builder.scalar(0, call.element), builder.scalar(6, call.element)]
    return [.tensor(builder.add("Clip", call.tensors + bounds))]
  }
}

extension Silu: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let x = call.tensor(0)
    return [.tensor(builder.add("Mul", [x, builder.add("Sigmoid", [x])]))]
  }
}

/// Written with `Erf` and `Tanh`: ONNX has a `Gelu` only since operator set 20, which many runtimes do not know.
extension Gelu: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let x = call.tensor(0)
    func scalar(_ value: Double) -> String { builder.scalar(value, call.element) }
    let inner: String
    switch approximation {
    case .none:
      inner = builder.add("Erf", [builder.add("Div", [x, scalar(2.0.squareRoot())])])
    case .tanh:
      let cube = builder.add("Mul", [builder.add("Mul", [x, x]), x])
      let sum = builder.add("Add", [x, builder.add("Mul", [cube, scalar(0.044715)])])
      inner = builder.add("Tanh", [builder.add("Mul", [sum, scalar((2 / Double.pi).squareRoot())])])
    }
    let doubled = builder.add("Mul", [x, builder.add("Add", [inner, scalar(1)])])
    return [.tensor(builder.add("Mul", [doubled, scalar(0.5)]))]
  }
}
