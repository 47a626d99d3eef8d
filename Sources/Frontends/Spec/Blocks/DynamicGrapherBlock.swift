import IR

/// A graph convolution between two pointwise ones, added to the input, whose graph is built on the features themselves:
/// neighbours may come out of an average-pooled copy, distances may have relative positions added, and the convolution
/// over the graph is one of those that `GraphConvolution` lists.
struct DynamicGrapherBlock: BlockKind {
  static let kind = "dynamic_grapher"
  static let keys = [
    "construction", "aggregation", "reduction", "relative_positions", "expansion", "groups", "activation", "residual",
  ]

  private var construction: BuildNeighborhood
  private var aggregation: GraphConvolution
  private var reduction: Int
  private var hasRelativePositions: Bool
  private var expansion: Double
  private var groups: Int
  private var activation: Activation
  private var hasResidual: Bool

  init(_ reader: SpecReader) throws {
    construction = try reader.op("construction", BuildNeighborhood.init)
    aggregation = try GraphConvolution(reader)
    reduction = try reader.integer("reduction", in: 1...64, default: 1)
    hasRelativePositions = try reader.bool("relative_positions", default: false)
    expansion = try reader.positive("expansion", atMost: 64, default: 2)
    groups = try reader.integer("groups", in: 1...ModelBuilder.mostChannels, default: 1)
    activation = try reader.choice("activation", default: .gelu)
    hasResidual = try reader.bool("residual", default: true)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    let positions = "\(path).relative_pos"
    let graphPath = "\(path).graph_conv"
    let convolution = "\(graphPath).gconv"
    if hasRelativePositions { try builder.declareRelativePositions(positions, over: x, reduction: reduction) }
    try builder.declareConvolution("\(path).fc1.0", from: channels, to: channels)
    try builder.declareNorm("\(path).fc1.1", channels: channels)
    try aggregation.declare(&builder, convolution, from: channels, to: hidden, groups: groups)
    try builder.declareConvolution("\(path).fc2.0", from: hidden, to: channels)
    try builder.declareNorm("\(path).fc2.1", channels: channels)

    var value = try builder.convolution(x, "\(path).fc1.0")
    value = try builder.norm(value, "\(path).fc1.1")
    let candidates = try pooled(&builder, value, layer: graphPath)
    var data = candidates.map { [$0] } ?? []
    if hasRelativePositions {
      // Positions follow the candidates among the operands, so that without pooling those are x itself.
      data = [candidates ?? value, try builder.weight(positions, layer: graphPath)]
    }
    let graph = try builder.add(construction, [value] + data, layer: graphPath)
    value = try aggregation.build(
      &builder, value, graph: graph, candidates: candidates, path: convolution, groups: groups, activation: activation,
      layer: graphPath)
    value = try builder.convolution(value, "\(path).fc2.0")
    value = try builder.norm(value, "\(path).fc2.1")
    return hasResidual ? try builder.add(Add(), [value, x], layer: path) : value
  }

  /// The candidates, where they are not the pixels themselves.
  private func pooled(_ builder: inout ModelBuilder, _ x: ValueID, layer: String) throws -> ValueID? {
    if reduction == 1 { return nil }
    let image = builder.graph.tensorType(of: x).shape
    if image[2] < reduction || image[3] < reduction {
      throw NoPixelLeft(layer: layer, location: builder.problem("").location)
    }
    let pool = AveragePool(kernel: [reduction, reduction], strides: [reduction, reduction])
    return try builder.add(pool, [x], layer: layer)
  }
}
