import IR

/// What is in a file of weights. All of it was read: each tensor's bytes, and its checksum if it has one.
public struct WeightSummary: Hashable, Sendable, CustomStringConvertible {
  /// The format, with its article.
  public let format: String
  public let tensorCount: Int
  /// Numbers in all tensors.
  public let elementCount: Int

  /// Reads a file tensor by tensor, so that no two are in memory at once.
  ///
  /// - Throws: A `Diagnostic` at the first thing that is wrong.
  public init(path: String) throws {
    let file = try WeightFile(path: path)
    format = file.format
    tensorCount = file.tensors.count
    var elements: [Int?] = []
    for (name, tensor) in file.tensors.sorted(by: { $0.key < $1.key }) {
      let count = Extents.count(tensor.shape)
      try MemoryLimit.require(
        count.map { $0 * tensor.element.byteCount }, for: "\(path): the elements of '\(name.shown)'")
      _ = try tensor.read()
      elements.append(count)
    }
    guard let sum = Extents.sum(elements) else { throw Diagnostic("\(path) has more numbers than can be counted") }
    elementCount = sum
  }

  public var description: String {
    "\(format) of \(tensorCount) tensor\(tensorCount == 1 ? "" : "s"), \(elementCount) numbers in all"
  }
}
