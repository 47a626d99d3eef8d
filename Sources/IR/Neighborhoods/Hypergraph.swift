import RealModule

/// Hyperedges by fuzzy c-means among the features (Han et al., Vision HGNN, ICCV 2023; the published code,
/// VITA-Group/ViHGNN, where it and the paper differ).
///
/// Each of up to 15 rounds takes the centres of the hyperedges, weighted by squared memberships, and then as
/// memberships the reciprocals of the squared distances (at least 1e-10), divided by their sum over a pixel's
/// hyperedges. From the second round on, the first one that changes the memberships of the whole batch by less than
/// 1e-3 (Frobenius norm) is the last.
///
/// A pixel is a member of a hyperedge if its membership is above 0.01. It is different if the batch has weak pixels,
/// whose largest membership is below 0.1. Then a weak pixel is a member of its nearest hyperedge alone, the first of
/// equals, and every other pixel is a member if its membership is above 0.5. A pixel of no hyperedge reads its nearest
/// one without being its member.
///
/// Operand after x [N, C, H, W]: the first memberships [N, H * W, hyperedges], of any positive scale.
public struct Hypergraph: GraphConstruction {
  public static let kind = "hypergraph"
  public static let dataNames = ["memberships"]

  public var hyperedges: Int

  // The numbers of the rules above.
  public static let mostRounds = 15
  public static let leastChange = 1e-3
  public static let leastDistance = 1e-10
  public static let membershipOfMembers = 0.01
  public static let weakMembership = 0.1
  public static let membershipBesideWeak = 0.5

  public init(hyperedges: Int) {
    self.hyperedges = hyperedges
  }

  public init(_ reader: inout AttributeReader) throws {
    self.hyperedges = try reader.integer("hyperedges")
  }

  public var attributes: [Attribute] { [Attribute("hyperedges", .integer(hyperedges))] }

  /// The last round and the rule for members depend on the whole batch.
  public var couplesImages: Bool { true }

  public var clustering: FuzzyClustering? {
    FuzzyClustering(
      hyperedges: hyperedges, mostRounds: Self.mostRounds, leastChange: Self.leastChange,
      leastDistance: Self.leastDistance, membershipOfMembers: Self.membershipOfMembers,
      weakMembership: Self.weakMembership, membershipBesideWeak: Self.membershipBesideWeak)
  }

  public func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm {
    guard (1...1 << 24).contains(hyperedges) else {
      throw Diagnostic("hypergraph: \(hyperedges) hyperedges; there must be from 1 to \(1 << 24)")
    }
    return .incidence(hyperedges: hyperedges)
  }

  public func check(x: TensorType, data: [TensorType]) throws {
    let expected = TensorType(x.element, [x.shape[0], x.shape[2] * x.shape[3], hyperedges])
    for memberships in data where memberships != expected {
      throw Diagnostic("hypergraph: the first memberships are \(memberships), but must be \(expected)")
    }
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    incidence(memberships(x, first: data[0]), batch: x.shape[0], pixels: x.shape[2] * x.shape[3])
  }

  /// The memberships [batch, pixels, hyperedges] after the last round.
  private func memberships<T: Real & BinaryFloatingPoint & Sendable>(_ x: Tensor<T>, first: Tensor<T>) -> [T] {
    let pixels = x.shape[2] * x.shape[3]
    // Pixels x channels, which both products of a round need.
    let features = (0..<x.shape[0]).map { n in
      transposed(Array(x.real[(n * x.shape[1] * pixels)..<((n + 1) * x.shape[1] * pixels)]), rows: x.shape[1])
    }
    var memberships = first.real
    divideByRowSums(&memberships, columns: hyperedges)
    let size = pixels * hyperedges
    for round in 0..<Self.mostRounds {
      let before = memberships
      memberships = features.enumerated().flatMap { n, image in
        updatedMemberships(
          image, before[(n * size)..<((n + 1) * size)], channels: x.shape[1], hyperedges: hyperedges,
          leastDistance: T(Self.leastDistance))
      }
      let change = zip(memberships, before).reduce(0 as T) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      if round > 0 && change.squareRoot() < T(Self.leastChange) { break }
    }
    return memberships
  }

  /// Which pixels are members of which hyperedges, from memberships [batch, pixels, hyperedges].
  func incidence<T: Real & BinaryFloatingPoint & Sendable>(
    _ memberships: [T], batch: Int, pixels: Int
  ) -> NeighborhoodValue {
    let rows = (0..<(batch * pixels)).map { memberships[($0 * hyperedges)..<(($0 + 1) * hyperedges)] }
    let isWeak = rows.map { row in (row.max() ?? 0) < T(Self.weakMembership) }
    let anyIsWeak = isWeak.contains(true)
    var nodeEdges: [[Int]] = []
    var edgeNodes = [[Int]](repeating: [], count: batch * hyperedges)
    for (node, row) in rows.enumerated() {
      let largest = row.max()
      let nearest = row.firstIndex { $0 == largest }.map { $0 - row.startIndex } ?? 0
      let threshold = T(anyIsWeak ? Self.membershipBesideWeak : Self.membershipOfMembers)
      let edges =
        isWeak[node] ? [nearest] : row.indices.filter { row[$0] > threshold }.map { $0 - row.startIndex }
      for edge in edges { edgeNodes[node / pixels * hyperedges + edge].append(node % pixels) }
      nodeEdges.append(edges.isEmpty ? [nearest] : edges)
    }
    return .incidence(nodeEdges: nodeEdges, edgeNodes: edgeNodes)
  }

