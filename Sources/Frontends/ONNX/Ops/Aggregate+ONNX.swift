import IR

/// Neighbours at offsets are read by rolls, neighbours by index by a gather. Then comes the maximum of the differences
/// to them, or their own maximum or sum.
extension Aggregate: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    switch kind {
    case .maxRelative: [.tensor(maxRelative(&builder, call))]
    case .maximum, .sum: [.tensor(folded(&builder, call))]
    }
  }

  /// The neighbours' features combined: rolled images, or rows of gathered neighbours.
  private func folded(_ builder: inout ONNXBuilder, _ call: ONNXCall) -> String {
    let type = call.type(0)
    switch call.neighbors(&builder) {
    case .images(let images): return builder.add(kind == .sum ? "Sum" : "Max", images)
    case .rows(let rows, count: _):
      let combined =
        kind == .sum ? builder.sum(rows, axes: [2]) : builder.fold("ReduceMax", rows, axes: [2])
      let flat = builder.reshape(combined, [type.shape[0], type.shape[2] * type.shape[3], type.shape[1]])
      return builder.reshape(builder.transpose(flat, [0, 2, 1]), type.shape)
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
      let source = call.operands.count > 2 ? call.tensor(2) : x
      return gathered(&builder, x, type, indices, candidates: source, graph: call.types[1])
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
    graph: ValueType
  ) -> String {
    let (batch, channels, pixels) = (type.shape[0], type.shape[1], type.shape[2] * type.shape[3])
    let (neighbors, _) = gatheredRows(&builder, type, indices, candidates: candidates, graph: graph)
    let own = builder.transpose(builder.reshape(x, [batch, channels, 1, pixels]), [0, 3, 2, 1])
    let differences = difference(&builder, own, neighbors)
    var greatest = builder.add("ReduceMax", [differences], [.integers("axes", [2]), .integer("keepdims", 0)])
    if let start { greatest = builder.add("Max", [greatest, builder.scalar(start, type.element)]) }
    return builder.reshape(builder.transpose(greatest, [0, 2, 1]), type.shape)
  }
}

/// A pixel's features beside the differences to its neighbours.
extension EdgeFeatures: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    let type = call.type(0)
    let (batch, channels, pixels) = (type.shape[0], type.shape[1], type.shape[2] * type.shape[3])
    let others: String
    let count: Int
    switch call.neighbors(&builder) {
    case .images(let images):
      let columns = images.map { builder.reshape($0, [batch, channels, pixels, 1]) }
      (others, count) = (builder.add("Concat", columns, [.integer("axis", 3)]), images.count)
    case .rows(let rows, let length): (others, count) = (builder.transpose(rows, [0, 3, 1, 2]), length)
    }
    let own = builder.reshape(call.tensor(0), [batch, channels, pixels, 1])
    let repeated = builder.add("Expand", [own, builder.integers([batch, channels, pixels, count])])
    let differences = builder.add("Sub", [others, own])
    return [.tensor(builder.add("Concat", [repeated, differences], [.integer("axis", 1)]))]
  }
}

/// What neighbours hold: an image for each offset, or rows [N, H * W, count, C] if they have indices.
private enum NeighborFeatures {
  case images([String])
  case rows(String, count: Int)
}

extension ONNXCall {
  /// The features of neighbours, for operands x, a graph without gates and, by index, candidates.
  fileprivate func neighbors(_ builder: inout ONNXBuilder) -> NeighborFeatures {
    switch operands[1] {
    case .offsets(let offsets):
      return .images(offsets.map { neighbor(&builder, tensor(0), type(0), $0) })
    case .indices(let indices):
      let candidates = operands.count > 2 ? tensor(2) : tensor(0)
      let (rows, count) = gatheredRows(&builder, type(0), indices, candidates: candidates, graph: types[1])
      return .rows(rows, count: count)
    case .gatedOffsets, .incidence, .tensor: preconditionFailure("typing wants as many neighbours for every pixel")
    }
  }
}

/// The candidates that indices name, [N, H * W, count, C] for an image of type `type`.
private func gatheredRows(
  _ builder: inout ONNXBuilder, _ type: TensorType, _ indices: String, candidates: String, graph: ValueType
) -> (rows: String, count: Int) {
  guard case .indices(let count, let total)? = graph.neighborhood?.form else {
    preconditionFailure("typing wants indices")
  }
  let (batch, channels, pixels) = (type.shape[0], type.shape[1], type.shape[2] * type.shape[3])
  let rows = builder.transpose(builder.reshape(candidates, [batch, channels, total]), [0, 2, 1])
  let flat = builder.reshape(indices, [batch, pixels * count, 1])
  let found = builder.add("GatherND", [rows, flat], [.integer("batch_dims", 1)])
  return (builder.reshape(found, [batch, pixels, count, channels]), count)
}
