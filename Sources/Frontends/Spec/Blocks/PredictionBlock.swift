import IR

/// The mean over all pixels, a pointwise convolution with batch norm and activation, and another to the classes, in one
/// published sequence: the logits, [batch, classes].
///
/// Numbered as in `Sequential(conv, norm, act, dropout, conv)`: 0, 1 and 4.
struct PredictionBlock: BlockKind {
  static let kind = "prediction"
  static let keys = ["path", "channels", "activation"]
  /// It reads its path itself: the module's output is recorded before it is flattened.
  static let takesPath = false

  private var path: String
  private var channels: Int
  private var activation: Activation

  init(_ reader: SpecReader) throws {
    path = try reader.path("path")
    channels = try reader.integer("channels", in: 1...ModelBuilder.mostChannels)
    activation = try reader.choice("activation", default: .gelu)
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path _: String) throws -> ValueID {
    try builder.declareConvolution("\(path).0", from: builder.channels(of: x), to: channels)
    try builder.declareNorm("\(path).1", channels: channels)
    try builder.declareConvolution("\(path).4", from: channels, to: builder.classes)

    var value = try builder.add(GlobalAveragePool(), [x], layer: "\(path).pool")
    value = try builder.convolution(value, "\(path).0")
    value = try builder.norm(value, "\(path).1")
    value = try builder.activation(value, activation, layer: "\(path).2")
    value = try builder.convolution(value, "\(path).4")
    builder.record(path, value)
    let batch = builder.graph.tensorType(of: value).shape[0]
    return try builder.add(Reshape(shape: [batch, builder.classes]), [value], layer: "logits")
  }
}
