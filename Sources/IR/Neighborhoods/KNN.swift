import RealModule

/// Dilated nearest neighbours among the features (Han et al., ViG, arXiv:2206.00272; dilation after Li et al.,
/// arXiv:1904.03751).
///
/// Features are divided by their L2 norm, or by 1e-12 if that is larger. The distance of a pixel and a candidate is the
/// square of the Euclidean one, plus the positions' element if positions are given. Candidates in ascending order of
/// distance, the lower index first where distances are equal, give as neighbours those at the ranks 0, d, 2d, ..., (k -
/// 1) d for the dilation d. A candidate at a distance of plus infinity or NaN is never a neighbour; ranks that are left
/// are taken by candidate 0.
///
/// Operands after x [N, C, H, W]: the candidates' features [N, C, h, w], without which they are x, and the positions
/// [1, H * W, h * w].
public struct KNN: GraphConstruction {
  public static let kind = "knn"
  public static let dataNames = ["candidates?", "positions?"]

  /// How many neighbours a pixel has.
  public var k: Int
  public var dilation: Int

  /// The least norm that features are divided by.
  public static let leastNorm = 1e-12

  public init(k: Int, dilation: Int = 1) {
    self.k = k
    self.dilation = dilation
  }

  public init(_ reader: inout AttributeReader) throws {
    self.k = try reader.integer("k")
    self.dilation = try reader.integer("dilation", default: 1)
  }

  public var attributes: [Attribute] { [Attribute("k", .integer(k)), Attribute("dilation", .integer(dilation))] }

  public var selection: NearestSelection? {
    NearestSelection(count: k, step: dilation, leastNorm: Self.leastNorm)
  }

  public func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm {
    let pixels = height * width
    var candidates = pixels
    if let features = data.first {
      guard features.rank == 4, features.element.isFloat, features.shape[1] == channels else {
        throw Diagnostic("knn: the candidates are \(features), but must be images of \(channels) channels, like x")
      }
      candidates = features.shape[2] * features.shape[3]
    }
    if data.count > 1, data[1].shape != [1, pixels, candidates] || !data[1].element.isFloat {
      let expected = TensorType(.f32, [1, pixels, candidates])
      throw Diagnostic("knn: the positions are \(data[1]), but must be \(expected), a number for each distance")
    }
    for (name, value) in [("k", k), ("dilation", dilation)] where !(1...1 << 24).contains(value) {
      throw Diagnostic("knn: \(name) is \(value); it must be from 1 to \(1 << 24)")
    }
    if k * dilation > candidates {
      throw Diagnostic(
        "knn: \(k) neighbours with dilation \(dilation) need \(k * dilation) candidates of \(candidates)")
    }
    return .indices(count: k, candidates: candidates)
  }

  public func check(x: TensorType, data: [TensorType]) throws {
    for features in data.prefix(1) where features.shape[0] != x.shape[0] || features.element != x.element {
      throw Diagnostic("knn: the candidates are \(features), but must be of the batch and element type of x, \(x)")
    }
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    var indices: [Int] = []
    indices.reserveCapacity(x.shape[0] * x.shape[2] * x.shape[3] * k)
    forEachPixel(of: x, data: data) { _, distances, first, count in
      let ranked = nearest(distances, from: first, among: count, count: k * dilation)
      indices += stride(from: 0, to: k * dilation, by: dilation).map { ranked[$0] }
    }
    return .indices(indices, count: k)
  }

  /// The greatest difference between the distance of a neighbour at slot j and the one at rank j * dilation.
  public func violation<T: Real & BinaryFloatingPoint & Sendable>(
    of chosen: NeighborhoodValue, x: Tensor<T>, data: [Tensor<T>]
  ) throws -> T {
    guard case .indices(let indices, k) = chosen else { return .infinity }
    var worst: T = 0
    forEachPixel(of: x, data: data) { pixel, distances, first, count in
      let ranked = nearest(distances, from: first, among: count, count: k * dilation)
      let own = indices[(pixel * k)..<((pixel + 1) * k)]
      let repeats = Set(own).count < k && Set(ranked).count == k * dilation
      if repeats || own.contains(where: { !(0..<count).contains($0) }) {
        worst = .infinity
        return
      }
      for (slot, neighbor) in own.enumerated() where neighbor != ranked[slot * dilation] {
        let difference = abs(distances[first + neighbor] - distances[first + ranked[slot * dilation]])
        worst = difference.isNaN ? .infinity : max(worst, difference)
      }
    }
    return worst
  }

