import IR

/// A graph convolution between two pointwise ones, added to the input: pixels are nodes, a neighbourhood is built on
/// them, neighbours are aggregated, and the result joins the node's own channels before the graph's own convolution.
struct GrapherBlock: BlockKind {
  static let kind = "grapher"
  static let keys = ["construction", "aggregation", "expansion", "groups", "activation", "residual"]

  private var construction: BuildNeighborhood
  private var aggregation: Aggregate
  private var expansion: Double
  private var groups: Int
  private var activation: Activation
  private var hasResidual: Bool

  init(_ reader: SpecReader) throws {
    construction = try reader.op("construction", BuildNeighborhood.init)
    aggregation = try reader.op("aggregation", Aggregate.init)
    expansion = try reader.positive("expansion", atMost: 64, default: 2)
    groups = try reader.integer("groups", in: 1...ModelBuilder.mostChannels, default: 1)
    activation = try reader.choice("activation", default: .gelu)
    hasResidual = try reader.bool("residual", default: true)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    try builder.declareConvolution("\(path).fc1.0", from: channels, to: channels)
    try builder.declareNorm("\(path).fc1.1", channels: channels)
    try builder.declareConvolution("\(path).graph_conv.nn.0", from: 2 * channels, to: hidden, groups: groups)
    try builder.declareNorm("\(path).graph_conv.nn.1", channels: hidden)
    try builder.declareConvolution("\(path).fc2.0", from: hidden, to: channels)
    try builder.declareNorm("\(path).fc2.1", channels: channels)

    var value = try builder.convolution(x, "\(path).fc1.0")
    value = try builder.norm(value, "\(path).fc1.1")
    let graph = try builder.add(construction, [value], layer: "\(path).graph_conv")
    let aggregated = try builder.add(aggregation, [value, graph], layer: "\(path).graph_conv")
    value = try builder.add(Concat(axis: 1), [value, aggregated], layer: "\(path).graph_conv")
    value = try builder.convolution(value, "\(path).graph_conv.nn.0", groups: groups)
    value = try builder.norm(value, "\(path).graph_conv.nn.1")
    value = try builder.activation(value, activation, layer: "\(path).graph_conv.nn.2")
    value = try builder.convolution(value, "\(path).fc2.0")
    value = try builder.norm(value, "\(path).fc2.1")
    return hasResidual ? try builder.add(Add(), [value, x], layer: path) : value
  }
}
