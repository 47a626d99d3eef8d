import IR

/// A convolution over the edges of a graph, between the two pointwise ones of a dynamic grapher, as the published code of
/// ViG offers them (`gcn_lib/torch_vertex.py` of huawei-noah/Efficient-AI-Backbones). x is the image the graph is over, y
/// the candidates; `nn` are pointwise convolutions, each with batch norm and activation.
enum GraphConvolution: Sendable {
  /// nn of x and an aggregate in turn, channel by channel.
  case interleaved(Aggregate)
  /// The maximum over neighbours of nn([x_i, y_j - x_i]).
  case edge
  /// nn2 of [x, the maximum over neighbours of nn1(y_j)].
  case sage
  /// nn of (1 + eps) x plus the sum over neighbours.
  case gin

  private static let published: [String: GraphConvolution] = ["edge": .edge, "sage": .sage, "gin": .gin]

  /// Reads the mapping `aggregation`.
  init(_ reader: SpecReader) throws {
    let kinds = Aggregate.Kind.allCases.map(\.rawValue) + Self.published.keys.sorted()
    let kind = try reader.attributes("aggregation").lazy.compactMap { attribute -> String? in
      guard attribute.name == "kind", case .string(let kind) = attribute.value else { return nil }
      return kind
    }.first
    guard let kind, kinds.contains(kind) else {
      let place = try reader.node("aggregation", "a mapping")
      throw place.problem("the 'kind' of 'aggregation' must be one of \(kinds.joined(separator: ", "))")
    }
    self = try reader.op("aggregation") { attributes in
      guard let published = Self.published[kind] else { return .interleaved(try Aggregate(&attributes)) }
      _ = try attributes.string("kind")
      return published
    }
  }

  /// Declares the weights of the published module at `path`, from `channels` to `hidden`.
  func declare(
    _ builder: inout ModelBuilder, _ path: String, from channels: Int, to hidden: Int, groups: Int
  ) throws {
    func convolution(_ name: String, from channels: Int, to width: Int) throws {
      try builder.declareConvolution("\(path).\(name).0", from: channels, to: width, groups: groups)
      try builder.declareNorm("\(path).\(name).1", channels: width)
    }
    switch self {
    case .interleaved, .edge: try convolution("nn", from: 2 * channels, to: hidden)
    case .sage:
      try convolution("nn1", from: channels, to: channels)
      try convolution("nn2", from: 2 * channels, to: hidden)
    case .gin:
      try builder.declare(WeightEntry("\(path).eps", [1]))
      try convolution("nn", from: channels, to: hidden)
    }
  }

  /// - Parameters:
  ///   - candidates: What the graph's neighbours are pixels of, if that is not `x`.
  ///   - layer: The module that holds the one at `path`.
  func build(
    _ builder: inout ModelBuilder, _ x: ValueID, graph: ValueID, candidates: ValueID?, path: String, groups: Int,
    activation: Activation, layer: String
  ) throws -> ValueID {
    func convolution(_ builder: inout ModelBuilder, _ value: ValueID, _ name: String) throws -> ValueID {
      let result = try builder.convolution(value, "\(path).\(name).0", groups: groups)
      return try builder.activation(
        builder.norm(result, "\(path).\(name).1"), activation, layer: "\(path).\(name).2")
    }
    let others = candidates.map { [$0] } ?? []
    switch self {
    case .interleaved(let aggregation):
      let aggregated = try builder.add(aggregation, [x, graph] + others, layer: layer)
      let joined = try interleaved(&builder, x, aggregated, layer: layer)
      return try convolution(&builder, joined, "nn")
    case .edge:
      let shape = builder.graph.tensorType(of: x).shape
      let edges = try builder.add(EdgeFeatures(), [x, graph] + others, layer: layer)
      let values = try convolution(&builder, edges, "nn")
      let most = try builder.add(Reduce(kind: .maximum, axes: [3], keepDims: true), [values], layer: layer)
      let image = [shape[0], builder.channels(of: most), shape[2], shape[3]]
      return try builder.add(Reshape(shape: image), [most], layer: layer)
    case .sage:
      // Convolving a neighbour's features gives the same as reading that neighbour in the convolved image.
      let values = try convolution(&builder, candidates ?? x, "nn1")
      let operands = candidates == nil ? [values, graph] : [x, graph, values]
      let most = try builder.add(Aggregate(.maximum), operands, layer: layer)
      let joined = try builder.add(Concat(axis: 1), [x, most], layer: layer)
      return try convolution(&builder, joined, "nn2")
    case .gin:
      let sum = try builder.add(Aggregate(.sum), [x, graph] + others, layer: layer)
      let factor = try builder.add(
        Add(), [builder.weight("\(path).eps", layer: layer), builder.scalar(1, layer: layer)], layer: layer)
      let own = try builder.add(Multiply(), [x, factor], layer: layer)
      let total = try builder.add(Add(), [own, sum], layer: layer)
      return try convolution(&builder, total, "nn")
    }
  }

  /// The channels of two images in turn.
  private func interleaved(
    _ builder: inout ModelBuilder, _ a: ValueID, _ b: ValueID, layer: String
  ) throws -> ValueID {
    let shape = builder.graph.tensorType(of: a).shape
    let apart = [shape[0], shape[1], 1, shape[2] * shape[3]]
    let parts = try [a, b].map { try builder.add(Reshape(shape: apart), [$0], layer: layer) }
    let joined = try builder.add(Concat(axis: 2), parts, layer: layer)
    return try builder.add(Reshape(shape: [shape[0], 2 * shape[1], shape[2], shape[3]]), [joined], layer: layer)
  }
}
