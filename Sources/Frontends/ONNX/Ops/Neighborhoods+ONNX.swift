import IR

// Graph constructions. What a form says by itself is written by the form, the rest by the kind.

extension BuildNeighborhood: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    if let construction = construction as? any ONNXConstruction { return [try construction.export(&builder, call)] }
    guard let form = call.results[0].neighborhood?.form else { preconditionFailure("typing gives a neighbourhood") }
    let image = call.type(0)
    switch form {
    case .offsets(let offsets): return [.offsets(offsets)]
    case .gatedOffsets(let offsets):
      guard let gate = construction.gate(height: image.shape[2], width: image.shape[3]) else { break }
      switch gate {
      case .nearInL1(let sample):
        return [nearInL1(&builder, call.tensor(0), image, offsets: offsets, sample: sample)]
      }
    case .indices, .incidence: break
    }
    throw Diagnostic("graphs of the kind \(construction.kind) are not exported")
  }

  /// `OffsetGate.nearInL1`.
  private func nearInL1(
    _ builder: inout ONNXBuilder, _ x: String, _ type: TensorType, offsets: [Offset], sample: Offset
  ) -> ONNXValue {
    // One pixel has no neighbours, and no deviation either.
    if offsets.isEmpty { return .gatedOffsets([], admitted: []) }
    func distance(_ offset: Offset) -> String {
      let difference = builder.add("Sub", [x, neighbor(&builder, x, type, offset)])
      return builder.fold("ReduceL1", difference, axes: [1])
    }
    let sampled = distance(sample)
    let mean = builder.fold("ReduceMean", sampled, axes: [2, 3])
    let squares = builder.fold("ReduceSumSquare", builder.add("Sub", [sampled, mean]), axes: [2, 3])
    let others = builder.scalar(Double(type.shape[2] * type.shape[3] - 1), type.element)
    let deviation = builder.add("Sqrt", [builder.add("Div", [squares, others])])
    let limit = builder.add("Sub", [mean, deviation])
    return .gatedOffsets(offsets, admitted: offsets.map { builder.add("Less", [distance($0), limit]) })
  }
}

/// What a roll brings to each pixel: its neighbour at an offset.
func neighbor(_ builder: inout ONNXBuilder, _ x: String, _ type: TensorType, _ offset: Offset) -> String {
  let down = builder.rolled(x, by: offset.dy, axis: 2, extent: type.shape[2])
  return builder.rolled(down, by: offset.dx, axis: 3, extent: type.shape[3])
}

/// `TopK` takes the lower index first where distances are equal, as the reference does.
extension KNN: ONNXConstruction {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> ONNXValue {
    let isOwn = call.operands.count == 1 || call.tensor(1) == call.tensor(0)
    let own = unitFeatures(&builder, call.tensor(0), call.type(0))
    let others = isOwn ? own : unitFeatures(&builder, call.tensor(1), call.type(1))
    let rows = builder.transpose(own, [0, 2, 1])
    // |a|^2 - 2 a b + |b|^2, [N, pixels, candidates].
    let products = builder.add("MatMul", [rows, others])
    let doubled = builder.add("Mul", [products, builder.scalar(2, call.element)])
    let difference = builder.add("Sub", [builder.fold("ReduceSumSquare", rows, axes: [2]), doubled])
    var distances = builder.add("Add", [difference, builder.fold("ReduceSumSquare", others, axes: [1])])
    if call.operands.count > 2 { distances = builder.add("Add", [distances, call.tensor(2)]) }
    let nearest = builder.add(
      "TopK", [distances, builder.integers([k * dilation])],
      [.integer("axis", 2), .integer("largest", 0), .integer("sorted", 1)], results: 2)
    if dilation == 1 { return .indices(nearest[1]) }
    return .indices(builder.slice(nearest[1], axis: 2, from: 0, to: k * dilation, step: dilation))
  }

  /// [N, C, pixels], the features of each pixel divided by their norm.
  private func unitFeatures(_ builder: inout ONNXBuilder, _ x: String, _ type: TensorType) -> String {
    let flat = builder.reshape(x, [type.shape[0], type.shape[1], type.shape[2] * type.shape[3]])
    let norm = builder.fold("ReduceL2", flat, axes: [1])
    return builder.add("Div", [flat, builder.add("Max", [norm, builder.scalar(Self.leastNorm, type.element)])])
  }
}
