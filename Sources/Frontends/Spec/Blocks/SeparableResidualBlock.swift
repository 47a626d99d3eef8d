import IR

/// A pointwise expansion, a depthwise convolution and a pointwise projection under `dws`, scaled per channel and added
/// to the input: what `inverted_residual` computes, under the names and in the order of MobileViGv2 and GreedyViG.
struct SeparableResidualBlock: BlockKind {
  static let kind = "separable_residual"
  static let keys = ["expansion", "kernel", "activation", "layer_scale", "scale_shape"]

  private var expansion: Double
  private var kernel: Int
  private var activation: Activation
  /// The published name of the layer scale; nil for a block without one.
  private var scale: String?
  private var scaleShape: ScaleShape

  init(_ reader: SpecReader) throws {
    expansion = try reader.positive("expansion", atMost: 64, default: 4)
    kernel = try reader.integer("kernel", in: 1...63, default: 3)
    activation = try reader.choice("activation", default: .gelu)
    scale = try reader.value("layer_scale") == nil ? nil : reader.path("layer_scale")
    scaleShape = try reader.choice("scale_shape", default: .image)
    if kernel % 2 == 0 { throw reader.node.problem("'kernel' is \(kernel); a residual needs an odd one") }
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    let dws = "\(path).dws"
    let scaleName = scale.map { "\(path).\($0)" }
    if let scaleName { try builder.declareScale(scaleName, channels: channels, shape: scaleShape) }
    try builder.declareConvolution("\(dws).pw1", from: channels, to: hidden)
    try builder.declareNorm("\(dws).norm1", channels: hidden)
    try builder.declareConvolution("\(dws).dw", from: hidden, to: hidden, kernel: kernel, groups: hidden)
    try builder.declareNorm("\(dws).norm2", channels: hidden)
    try builder.declareConvolution("\(dws).pw2", from: hidden, to: channels)
    try builder.declareNorm("\(dws).norm3", channels: channels)

    var value = try builder.convolution(x, "\(dws).pw1")
    value = try builder.norm(value, "\(dws).norm1")
    value = try builder.activation(value, activation, layer: "\(dws).act1")
    value = try builder.convolution(value, "\(dws).dw", padding: kernel / 2, groups: hidden)
    value = try builder.norm(value, "\(dws).norm2")
    value = try builder.activation(value, activation, layer: "\(dws).act2")
    value = try builder.convolution(value, "\(dws).pw2")
    value = try builder.norm(value, "\(dws).norm3")
    if let scaleName { value = try builder.scaled(value, by: scaleName) }
    return try builder.add(Add(), [x, value], layer: path)
  }
}
