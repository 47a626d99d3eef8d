import IR

/// A pointwise expansion, a depthwise convolution and a pointwise projection, scaled per channel and added to the
/// input; batch norm after each convolution and an activation after the first two.
struct InvertedResidualBlock: BlockKind {
  static let kind = "inverted_residual"
  static let keys = ["expansion", "kernel", "activation", "layer_scale"]

  private var expansion: Double
  private var kernel: Int
  private var activation: Activation
  private var hasLayerScale: Bool

  init(_ reader: SpecReader) throws {
    expansion = try reader.positive("expansion", atMost: 64, default: 4)
    kernel = try reader.integer("kernel", in: 1...63, default: 3)
    activation = try reader.choice("activation", default: .gelu)
    hasLayerScale = try reader.bool("layer_scale", default: true)
    if kernel % 2 == 0 { throw reader.node.problem("'kernel' is \(kernel); a residual needs an odd one") }
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    let scale = "\(path).layer_scale_2"
    let mlp = "\(path).mlp"
    // Parameters come before submodules, which come in the order of the published constructor.
    if hasLayerScale { try builder.declare(WeightEntry(scale, [channels, 1, 1])) }
    try builder.declareConvolution("\(mlp).fc1", from: channels, to: hidden)
    try builder.declareConvolution("\(mlp).fc2", from: hidden, to: channels)
    try builder.declareConvolution("\(mlp).mid", from: hidden, to: hidden, kernel: kernel, groups: hidden)
    try builder.declareNorm("\(mlp).mid_norm", channels: hidden)
    try builder.declareNorm("\(mlp).norm1", channels: hidden)
    try builder.declareNorm("\(mlp).norm2", channels: channels)

    var value = try builder.convolution(x, "\(mlp).fc1")
    value = try builder.norm(value, "\(mlp).norm1")
    value = try builder.activation(value, activation, layer: "\(mlp).act")
    value = try builder.convolution(value, "\(mlp).mid", padding: kernel / 2, groups: hidden)
    value = try builder.norm(value, "\(mlp).mid_norm")
    value = try builder.activation(value, activation, layer: "\(mlp).act")
    value = try builder.convolution(value, "\(mlp).fc2")
    value = try builder.norm(value, "\(mlp).norm2")
    if hasLayerScale {
      value = try builder.add(Multiply(), [builder.weight(scale, layer: scale), value], layer: scale)
    }
    return try builder.add(Add(), [x, value], layer: path)
  }
}
