import RealModule

/// A kind of graph construction whose candidates are the pixels at fixed offsets, wrapping, whatever its parameters are. All
/// of them are neighbours, the same for every image, unless the kind says otherwise.
public protocol OffsetConstruction: GraphConstruction {
  /// Throws a `Diagnostic` if a parameter is invalid.
  func checkParameters() throws

  /// Where the candidates of a pixel lie.
  func offsets(height: Int, width: Int) -> [Offset]

  /// The values of this kind that a graph with certain offsets on `height` x `width` pixels may stand for, the
  /// likeliest first. A graph of rolls is compared with them when it is raised.
  /// - Parameter first: the offset that the graph takes first.
  static func candidates(height: Int, width: Int, first: Offset) -> [Self]

  /// How published code subtracts over this kind. This tells two kinds with the same offsets apart. Nil if it says
  /// nothing.
  static var publishedDirection: Aggregate.Direction? { get }
}

extension OffsetConstruction {
  public static var publishedDirection: Aggregate.Direction? { nil }

  public func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm {
    try checkParameters()
    return .offsets(offsets(height: height, width: width))
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    .offsets(offsets(height: x.shape[2], width: x.shape[3]))
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {}
}

extension GraphConstructions {
  /// The constructions that a graph of offsets may be, in the order to try them: first the likeliest of each kind, then the
  /// next of each. Kinds whose published code subtracts in `direction` come before the others.
  public static func candidates(
    height: Int, width: Int, first: Offset, direction: Aggregate.Direction
  ) -> [any OffsetConstruction] {
    let kinds = all.compactMap { $0 as? any OffsetConstruction.Type }
    let ordered =
      kinds.filter { $0.publishedDirection == direction } + kinds.filter { $0.publishedDirection != direction }
    let lists = ordered.map { kind -> [any OffsetConstruction] in
      kind.candidates(height: height, width: width, first: first)
    }
    let longest = lists.map(\.count).max() ?? 0
    return (0..<longest).flatMap { place in lists.compactMap { place < $0.count ? $0[place] : nil } }
  }
}
