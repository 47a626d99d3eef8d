import IR

/// A grapher under `mixer`, after a depthwise positional encoding, then a feed-forward pair under `ffn`; each scaled
/// per channel and added to what it read.
struct GraphMixerBlock: BlockKind {
  static let kind = "graph_mixer"
  static let keys = [
    "construction", "aggregation", "position_kernel", "expansion", "activation", "layer_scale", "scale_shape",
  ]

  private var construction: BuildNeighborhood
  private var aggregation: Aggregate
  private var positionKernel: Int
  private var expansion: Double
  private var activation: Activation
  private var hasLayerScale: Bool
  private var scaleShape: ScaleShape

  init(_ reader: SpecReader) throws {
    construction = try reader.op("construction", BuildNeighborhood.init)
    aggregation = try reader.op("aggregation", Aggregate.init)
    positionKernel = try reader.integer("position_kernel", in: 1...63, default: 7)
    expansion = try reader.positive("expansion", atMost: 64, default: 4)
    activation = try reader.choice("activation", default: .gelu)
    hasLayerScale = try reader.bool("layer_scale", default: true)
    scaleShape = try reader.choice("scale_shape", default: .image)
    if positionKernel % 2 == 0 {
      throw reader.node.problem("'position_kernel' is \(positionKernel); a residual needs an odd one")
    }
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    let scales = ["\(path).layer_scale_1", "\(path).layer_scale_2"]
    let mixer = "\(path).mixer"
    let ffn = "\(path).ffn"
    if hasLayerScale {
      for scale in scales { try builder.declareScale(scale, channels: channels, shape: scaleShape) }
    }
    try builder.declareConvolution(
      "\(mixer).cpe.pe", from: channels, to: channels, kernel: positionKernel, groups: channels,
      withIdentity: "\(mixer).cpe.reparam_conv")
    try builder.declareConvolution("\(mixer).fc1.0", from: channels, to: channels)
    try builder.declareNorm("\(mixer).fc1.1", channels: channels)
    try builder.declareConvolution("\(mixer).graph_conv.nn.0", from: 2 * channels, to: channels)
    try builder.declareNorm("\(mixer).graph_conv.nn.1", channels: channels)
    try builder.declareConvolution("\(mixer).fc2.0", from: channels, to: channels)
    try builder.declareNorm("\(mixer).fc2.1", channels: channels)
    try builder.declareConvolution("\(ffn).0", from: channels, to: hidden)
    try builder.declareNorm("\(ffn).1", channels: hidden)
    try builder.declareConvolution("\(ffn).3", from: hidden, to: channels)
    try builder.declareNorm("\(ffn).4", channels: channels)

    var value = try builder.convolution(
      x, "\(mixer).cpe.pe", padding: positionKernel / 2, groups: channels)
    value = try builder.add(Add(), [value, x], layer: "\(mixer).cpe")
    value = try builder.convolution(value, "\(mixer).fc1.0")
    value = try builder.norm(value, "\(mixer).fc1.1")
    let graph = try builder.add(construction, [value], layer: "\(mixer).graph_conv")
    let aggregated = try builder.add(aggregation, [value, graph], layer: "\(mixer).graph_conv")
    value = try builder.add(Concat(axis: 1), [value, aggregated], layer: "\(mixer).graph_conv")
    value = try builder.convolution(value, "\(mixer).graph_conv.nn.0")
    value = try builder.norm(value, "\(mixer).graph_conv.nn.1")
    value = try builder.activation(value, activation, layer: "\(mixer).graph_conv.nn.2")
    value = try builder.convolution(value, "\(mixer).fc2.0")
    value = try builder.norm(value, "\(mixer).fc2.1")
    if hasLayerScale { value = try builder.scaled(value, by: scales[0]) }
    let mixed = try builder.add(Add(), [x, value], layer: mixer)

    value = try builder.convolution(mixed, "\(ffn).0")
    value = try builder.norm(value, "\(ffn).1")
    value = try builder.activation(value, activation, layer: "\(ffn).2")
    value = try builder.convolution(value, "\(ffn).3")
    value = try builder.norm(value, "\(ffn).4")
    if hasLayerScale { value = try builder.scaled(value, by: scales[1]) }
    return try builder.add(Add(), [mixed, value], layer: path)
  }
}