  /// Calls `body` for every pixel of the batch with its number, and with the distances of the candidates: `count` of
  /// them from `first` on.
  private func forEachPixel<T: Real & BinaryFloatingPoint & Sendable>(
    of x: Tensor<T>, data: [Tensor<T>], _ body: (_ pixel: Int, _ distances: [T], _ first: Int, _ count: Int) -> Void
  ) {
    let candidates = data.first ?? x
    let positions = data.count > 1 ? data[1].real : nil
    let channels = x.shape[1]
    let pixels = x.shape[2] * x.shape[3]
    let others = candidates.shape[2] * candidates.shape[3]
    for n in 0..<x.shape[0] {
      let a = normalized(x.real, image: n, channels: channels, pixels: pixels)
      let b = normalized(candidates.real, image: n, channels: channels, pixels: others)
      // Some rows at a time: all of them may not fit into memory.
      let rows = 256
      for first in stride(from: 0, to: pixels, by: rows) {
        let count = min(rows, pixels - first)
        let distances = squaredDistances(
          a, b, rows: first..<(first + count), pixels: pixels, others: others, channels: channels, positions)
        for row in 0..<count { body(n * pixels + first + row, distances, row * others, others) }
      }
    }
  }
}

/// The features of one image, [channels, pixels], each pixel's divided by their norm.
@specialized(where T == Float)
@specialized(where T == Double)
private func normalized<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], image: Int, channels: Int, pixels: Int
) -> [T] {
  let base = image * channels * pixels
  var norms = [T](repeating: 0, count: pixels)
  for place in 0..<(channels * pixels) { norms[place % pixels] += x[base + place] * x[base + place] }
  for pixel in 0..<pixels { norms[pixel] = max(norms[pixel].squareRoot(), T(KNN.leastNorm)) }
  return (0..<(channels * pixels)).map { x[base + $0] / norms[$0 % pixels] }
}

/// Squared distances as |a|^2 - 2 a b + |b|^2, [rows, others]; `a` is [channels, pixels] and `b` [channels, others].
@specialized(where T == Float)
@specialized(where T == Double)
private func squaredDistances<T: Real & BinaryFloatingPoint & Sendable>(
  _ a: [T], _ b: [T], rows: Range<Int>, pixels: Int, others: Int, channels: Int, _ positions: [T]?
) -> [T] {
  var own = [T](repeating: 0, count: rows.count * channels)
  var ownSquares = [T](repeating: 0, count: rows.count)
  for (row, pixel) in rows.enumerated() {
    for channel in 0..<channels {
      let value = a[channel * pixels + pixel]
      own[row * channels + channel] = value
      ownSquares[row] += value * value
    }
  }
  var otherSquares = [T](repeating: 0, count: others)
  for channel in 0..<channels {
    for other in 0..<others { otherSquares[other] += b[channel * others + other] * b[channel * others + other] }
  }
  var distances = [T](repeating: 0, count: rows.count * others)
  distances.withUnsafeMutableBufferPointer { result in
    guard let target = result.baseAddress else { return }
    own.withUnsafeBufferPointer { left in
      b.withUnsafeBufferPointer { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return }
        MatrixProduct.multiply(left, right, into: target, rows: rows.count, depth: channels, columns: others)
      }
    }
  }
  for row in 0..<rows.count {
    for other in 0..<others {
      let place = row * others + other
      distances[place] = ownSquares[row] - 2 * distances[place] + otherSquares[other]
      if let positions { distances[place] += positions[(rows.lowerBound + row) * others + other] }
    }
  }
  return distances
}

/// The indices of the `count` least of `total` distances that start at `first`, ascending.
@specialized(where T == Float)
@specialized(where T == Double)
private func nearest<T: Real & BinaryFloatingPoint & Sendable>(
  _ distances: [T], from first: Int, among total: Int, count: Int
) -> [Int] {
  var best = [T](repeating: .infinity, count: count)
  var who = [Int](repeating: 0, count: count)
  for index in 0..<total where distances[first + index] < best[count - 1] {
    let distance = distances[first + index]
    // It goes after all that are not farther: of equal ones, the one that was found first stays first.
    var place = count - 1
    while place > 0 && distance < best[place - 1] {
      best[place] = best[place - 1]
      who[place] = who[place - 1]
      place -= 1
    }
    best[place] = distance
    who[place] = index
  }
  return who
}
