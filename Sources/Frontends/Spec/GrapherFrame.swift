import IR

/// What surrounds graph convolutions of all kinds: a pointwise convolution `fc1` before, another one `fc2` after, and
/// the input added. Kinds differ in what lies between.
struct GrapherFrame {
  static let keys = ["expansion", "groups", "activation", "residual"]

  /// Channels that the convolution over the graph makes, as a multiple of the input's.
  private var expansion: Double
  /// Groups of the convolution over the graph.
  var groups: Int
  var activation: Activation
  private var hasResidual: Bool

  init(_ reader: SpecReader) throws {
    expansion = try reader.positive("expansion", atMost: 64, default: 2)
    groups = try reader.integer("groups", in: 1...ModelBuilder.mostChannels, default: 1)
    activation = try reader.choice("activation", default: .gelu)
    hasResidual = try reader.bool("residual", default: true)
  }

  /// - Parameters:
  ///   - declare: declares the weights of what lies between; it makes `hidden` channels of `channels`.
  ///   - between: makes its nodes.
  func build(
    _ builder: inout ModelBuilder, _ x: ValueID, path: String,
    declare: (inout ModelBuilder, _ channels: Int, _ hidden: Int) throws -> Void,
    between: (inout ModelBuilder, _ value: ValueID) throws -> ValueID
  ) throws -> ValueID {
    let channels = builder.channels(of: x)
    let hidden = try builder.expanded(channels, by: expansion)
    try builder.declareConvolution("\(path).fc1.0", from: channels, to: channels)
    try builder.declareNorm("\(path).fc1.1", channels: channels)
    try declare(&builder, channels, hidden)
    try builder.declareConvolution("\(path).fc2.0", from: hidden, to: channels)
    try builder.declareNorm("\(path).fc2.1", channels: channels)

    var value = try builder.convolution(x, "\(path).fc1.0")
    value = try builder.norm(value, "\(path).fc1.1")
    value = try between(&builder, value)
    value = try builder.convolution(value, "\(path).fc2.0")
    value = try builder.norm(value, "\(path).fc2.1")
    return hasResidual ? try builder.add(Add(), [value, x], layer: path) : value
  }
}
