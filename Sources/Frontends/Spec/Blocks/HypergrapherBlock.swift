import IR

/// A hypergraph convolution between two pointwise ones, added to the input: pixels are averaged into hyperedges, those go
/// through a convolution and are averaged back, join (1 + eps) times the pixel's own features, and all goes through
/// another convolution (HypergraphConv2d of VITA-Group/ViHGNN).
struct HypergrapherBlock: BlockKind {
  static let kind = "hypergrapher"
  static let keys = ["hyperedges", "reduction", "relative_positions"] + GrapherFrame.keys

  private var construction: Hypergraph
  private var reduction: Int
  private var hasRelativePositions: Bool
  private var frame: GrapherFrame

  init(_ reader: SpecReader) throws {
    construction = Hypergraph(hyperedges: try reader.integer("hyperedges", in: 1...4096))
    reduction = try reader.integer("reduction", in: 1...64, default: 1)
    hasRelativePositions = try reader.bool("relative_positions", default: false)
    frame = try GrapherFrame(reader)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let graphPath = "\(path).graph_conv"
    let eps = "\(graphPath).gconv.eps"
    let gather = "\(graphPath).gconv.nn_node_to_hyperedge"
    let scatter = "\(graphPath).gconv.nn_hyperedge_to_node"
    // The published pyramid has these in its state dict, but reads neither them nor a pooled copy.
    if hasRelativePositions {
      try builder.declareRelativePositions("\(path).relative_pos", over: x, reduction: reduction)
    }
    return try frame.build(&builder, x, path: path) { builder, channels, hidden in
      try builder.declare(WeightEntry(eps, [1]))
      try builder.declareConvolution("\(gather).0", from: channels, to: channels, groups: frame.groups)
      try builder.declareNorm("\(gather).1", channels: channels)
      try builder.declareConvolution("\(scatter).0", from: channels, to: hidden, groups: frame.groups)
      try builder.declareNorm("\(scatter).1", channels: hidden)
    } between: { builder, value in
      let memberships = try builder.firstMemberships(of: value, hyperedges: construction.hyperedges, layer: graphPath)
      let graph = try builder.add(
        BuildNeighborhood(construction: construction), [value, memberships], layer: graphPath)
      var edges = try builder.add(IncidenceMean(to: .hyperedges), [value, graph], layer: graphPath)
      edges = try convolution(&builder, edges, gather)
      let gathered = try builder.add(IncidenceMean(to: .nodes), [edges, graph], layer: graphPath)
      let scale = try builder.add(
        Add(), [builder.weight(eps, layer: graphPath), builder.scalar(1, layer: graphPath)], layer: graphPath)
      let own = try builder.add(Multiply(), [value, scale], layer: graphPath)
      return try convolution(&builder, builder.add(Add(), [own, gathered], layer: graphPath), scatter)
    }
  }

  private func convolution(_ builder: inout ModelBuilder, _ x: ValueID, _ path: String) throws -> ValueID {
    let value = try builder.norm(builder.convolution(x, "\(path).0", groups: frame.groups), "\(path).1")
    return try builder.activation(value, frame.activation, layer: "\(path).2")
  }
}
