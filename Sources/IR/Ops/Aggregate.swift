import RealModule

/// Gathers the features of each pixel's neighbours into one vector a pixel: operands x [N, C, H, W], a neighbourhood of
/// its pixels and, where the neighbours are not those pixels themselves, the candidates' features [N, C, h, w].
public struct Aggregate: Op {
  public static let mnemonic = "aggregate"

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// Channel by channel, the maximum over the neighbours of the difference of features
    /// (max-relative graph convolution, Li et al., arXiv:1904.03751).
    case maxRelative = "max_relative"
  }

  public enum Direction: String, CaseIterable, Hashable, Sendable {
    case selfMinusNeighbor = "self_minus_neighbor"
    case neighborMinusSelf = "neighbor_minus_self"
  }

  public var kind: Kind
  public var direction: Direction
  /// What the maximum starts at; nil starts it at the first neighbour. 0 makes each pixel its own neighbour.
  public var start: Double?

  public init(kind: Kind, direction: Direction, start: Double?) {
    self.kind = kind
    self.direction = direction
    self.start = start
  }

  public init(_ reader: inout AttributeReader) throws {
    self.kind = try reader.choice("kind")
    self.direction = try reader.choice("direction")
    self.start = reader.has("start") ? try reader.float("start") : nil
  }

  public var attributes: [Attribute] {
    [Attribute("kind", .string(kind.rawValue)), Attribute("direction", .string(direction.rawValue))]
      + (start.map { [Attribute("start", .float($0))] } ?? [])
  }

  /// Where all features are zero so are the differences; the start must not exceed them.
  public var mapsZeroToZero: Bool { (start ?? 0) <= 0 }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "neighborhood", "candidates?"])
    let x = try checker.real(0, rank: 4)
    let graph = try checker.neighborhood(1)
    if graph.batch != x.shape[0] || graph.height != x.shape[2] || graph.width != x.shape[3] {
      throw checker.failure(1, mustBe: "over the pixels of operand 0, \(x)")
    }
    let neighbors: Int
    var candidates = x.shape[2] * x.shape[3]
    switch graph.form {
    case .offsets(let offsets), .gatedOffsets(let offsets):
      neighbors = offsets.count
      if checker.has(2) { throw checker.problem("neighbours by offset are pixels of x and take no candidates") }
    case .indices(let count, let total):
      neighbors = count
      if checker.has(2) {
        let features = try checker.real(2, rank: 4)
        try checker.sameElement(2, as: x)
        if features.shape[..<2] != x.shape[..<2] {
          throw checker.failure(2, mustBe: "[\(x.shape[0]), \(x.shape[1]), rows, columns], as many channels as x")
        }
        candidates = features.shape[2] * features.shape[3]
      }
      if total != candidates {
        let source = checker.has(2) ? 2 : 0
        throw checker.failure(1, mustBe: "of indices into the \(candidates) pixels of operand \(source)")
      }
    case .incidence:
      throw checker.failure(1, mustBe: "of offsets or indices: \(kind.rawValue) does not run over hyperedges")
    }
    if neighbors == 0 && start == nil { throw checker.failure(1, mustBe: "of one neighbour at least, or start given") }
    return [.tensor(x.with(shape: x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    guard case .neighborhood(let graph, _) = operands[1] else { preconditionFailure("typing wants a neighbourhood") }
    let candidates = operands.count > 2 ? operands[2].tensor : x
    let differences =
      switch kind {
      case .maxRelative:
        maxRelative(
          x.real, candidates.real, graph, shape: x.shape, candidates: candidates.shape[2] * candidates.shape[3],
          sign: direction == .neighborMinusSelf ? 1 : -1, start: start.map { T($0) })
      }
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: differences))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try requireFloat32(operands + results)
    guard let graph = operands[1].neighborhood else { preconditionFailure("typing wants a neighbourhood") }
    switch kind {
    case .maxRelative: buildMaxRelative(&builder, operands: operands, graph: graph, result: results[0])
    }
  }
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
