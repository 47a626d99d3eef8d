import RealModule

/// Gathers the features of each pixel's neighbours into one vector a pixel: operands x [N, C, H, W], a neighbourhood of
/// its pixels and, if the neighbours are not those pixels themselves, the candidates' features [N, C, h, w].
public struct Aggregate: Op {
  public static let mnemonic = "aggregate"

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// Channel by channel, the maximum over the neighbours of the difference of features
    /// (max-relative graph convolution, Li et al., arXiv:1904.03751).
    case maxRelative = "max_relative"
    /// Channel by channel, the maximum over the neighbours' features (GraphSAGE's pooling, Hamilton, Ying and Leskovec,
    /// arXiv:1706.02216).
    case maximum = "max"
    /// Channel by channel, the sum of the neighbours' features (graph isomorphism networks, Xu et al., arXiv:1810.00826).
    case sum
  }

  public enum Direction: String, CaseIterable, Hashable, Sendable {
    case selfMinusNeighbor = "self_minus_neighbor"
    case neighborMinusSelf = "neighbor_minus_self"
  }

  public var kind: Kind
  /// The direction of differences; the other kinds have none.
  public var direction: Direction
  /// What the maximum of differences starts at; with nil it starts at the first neighbour. 0 makes each pixel its own
  /// neighbour.
  public var start: Double?

  /// An aggregation of the neighbours' features themselves, `maximum` or `sum`.
  public init(_ kind: Kind) {
    self.init(kind: kind, direction: .neighborMinusSelf, start: nil)
  }

  public init(kind: Kind, direction: Direction, start: Double?) {
    self.kind = kind
    self.direction = direction
    self.start = start
  }

  public init(_ reader: inout AttributeReader) throws {
    self.kind = try reader.choice("kind")
    let isRelative = kind == .maxRelative
    self.direction = isRelative ? try reader.choice("direction") : .neighborMinusSelf
    self.start = isRelative && reader.has("start") ? try reader.float("start") : nil
  }

  public var attributes: [Attribute] {
    if kind != .maxRelative { return [Attribute("kind", .string(kind.rawValue))] }
    return [Attribute("kind", .string(kind.rawValue)), Attribute("direction", .string(direction.rawValue))]
      + (start.map { [Attribute("start", .float($0))] } ?? [])
  }

  /// If all features are zero, so are the differences; the start must not exceed them.
  public var mapsZeroToZero: Bool { (start ?? 0) <= 0 }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "neighborhood", "candidates?"])
    let x = try checker.real(0, rank: 4)
    let neighbors = try checker.neighborCount(over: x)
    switch kind {
    case .maxRelative:
      if neighbors == 0 && start == nil {
        throw checker.failure(1, mustBe: "of one neighbour at least, or start given")
      }
    case .maximum, .sum:
      try checker.refuseGates("'\(kind.rawValue)'")
      if neighbors == 0 { throw checker.failure(1, mustBe: "of one neighbour at least") }
    }
    return [.tensor(x.with(shape: x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    guard case .neighborhood(let graph, _) = operands[1] else { preconditionFailure("typing wants a neighbourhood") }
    let candidates = operands.count > 2 ? operands[2].tensor : x
    let values =
      switch kind {
      case .maxRelative:
        maxRelative(
          x.real, candidates.real, graph, shape: x.shape, candidates: candidates.shape[2] * candidates.shape[3],
          sign: direction == .neighborMinusSelf ? 1 : -1, start: start.map { T($0) })
      case .maximum: folded(candidates, graph, shape: x.shape) { $1 > $0 ? $1 : $0 }
      case .sum: folded(candidates, graph, shape: x.shape) { $0 + $1 }
      }
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: values))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try requireFloat32(operands + results)
    guard let graph = operands[1].neighborhood else { preconditionFailure("typing wants a neighbourhood") }
    switch kind {
    case .maxRelative: buildMaxRelative(&builder, operands: operands, graph: graph, result: results[0])
    case .maximum: buildFold(&builder, operands: operands, result: results[0], from: -.infinity) { .maximum($1, $0) }
    case .sum: buildFold(&builder, operands: operands, result: results[0], from: 0) { $0 + $1 }
    }
  }
}

/// For every pixel and channel, the neighbours' features combined in their order.
private func folded<T: Real & BinaryFloatingPoint & Sendable>(
  _ candidates: Tensor<T>, _ graph: NeighborhoodValue, shape: [Int], _ combine: (T, T) -> T
) -> [T] {
  let total = candidates.shape[2] * candidates.shape[3]
  let plane = shape[2] * shape[3]
  var result: [T] = []
  result.reserveCapacity(shape.reduce(1, *))
  for n in 0..<shape[0] {
    let places = graph.places(image: n, height: shape[2], width: shape[3])
    for channel in (n * shape[1])..<((n + 1) * shape[1]) {
      for pixel in 0..<plane {
        let features = places.map { candidates.real[channel * total + $0[pixel]] }
        result.append(features.dropFirst().reduce(features[0], combine))
      }
    }
  }
  return result
}

/// For every pixel and channel, the maximum over neighbours of sign * (neighbour - self).
@specialized(where T == Float)
@specialized(where T == Double)
private func maxRelative<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], _ candidates: [T], _ graph: NeighborhoodValue, shape: [Int], candidates count: Int, sign: T, start: T?
) -> [T] {
  let height = shape[2]
  let width = shape[3]
  let plane = height * width
  var result = [T](repeating: start ?? -.infinity, count: x.count)
  /// Takes one neighbour per pixel of image `n` into account: its index, or -1 for one that contributes 0.
  func take(_ n: Int, _ neighbors: [Int]) {
    for channel in (n * shape[1])..<((n + 1) * shape[1]) {
      for pixel in 0..<plane {
        let place = channel * plane + pixel
        let neighbor = neighbors[pixel]
        let difference = neighbor < 0 ? 0 : sign * (candidates[channel * count + neighbor] - x[place])
        if difference > result[place] { result[place] = difference }
      }
    }
  }
  func rolled(_ offset: Offset) -> [Int] {
    (0..<plane).map { pixel in
      let y = (pixel / width - offset.dy) % height
      let x = (pixel % width - offset.dx) % width
      return (y < 0 ? y + height : y) * width + (x < 0 ? x + width : x)
    }
  }
  for n in 0..<shape[0] {
    switch graph {
    case .offsets(let offsets):
      for offset in offsets { take(n, rolled(offset)) }
    case .gatedOffsets(let offsets, let admitted):
      for (offset, admits) in zip(offsets, admitted) {
        take(n, rolled(offset).enumerated().map { admits[n * plane + $0] ? $1 : -1 })
      }
    case .indices(let indices, let neighbors):
      for slot in 0..<neighbors {
        take(n, (0..<plane).map { indices[(n * plane + $0) * neighbors + slot] })
      }
    case .incidence:
      preconditionFailure("typing refuses hyperedges")
    }
  }
  return result
}
