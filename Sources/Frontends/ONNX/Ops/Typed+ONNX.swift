import IR

// Element-wise ops between element types, and what else is defined on integers and bools.

extension Floor: ONNXNodeOp { static let onnxType = "Floor" }
extension Ceiling: ONNXNodeOp { static let onnxType = "Ceil" }
extension Round: ONNXNodeOp { static let onnxType = "Round" }
extension Sign: ONNXNodeOp { static let onnxType = "Sign" }
extension Select: ONNXNodeOp { static let onnxType = "Where" }
extension IsNaN: ONNXNodeOp { static let onnxType = "IsNaN" }

extension IsInfinite: ONNXNodeOp {
  static let onnxType = "IsInf"
  var onnxAttributes: [Onnx_AttributeProto] {
    [.integer("detect_positive", positive ? 1 : 0), .integer("detect_negative", negative ? 1 : 0)]
  }
}

extension LogSoftmax: ONNXNodeOp {
  static let onnxType = "LogSoftmax"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("axis", axis)] }
}

extension Cast: ONNXNodeOp {
  static let onnxType = "Cast"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("to", element.onnx.rawValue)] }
}

extension Modulo: ONNXOp {
  /// `Mod` gives floats the dividend's sign only. For the divisor's sign the divisor is added if the signs differ.
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let rest = builder.add(
      "Mod", call.tensors, sign == .dividend || call.element.isFloat ? [.integer("fmod", 1)] : [])
    guard sign == .divisor, call.element.isFloat else { return [.tensor(rest)] }
    let divisor = call.tensor(1)
    let raised = builder.add("Add", [rest, divisor])
    let isOther = builder.add("Less", [builder.add("Mul", [rest, divisor]), builder.scalar(0, call.element)])
    return [.tensor(builder.add("Where", [isOther, raised, rest]))]
  }
}

extension Trigonometric: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let name = function.rawValue
    return [.tensor(builder.add(name.prefix(1).uppercased() + name.dropFirst(), call.tensors))]
  }
}

extension Comparison: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let type =
      switch relation {
      case .less: "Less"
      case .lessOrEqual: "LessOrEqual"
      case .equal, .notEqual: "Equal"
      case .greaterOrEqual: "GreaterOrEqual"
      case .greater: "Greater"
      }
    let holds = builder.add(type, call.tensors)
    return [.tensor(relation == .notEqual ? builder.add("Not", [holds]) : holds)]
  }
}

/// On the bits of integers only since operator set 18.
extension Bitwise: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    guard call.element == .bool else {
      throw Diagnostic("the bits of integers have no operator in set \(ONNXExporter.operatorSet)")
    }
    return [.tensor(builder.add(kind.rawValue.prefix(1).uppercased() + kind.rawValue.dropFirst(), call.tensors))]
  }
}

extension Not: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    guard call.element == .bool else {
      throw Diagnostic("the bits of integers have no operator in set \(ONNXExporter.operatorSet)")
    }
    return [.tensor(builder.add("Not", call.tensors))]
  }
}

extension Shift: ONNXNodeOp {
  static let onnxType = "BitShift"
  var onnxAttributes: [Onnx_AttributeProto] { [.string("direction", direction == .left ? "LEFT" : "RIGHT")] }
}

extension ArgReduce: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let attributes: [Onnx_AttributeProto] = [
      .integer("axis", axis), .integer("keepdims", keepDims ? 1 : 0), .integer("select_last_index", selectLast ? 1 : 0),
    ]
    return [.tensor(builder.add(kind == .maximum ? "ArgMax" : "ArgMin", call.tensors, attributes))]
  }
}

/// Cumulative products have an operator only since set 26, and as sums of logarithms they would not be exact.
extension Cumulate: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    guard kind == .sum else {
      throw Diagnostic("cumulative products have no operator in set \(ONNXExporter.operatorSet)")
    }
    let attributes: [Onnx_AttributeProto] = [
      .integer("exclusive", exclusive ? 1 : 0), .integer("reverse", reverse ? 1 : 0),
    ]
    let place = builder.scalar(Double(axis), .i64)
    return [.tensor(builder.add("CumSum", [call.tensor(0), place], attributes))]
  }
}

extension Broadcast: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    [.tensor(builder.add("Expand", [call.tensor(0), builder.integers(shape)]))]
  }
}
