import IR

/// An op that says how it is written in ONNX. One line for an op that ONNX has; see `Ops/`, a file a group.
protocol ONNXOp: Op {
  /// Adds the nodes that compute the op, and returns what stands for each of its results.
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue]
}

/// An op of one result that is one node over its operands.
protocol ONNXNodeOp: ONNXOp {
  static var onnxType: String { get }
  var onnxAttributes: [Onnx_AttributeProto] { get }
}

extension ONNXNodeOp {
  var onnxAttributes: [Onnx_AttributeProto] { [] }

  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    [.tensor(builder.add(Self.onnxType, call.tensors, onnxAttributes))]
  }
}

/// A kind of graph construction that says how its graphs are computed in ONNX. A kind whose form says everything, or
/// whose gate is one of `OffsetGate`, needs only to conform.
protocol ONNXConstruction: GraphConstruction {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> ONNXValue
}

/// What represents a value of the graph; tensors are represented by their names.
enum ONNXValue {
  case tensor(String)
  /// Known without computing anything.
  case offsets([Offset])
  /// For each offset whether a pixel admits it, bool [N, 1, H, W].
  case gatedOffsets([Offset], admitted: [String])
  /// int64 [N, H * W, count], each the index of a candidate.
  case indices(String)
  /// 0 or 1 for each pixel and hyperedge, [N, H * W, hyperedges]: whether the pixel is a member, and whether it reads
  /// the hyperedge.
  case incidence(members: String, reads: String)
}

/// The operands of an op that is written, and the types around it.
struct ONNXCall {
  var operands: [ONNXValue]
  var types: [ValueType]
  var results: [ValueType]

  /// The names of all operands, which are tensors.
  var tensors: [String] { operands.indices.map(tensor) }

  func tensor(_ index: Int) -> String {
    guard case .tensor(let name) = operands[index] else { preconditionFailure("typing wants a tensor") }
    return name
  }

  func type(_ index: Int) -> TensorType {
    guard let type = types[index].tensor else { preconditionFailure("typing wants a tensor") }
    return type
  }

  /// The type of the one result, a tensor.
  var result: TensorType {
    guard let type = results[0].tensor else { preconditionFailure("typing gives a tensor") }
    return type
  }

  /// The element type of the first operand, which an op's scalars have too.
  var element: ElementType { type(0).element }
}
