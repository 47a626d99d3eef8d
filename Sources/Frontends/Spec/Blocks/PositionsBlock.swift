import IR

/// A learned number for each channel and pixel, added to the image: the path is the parameter's own name.
///
/// The parameter has the size that the image has there at the spec's own input size.
struct PositionsBlock: BlockKind {
  static let kind = "positions"
  static let keys: [String] = []

  init(_ reader: SpecReader) throws {}

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let shape = builder.graph.tensorType(of: x).shape
    try builder.declarePositions(path, [1] + shape.dropFirst())
    return try builder.add(Add(), [x, builder.weight(path, layer: path)], layer: path)
  }
}
