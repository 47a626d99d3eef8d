import IR

/// A model at its spec's own input size, which decides the sizes in its state dict that depend on pixels.
struct PublishedSize {
  var height: Int
  var width: Int
  /// The state dict, by name.
  var entries: [String: WeightEntry]
}

extension ModelBuilder {
  /// More than this of resized positions is refused: they grow with the fourth power of an image's side.
  private static let mostPositionBytes = 1 << 30

  /// Declares a parameter with a number for each pixel. It is read in `shape`, and stored in the shape it has at the
  /// published size.
  ///
  /// - Parameter compute: Its contents at the published size, if the constructor computes them.
  mutating func declarePositions(_ name: String, _ shape: [Int], compute: (() throws -> TensorData)? = nil) throws {
    guard let published, var entry = published.entries[name] else {
      return try declare(WeightEntry(name, shape, computed: compute?()))
    }
    if entry.shape == shape { return try declare(entry) }
    let input = graph.tensorType(of: graph.inputs[0]).shape
    guard resizesPositions else {
      throw problem(
        "an input of \(input[2])x\(input[3]) for \(graph.name), whose \(name) is for \(published.height)x"
          + "\(published.width); use that size, or let --resize-positions resize it")
    }
    let bytes = 4 * shape.reduce(1.0) { $0 * Double($1) }
    guard bytes <= Double(Self.mostPositionBytes) else {
      throw problem(
        "\(name) resized to an input of \(input[2])x\(input[3]) takes \(Int(bytes)) bytes; "
          + "at most \(Self.mostPositionBytes) are possible")
    }
    entry.resized = shape
    try declare(entry)
  }

  /// Declares the relative positions of the pixels of `x` and the candidates that pooling by `reduction` leaves.
  mutating func declareRelativePositions(_ name: String, over x: ValueID, reduction: Int) throws {
    let image = graph.tensorType(of: x).shape
    let (channels, height, width) = (image[1], image[2], image[3])
    let shape = [1, height * width, (height / reduction) * (width / reduction)]
    let place = problem("").location
    try declarePositions(name, shape) {
      guard channels % 4 == 0 else {
        throw Diagnostic("\(name): relative positions need channels in fours, and there are \(channels)", at: place)
      }
      guard height % reduction == 0, width % reduction == 0 else {
        throw Diagnostic("\(name): \(height)x\(width) pixels cannot be pooled by \(reduction) evenly", at: place)
      }
      return RelativePositions.tensor(channels: channels, height: height, width: width, reduction: reduction)
    }
  }
}
