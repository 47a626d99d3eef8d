import IR

/// Two pointwise convolutions, each with batch norm, an activation between them, added to the input.
struct FeedForwardBlock: BlockKind {
  static let kind = "feed_forward"
  static let keys = ["expansion", "activation", "residual"]

  private var expansion: Double
  private var activation: Activation
  private var hasResidual: Bool

  init(_ reader: SpecReader) throws {
    expansion = try reader.positive("expansion", atMost: 64, default: 4)
    activation = try reader.choice("activation", default: .gelu)
    hasResidual = try reader.bool("residual", default: true)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    try builder.declareConvolution("\(path).fc1.0", from: channels, to: hidden)
    try builder.declareNorm("\(path).fc1.1", channels: hidden)
    try builder.declareConvolution("\(path).fc2.0", from: hidden, to: channels)
    try builder.declareNorm("\(path).fc2.1", channels: channels)

    var value = try builder.convolution(x, "\(path).fc1.0")
    value = try builder.norm(value, "\(path).fc1.1")
    value = try builder.activation(value, activation, layer: "\(path).act")
    value = try builder.convolution(value, "\(path).fc2.0")
    value = try builder.norm(value, "\(path).fc2.1")
    return hasResidual ? try builder.add(Add(), [value, x], layer: path) : value
  }
}
