import RealModule

/// Row-major strides of a shape, in elements.
func rowMajorStrides(_ shape: [Int]) -> [Int] {
  var strides = [Int](repeating: 1, count: shape.count)
  for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
  return strides
}

/// The shape two shapes broadcast to by numpy's rule; nil if they do not fit.
func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int]? {
  let rank = max(a.count, b.count)
  var shape = [Int](repeating: 1, count: rank)
  for axis in 0..<rank {
    let x = axis < rank - a.count ? 1 : a[axis - (rank - a.count)]
    let y = axis < rank - b.count ? 1 : b[axis - (rank - b.count)]
    guard x == y || x == 1 || y == 1 else { return nil }
    shape[axis] = x == 1 ? y : x
  }
  return shape
}

/// Strides with which a tensor of `shape` is read at indices of the `broadcast` shape: 0 along repeated axes.
func broadcastStrides(_ shape: [Int], to broadcast: [Int]) -> [Int] {
  let own = rowMajorStrides(shape)
  let missing = broadcast.count - shape.count
  return broadcast.indices.map { axis in
    axis < missing || shape[axis - missing] == 1 ? 0 : own[axis - missing]
  }
}

/// Calls `body` with every index of `shape`, row-major.
func forEachIndex(_ shape: [Int], _ body: ([Int]) throws -> Void) rethrows {
  if shape.contains(0) { return }
  var index = [Int](repeating: 0, count: shape.count)
  while true {
    try body(index)
    var axis = shape.count - 1
    while axis >= 0 {
      index[axis] += 1
      if index[axis] < shape[axis] { break }
      index[axis] = 0
      axis -= 1
    }
    if axis < 0 { return }
  }
}

/// Where along one axis of the source each index of the result reads, as an element offset; nil reads the fill.
typealias AxisMap = [Int?]

extension Tensor {
  /// The tensor whose element (i, j, ...) is the source's at the sum of `maps[0][i]`, `maps[1][j]`, ...
  func gathered(_ maps: [AxisMap], fill: Double = 0) -> Tensor {
    let shape = maps.map(\.count)
    switch storage {
    case .real(let values):
      return Tensor(element: element, shape: shape, real: gather(values, maps, fill: T(fill)))
    case .integer(let values):
      return Tensor(element: element, shape: shape, integer: gather(values, maps, fill: Int64(fill)))
    }
  }

  /// The same elements under another shape of as many.
  func reshaped(_ shape: [Int]) -> Tensor {
    switch storage {
    case .real(let values): Tensor(element: element, shape: shape, real: values)
    case .integer(let values): Tensor(element: element, shape: shape, integer: values)
    }
  }
}

@specialized(where Element == Float)
@specialized(where Element == Double)
@specialized(where Element == Int64)
private func gather<Element>(_ source: [Element], _ maps: [AxisMap], fill: Element) -> [Element] {
  guard let last = maps.last else { return source }
  let inner = last.map { $0 ?? -1 }
  let outer = maps.dropLast()
  var result: [Element] = []
  result.reserveCapacity(maps.reduce(1) { $0 * $1.count })
  forEachIndex(outer.map(\.count)) { index in
    var base: Int? = 0
    for (axis, position) in index.enumerated() {
      guard let sum = base, let offset = outer[axis][position] else {
        base = nil
        break
      }
      base = sum + offset
    }
    if let base {
      for offset in inner { result.append(offset < 0 ? fill : source[base + offset]) }
    } else {
      result.append(contentsOf: repeatElement(fill, count: inner.count))
    }
  }
  return result
}
