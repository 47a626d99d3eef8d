import IR

/// The mean over all pixels, then a pointwise convolution with batch norm and activation: what classifiers read.
struct EmbeddingBlock: BlockKind {
  static let kind = "embedding"
  static let keys = ["channels", "first", "activation"]

  private var channels: Int
  /// The number of the convolution in the published sequence: 1 if the pooling counts as its first child.
  private var first: Int
  private var activation: Activation

  init(_ reader: SpecReader) throws {
    channels = try reader.integer("channels", in: 1...ModelBuilder.mostChannels)
    first = try reader.integer("first", in: 0...64, default: 0)
    activation = try reader.choice("activation", default: .gelu)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let convolution = "\(path).\(first)"
    let norm = "\(path).\(first + 1)"
    try builder.declareConvolution(convolution, from: builder.channels(of: x), to: channels)
    try builder.declareNorm(norm, channels: channels)
    var value = try builder.add(GlobalAveragePool(), [x], layer: "\(path).pool")
    value = try builder.convolution(value, convolution)
    value = try builder.norm(value, norm)
    return try builder.activation(value, activation, layer: "\(path).\(first + 2)")
  }
}
