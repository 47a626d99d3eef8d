import IR

/// The difference to each neighbour, and the maximum of all: by rolls where neighbours are at offsets, by a gather where
/// they have indices.
extension Aggregate: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    switch kind {
    case .maxRelative: [.tensor(maxRelative(&builder, call))]
    }
  }

  private func maxRelative(_ builder: inout ONNXBuilder, _ call: ONNXCall) -> String {
    let x = call.tensor(0)
    let type = call.type(0)
    switch call.operands[1] {
    case .offsets(let offsets):
      let differences = offsets.map { difference(&builder, x, neighbor(&builder, x, type, $0)) }
      return maximum(&builder, differences, type)
    case .gatedOffsets(let offsets, let admitted):
      let differences = zip(offsets, admitted).map { offset, isAdmitted in
        let value = difference(&builder, x, neighbor(&builder, x, type, offset))
        return builder.add("Where", [isAdmitted, value, builder.scalar(0, type.element)])
      }
      return maximum(&builder, differences, type)
    case .indices(let indices):
      let source = call.operands.count > 2 ? (call.tensor(2), call.type(2)) : (x, type)
      return gathered(&builder, x, type, indices, candidates: source.0, source.1, graph: call.types[1])
    case .incidence, .tensor: preconditionFailure("typing wants neighbours by offset or index")
    }
  }

  private func difference(_ builder: inout ONNXBuilder, _ own: String, _ neighbor: String) -> String {
    switch direction {
    case .selfMinusNeighbor: builder.add("Sub", [own, neighbor])
    case .neighborMinusSelf: builder.add("Sub", [neighbor, own])
    }
  }

  /// The maximum of some images and the start value.
  private func maximum(_ builder: inout ONNXBuilder, _ images: [String], _ type: TensorType) -> String {
    let first = start.map { builder.scalar($0, type.element) }
    if images.isEmpty, let first { return builder.add("Expand", [first, builder.integers(type.shape)]) }
    return builder.add("Max", images + (first.map { [$0] } ?? []))
  }

  private func gathered(
    _ builder: inout ONNXBuilder, _ x: String, _ type: TensorType, _ indices: String, candidates: String,
    _ candidateType: TensorType, graph: ValueType
  ) -> String {
    guard case .indices(let count, let total)? = graph.neighborhood?.form else {
      preconditionFailure("typing wants indices")
    }
    let (batch, channels, pixels) = (type.shape[0], type.shape[1], type.shape[2] * type.shape[3])
    let rows = builder.transpose(builder.reshape(candidates, [batch, channels, total]), [0, 2, 1])
    let flat = builder.reshape(indices, [batch, pixels * count, 1])
    let found = builder.add("GatherND", [rows, flat], [.integer("batch_dims", 1)])
    let neighbors = builder.reshape(found, [batch, pixels, count, channels])
    let own = builder.transpose(builder.reshape(x, [batch, channels, 1, pixels]), [0, 3, 2, 1])
    let differences = difference(&builder, own, neighbors)
    var greatest = builder.add("ReduceMax", [differences], [.integers("axes", [2]), .integer("keepdims", 0)])
    if let start { greatest = builder.add("Max", [greatest, builder.scalar(start, type.element)]) }
    return builder.reshape(builder.transpose(greatest, [0, 2, 1]), type.shape)
  }
}
