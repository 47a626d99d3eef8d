import IR

/// Convolutions with batch norm and activation in turn: stems, and the downsampling between stages.
///
/// Numbered as in `Sequential(conv, norm, act, conv, norm, act, ...)`: 0, 1, 3, 4, and so on.
struct ConvolutionsBlock: BlockKind {
  static let kind = "convolutions"
  static let keys = ["within", "channels", "kernel", "stride", "padding", "groups", "activation", "last_activation"]

  /// The attribute of the published module that holds the sequence, if it is not the module itself.
  private var within: String?
  private var channels: [Int]
  private var kernel: Int
  private var strides: [Int]
  private var padding: Int
  private var groups: Int
  private var activation: Activation
  private var lastActivation: Activation

  init(_ reader: SpecReader) throws {
    within = try reader.value("within") == nil ? nil : reader.path("within")
    channels = try reader.integers("channels", in: 1...ModelBuilder.mostChannels)
    kernel = try reader.integer("kernel", in: 1...63, default: 3)
    strides = try reader.integers("stride", in: 1...64, default: [1])
    padding = try reader.integer("padding", in: 0...63, default: kernel / 2)
    groups = try reader.integer("groups", in: 1...ModelBuilder.mostChannels, default: 1)
    activation = try reader.choice("activation")
    lastActivation = try reader.choice("last_activation", default: activation)
    if strides.count == 1 { strides = [Int](repeating: strides[0], count: channels.count) }
    if strides.count != channels.count {
      throw reader.node.problem(
        "'stride' has \(strides.count) numbers and 'channels' \(channels.count); "
          + "expected as many, or one stride for all")
    }
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let list = within.map { "\(path).\($0)" } ?? path
    var value = x
    for (index, (width, stride)) in zip(channels, strides).enumerated() {
      let convolution = "\(list).\(3 * index)"
      let norm = "\(list).\(3 * index + 1)"
      try builder.declareConvolution(
        convolution, from: builder.channels(of: value), to: width, kernel: kernel, groups: groups)
      try builder.declareNorm(norm, channels: width)
      value = try builder.convolution(value, convolution, stride: stride, padding: padding, groups: groups)
      value = try builder.norm(value, norm)
      let isLast = index == channels.count - 1
      value = try builder.activation(
        value, isLast ? lastActivation : activation, layer: "\(list).\(3 * index + 2)")
    }
    return value
  }
}
