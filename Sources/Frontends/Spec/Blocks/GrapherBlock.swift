import IR

/// A graph convolution between two pointwise ones, added to the input: pixels are nodes, a neighbourhood is built on
/// them, neighbours are aggregated, and the result joins the node's own channels before the graph's own convolution.
struct GrapherBlock: BlockKind {
  static let kind = "grapher"
  static let keys = ["construction", "aggregation"] + GrapherFrame.keys

  private var construction: BuildNeighborhood
  private var aggregation: Aggregate
  private var frame: GrapherFrame

  init(_ reader: SpecReader) throws {
    construction = try reader.op("construction", BuildNeighborhood.init)
    aggregation = try reader.op("aggregation", Aggregate.init)
    frame = try GrapherFrame(reader)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let graphPath = "\(path).graph_conv"
    return try frame.build(&builder, x, path: path) { builder, channels, hidden in
      try builder.declareConvolution("\(graphPath).nn.0", from: 2 * channels, to: hidden, groups: frame.groups)
      try builder.declareNorm("\(graphPath).nn.1", channels: hidden)
    } between: { builder, x in
      let graph = try builder.add(construction, [x], layer: graphPath)
      let aggregated = try builder.add(aggregation, [x, graph], layer: graphPath)
      var value = try builder.add(Concat(axis: 1), [x, aggregated], layer: graphPath)
      value = try builder.convolution(value, "\(graphPath).nn.0", groups: frame.groups)
      value = try builder.norm(value, "\(graphPath).nn.1")
      return try builder.activation(value, frame.activation, layer: "\(graphPath).nn.2")
    }
  }
}
