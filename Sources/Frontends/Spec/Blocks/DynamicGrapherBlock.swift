import IR

/// A graph convolution between two pointwise ones, added to the input, whose graph is built on the features themselves:
/// neighbours may come out of an average-pooled copy, distances may have relative positions added, and the convolution
/// over the graph is one of those that `GraphConvolution` lists.
struct DynamicGrapherBlock: BlockKind {
  static let kind = "dynamic_grapher"
  static let keys = ["construction", "aggregation", "reduction", "relative_positions"] + GrapherFrame.keys

  private var construction: BuildNeighborhood
  private var aggregation: GraphConvolution
  private var reduction: Int
  private var hasRelativePositions: Bool
  private var frame: GrapherFrame

  init(_ reader: SpecReader) throws {
    construction = try reader.op("construction", BuildNeighborhood.init)
    aggregation = try GraphConvolution(reader)
    reduction = try reader.integer("reduction", in: 1...64, default: 1)
    hasRelativePositions = try reader.bool("relative_positions", default: false)
    frame = try GrapherFrame(reader)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let positions = "\(path).relative_pos"
    let graphPath = "\(path).graph_conv"
    let convolution = "\(graphPath).gconv"
    if hasRelativePositions { try builder.declareRelativePositions(positions, over: x, reduction: reduction) }
    return try frame.build(&builder, x, path: path) { builder, channels, hidden in
      try aggregation.declare(&builder, convolution, from: channels, to: hidden, groups: frame.groups)
    } between: { builder, value in
      let candidates = try pooled(&builder, value, layer: graphPath)
      var data = candidates.map { [$0] } ?? []
      if hasRelativePositions {
        // Positions follow the candidates among the operands, so that without pooling those are x itself.
        data = [candidates ?? value, try builder.weight(positions, layer: graphPath)]
      }
      let graph = try builder.add(construction, [value] + data, layer: graphPath)
      return try aggregation.build(
        &builder, value, graph: graph, candidates: candidates, path: convolution, groups: frame.groups,
        activation: frame.activation, layer: graphPath)
    }
  }

  /// The candidates, if they are not the pixels themselves.
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
