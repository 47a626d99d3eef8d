import IR

// Products, folds and norms.

extension MatMul: ONNXNodeOp { static let onnxType = "MatMul" }

extension BatchNorm: ONNXNodeOp {
  static let onnxType = "BatchNormalization"
  var onnxAttributes: [Onnx_AttributeProto] { [.float("epsilon", epsilon)] }
}

extension Softmax: ONNXNodeOp {
  static let onnxType = "Softmax"
  var onnxAttributes: [Onnx_AttributeProto] { [.integer("axis", axis)] }
}

extension Reduce: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let type =
      switch kind {
      case .sum: "ReduceSum"
      case .mean: "ReduceMean"
      case .maximum: "ReduceMax"
      case .minimum: "ReduceMin"
      case .l1: "ReduceL1"
      case .l2: "ReduceL2"
      case .product: "ReduceProd"
      case .sumOfSquares: "ReduceSumSquare"
      case .logSum: "ReduceLogSum"
      case .logSumExp: "ReduceLogSumExp"
      }
    let keeps = Onnx_AttributeProto.integer("keepdims", keepDims ? 1 : 0)
    // In this operator set only the sum takes its axes as an operand.
    switch kind {
    case .sum: return [.tensor(builder.add(type, [call.tensor(0), builder.integers(axes)], [keeps]))]
    case .mean, .maximum, .minimum, .l1, .l2, .product, .sumOfSquares, .logSum, .logSumExp:
      return [.tensor(builder.add(type, [call.tensor(0)], [.integers("axes", axes), keeps]))]
    }
  }
}

/// `LayerNormalization` runs over the last axes; other axes are moved there and back.
extension LayerNorm: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let shape = call.type(0).shape
    let inner = axes.map { $0 < 0 ? $0 + shape.count : $0 }.sorted()
    let order = shape.indices.filter { !inner.contains($0) } + inner
    let isMoved = order != Array(shape.indices)
    var x = call.tensor(0)
    if isMoved { x = builder.transpose(x, order) }
    var parameters = Array(call.tensors.dropFirst())
    if parameters.isEmpty {
      let extents = inner.map { shape[$0] }
      let ones = Tensor<Double>(call.element, shape: extents, [Double](repeating: 1, count: extents.reduce(1, *)))
      parameters = [builder.constant(TensorData(encoding: ones), name: "ones")]
    }
    x = builder.add(
      "LayerNormalization", [x] + parameters,
      [.integer("axis", shape.count - inner.count), .float("epsilon", epsilon)])
    if isMoved { x = builder.transpose(x, shape.indices.map { axis in order.firstIndex(of: axis) ?? axis }) }
    return [.tensor(x)]
  }
}