  /// The greatest distance, among the memberships that differ, from what decided: a threshold or, if the nearest
  /// hyperedge was taken, the largest membership of the pixel. The memberships are those of the reference.
  public func violation<T: Real & BinaryFloatingPoint & Sendable>(
    of chosen: NeighborhoodValue, x: Tensor<T>, data: [Tensor<T>]
  ) throws -> T {
    let pixels = x.shape[2] * x.shape[3]
    guard case .incidence(let nodeEdges, let edgeNodes) = chosen, nodeEdges.count == x.shape[0] * pixels,
      edgeNodes.count == x.shape[0] * hyperedges
    else { return .infinity }
    var members = [[Int]](repeating: [], count: nodeEdges.count)
    for (edge, nodes) in edgeNodes.enumerated() {
      for node in nodes { members[edge / hyperedges * pixels + node].append(edge % hyperedges) }
    }
    let memberships = memberships(x, first: data[0])
    var someAreWeak: T = 0
    var noneIsWeak: T = 0
    var weakest = T.infinity
    for (node, edges) in members.enumerated() {
      let row = Array(memberships[(node * hyperedges)..<((node + 1) * hyperedges)])
      let largest = row.max() ?? 0
      weakest = min(weakest, largest)
      let asWeak = max(largest - T(Self.weakMembership), 0, distance(ofNearest: edges, nodeEdges[node], row))
      func asStrong(_ threshold: Double) -> T {
        let reads = distance(ofMembers: edges, nodeEdges[node], row, threshold: T(threshold))
        return max(T(Self.weakMembership) - largest, 0, reads)
      }
      someAreWeak = max(someAreWeak, min(asWeak, asStrong(Self.membershipBesideWeak)))
      noneIsWeak = max(noneIsWeak, asStrong(Self.membershipOfMembers))
    }
    return min(max(someAreWeak, weakest - T(Self.weakMembership)), noneIsWeak)
  }

  /// How far a pixel's only hyperedge is from its nearest.
  private func distance<T: BinaryFloatingPoint>(ofNearest members: [Int], _ reads: [Int], _ row: [T]) -> T {
    guard members.count == 1, reads == members, let largest = row.max() else { return .infinity }
    return largest - row[members[0]]
  }

  /// The greatest distance from the threshold among the memberships on its other side; for a hyperedge that is read by
  /// a pixel which is not a member, how far it is from the nearest one.
  private func distance<T: BinaryFloatingPoint>(
    ofMembers members: [Int], _ reads: [Int], _ row: [T], threshold: T
  ) -> T {
    var worst: T = 0
    for (edge, membership) in row.enumerated() where members.contains(edge) != (membership > threshold) {
      worst = max(worst, abs(membership - threshold))
    }
    if members.isEmpty {
      guard reads.count == 1, let largest = row.max() else { return .infinity }
      return max(worst, largest - row[reads[0]])
    }
    return reads == members ? worst : .infinity
  }

  /// Its rounds need memory of their own, which plain loops do not have.
  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {
    throw Diagnostic("hypergraph runs on f32 only, not on \(operands[0].type)")
  }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func divideByRowSums<T: Real & BinaryFloatingPoint & Sendable>(_ values: inout [T], columns: Int) {
  for first in stride(from: 0, to: values.count, by: columns) {
    var sum: T = 0
    for place in first..<(first + columns) { sum += values[place] }
    for place in first..<(first + columns) { values[place] /= sum }
  }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func transposed<T: Real & BinaryFloatingPoint & Sendable>(_ matrix: [T], rows: Int) -> [T] {
  let columns = matrix.count / rows
  var result = matrix
  for row in 0..<rows {
    for column in 0..<columns { result[column * rows + row] = matrix[row * columns + column] }
  }
  return result
}

/// One round for one image: `x` is [pixels, channels], the memberships are [pixels, hyperedges].
@specialized(where T == Float)
@specialized(where T == Double)
private func updatedMemberships<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], _ memberships: ArraySlice<T>, channels: Int, hyperedges: Int, leastDistance: T
) -> [T] {
  let pixels = x.count / channels
  let weights = memberships.map { $0 * $0 }
  var sums = [T](repeating: 0, count: hyperedges)
  for place in weights.indices { sums[place % hyperedges] += weights[place] }
  var centers = product(
    transposed(weights, rows: pixels), x, rows: hyperedges, depth: pixels, columns: channels)
  for place in centers.indices { centers[place] /= sums[place / channels] }
  var centerSquares = [T](repeating: 0, count: hyperedges)
  for place in centers.indices { centerSquares[place / channels] += centers[place] * centers[place] }
  var squares = [T](repeating: 0, count: pixels)
  for place in x.indices { squares[place / channels] += x[place] * x[place] }

  var result = product(
    x, transposed(centers, rows: hyperedges), rows: pixels, depth: channels, columns: hyperedges)
  for place in result.indices {
    let distance = squares[place / hyperedges] + centerSquares[place % hyperedges] - 2 * result[place]
    result[place] = 1 / max(distance, leastDistance)
  }
  divideByRowSums(&result, columns: hyperedges)
  // If a sum overflows or features are NaN, hyperedges cannot be compared.
  for place in result.indices where result[place].isNaN { result[place] = 1 / T(hyperedges) }
  return result
}

private func product<T: Real & BinaryFloatingPoint & Sendable>(
  _ a: [T], _ b: [T], rows: Int, depth: Int, columns: Int
) -> [T] {
  [T](unsafeUninitializedCapacity: rows * columns) { result, initialized in
    a.withUnsafeBufferPointer { left in
      b.withUnsafeBufferPointer { right in
        guard let left = left.baseAddress, let right = right.baseAddress, let target = result.baseAddress else {
          return
        }
        MatrixProduct.multiply(left, right, into: target, rows: rows, depth: depth, columns: columns)
      }
    }
    initialized = rows * columns
  }
}
