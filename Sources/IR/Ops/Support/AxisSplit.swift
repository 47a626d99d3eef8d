/// The element offsets of a row-major tensor as sums of an outer and an inner one: the inner axes are those an op
/// folds or normalises over. Both lists are row-major in their own axes.
struct AxisSplit {
  let outer: [Int]
  let inner: [Int]

  init(shape: [Int], inner axes: Set<Int>) {
    let strides = rowMajorStrides(shape)
    func offsets(_ chosen: [Int]) -> [Int] {
      chosen.reduce([0]) { offsets, axis in
        offsets.flatMap { base in (0..<shape[axis]).map { base + $0 * strides[axis] } }
      }
    }
    self.outer = offsets(shape.indices.filter { !axes.contains($0) })
    self.inner = offsets(shape.indices.filter { axes.contains($0) })
  }
}

/// The same split for loops.
struct LoopAxisSplit {
  let outerShape: [Int]
  let innerShape: [Int]
  private let isInner: [Bool]

  init(shape: [Int], inner axes: Set<Int>) {
    self.isInner = shape.indices.map(axes.contains)
    self.outerShape = shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
    self.innerShape = shape.indices.filter { axes.contains($0) }.map { shape[$0] }
  }

  /// The full index out of its two parts.
  func index(outer: [LoopIndex], inner: [LoopIndex]) -> [LoopIndex] {
    var outer = outer.makeIterator()
    var inner = inner.makeIterator()
    return isInner.compactMap { $0 ? inner.next() : outer.next() }
  }
}
