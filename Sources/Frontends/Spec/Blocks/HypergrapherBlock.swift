import IR

/// A hypergraph convolution between two pointwise ones, added to the input: pixels are averaged into hyperedges, those go
/// through a convolution and are averaged back, join (1 + eps) times the pixel's own features, and all goes through
/// another convolution (HypergraphConv2d of VITA-Group/ViHGNN).
struct HypergrapherBlock: BlockKind {
  static let kind = "hypergrapher"
  static let keys = [
    "hyperedges", "reduction", "relative_positions", "expansion", "groups", "activation", "residual",
  ]

  private var construction: Hypergraph
  private var reduction: Int
  private var hasRelativePositions: Bool
  private var expansion: Double
  private var groups: Int
  private var activation: Activation
  private var hasResidual: Bool

  init(_ reader: SpecReader) throws {
    construction = Hypergraph(hyperedges: try reader.integer("hyperedges", in: 1...4096))
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
    let graphPath = "\(path).graph_conv"
    let eps = "\(graphPath).gconv.eps"
    let gather = "\(graphPath).gconv.nn_node_to_hyperedge"
    let scatter = "\(graphPath).gconv.nn_hyperedge_to_node"
    // The published pyramid keeps these in its state dict, and reads neither them nor a pooled copy.
    if hasRelativePositions {
      try builder.declareRelativePositions("\(path).relative_pos", over: x, reduction: reduction)
    }
    try builder.declareConvolution("\(path).fc1.0", from: channels, to: channels)
    try builder.declareNorm("\(path).fc1.1", channels: channels)
    try builder.declare(WeightEntry(eps, [1]))
    try builder.declareConvolution("\(gather).0", from: channels, to: channels, groups: groups)
    try builder.declareNorm("\(gather).1", channels: channels)
    try builder.declareConvolution("\(scatter).0", from: channels, to: hidden, groups: groups)
    try builder.declareNorm("\(scatter).1", channels: hidden)
    try builder.declareConvolution("\(path).fc2.0", from: hidden, to: channels)
    try builder.declareNorm("\(path).fc2.1", channels: channels)

    var value = try builder.convolution(x, "\(path).fc1.0")
    value = try builder.norm(value, "\(path).fc1.1")
    let memberships = try builder.firstMemberships(of: value, hyperedges: construction.hyperedges, layer: graphPath)
    let graph = try builder.add(BuildNeighborhood(construction: construction), [value, memberships], layer: graphPath)
    var edges = try builder.add(IncidenceMean(to: .hyperedges), [value, graph], layer: graphPath)
    edges = try convolution(&builder, edges, gather)
    let gathered = try builder.add(IncidenceMean(to: .nodes), [edges, graph], layer: graphPath)
    let scale = try builder.add(
      Add(), [builder.weight(eps, layer: graphPath), builder.scalar(1, layer: graphPath)], layer: graphPath)
    let own = try builder.add(Multiply(), [value, scale], layer: graphPath)
    value = try builder.add(Add(), [own, gathered], layer: graphPath)
    value = try convolution(&builder, value, scatter)
    value = try builder.convolution(value, "\(path).fc2.0")
    value = try builder.norm(value, "\(path).fc2.1")
    return hasResidual ? try builder.add(Add(), [value, x], layer: path) : value
  }

  private func convolution(_ builder: inout ModelBuilder, _ x: ValueID, _ path: String) throws -> ValueID {
    let value = try builder.norm(builder.convolution(x, "\(path).0", groups: groups), "\(path).1")
    return try builder.activation(value, activation, layer: "\(path).2")
  }
}
