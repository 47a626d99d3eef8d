import IR

// Quantised tensors: the pairs of QuantizeLinear and DequantizeLinear, and exact products.

extension Quantization {
  /// The scale and the zero point as constants, and the axis where there is one.
  fileprivate func export(
    _ builder: inout ONNXBuilder, _ element: ElementType
  ) throws -> (operands: [String], attributes: [Onnx_AttributeProto]) {
    // 16 bits only since operator set 21.
    guard [.i8, .u8, .i32].contains(element) else {
      throw Diagnostic("\(element.rawValue) is quantised by no operator in set \(ONNXExporter.operatorSet)")
    }
    let shape = axis == nil ? [] : [scales.count]
    let factor = TensorData(.f32, shape: shape, scales)
    let zero = TensorData(element, shape: shape, zeroPoints.map(Double.init))
    return (
      [builder.constant(factor, name: "scale"), builder.constant(zero, name: "zero_point")],
      axis.map { [.integer("axis", $0)] } ?? []
    )
  }
}

extension Quantize: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let (operands, attributes) = try quantization.export(&builder, element)
    return [.tensor(builder.add("QuantizeLinear", [call.tensor(0)] + operands, attributes))]
  }
}

extension Dequantize: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let (operands, attributes) = try quantization.export(&builder, call.element)
    return [.tensor(builder.add("DequantizeLinear", [call.tensor(0)] + operands, attributes))]
  }
}

extension IntegerConv2D: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    for place in 0..<2 where ![.i8, .u8].contains(call.type(place).element) {
      throw Diagnostic(
        "a convolution of \(call.type(place).element.rawValue) has no operator in ONNX; i8 and u8 have one")
    }
    let zero = builder.scalar(Double(zeroPoint), call.element)
    let sum = builder.add("ConvInteger", [call.tensor(0), call.tensor(1), zero], geometry.onnxAttributes)
    guard call.operands.count > 2 else { return [.tensor(sum)] }
    let column = builder.reshape(call.tensor(2), [call.type(2).count, 1, 1])
    return [.tensor(builder.add("Add", [sum, column]))]
  }
}
