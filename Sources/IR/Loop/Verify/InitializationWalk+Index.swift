// Indices over the dimensions of open loops.

extension InitializationWalk {
  func index(_ index: LoopIndex) -> DimensionIndex {
    switch index {
    case .constant(let value): return DimensionIndex(value)
    case .variable(let name): return indices[name] ?? DimensionIndex(in: 0...Int(Int32.max), causes: [])
    case .add(let a, let b): return self.index(a) + self.index(b)
    case .subtract(let a, let b): return self.index(a) + self.index(b) * -1
    case .multiply(let a, let factor): return self.index(a) * factor
    case .divide(let a, let n):
      let (whole, rest) = split(self.index(a), n)
      let places = range(of: rest)
      let (low, high) = (floorDivide(places.lowerBound, n), floorDivide(places.upperBound, n))
      return whole + (low == high ? DimensionIndex(low) : known(in: low...high, of: [rest]))
    case .modulo(let a, let n):
      let rest = split(self.index(a), n).rest
      let places = range(of: rest)
      let period = floorDivide(places.lowerBound, n)
      if period == floorDivide(places.upperBound, n) { return rest + -n * period }
      return known(in: 0...n - 1, of: [rest])
    case .minimum(let a, let b):
      let (x, y) = (self.index(a), self.index(b))
      let difference = range(of: y + x * -1)
      if difference.lowerBound >= 0 { return x }
      if difference.upperBound <= 0 { return y }
      let (p, q) = (range(of: x), range(of: y))
      return known(
        in: min(p.lowerBound, q.lowerBound)...min(p.upperBound, q.upperBound), of: [x, y])
    case .maximum(let a, let b):
      let (x, y) = (self.index(a), self.index(b))
      let difference = range(of: y + x * -1)
      if difference.lowerBound >= 0 { return y }
      if difference.upperBound <= 0 { return x }
      let (p, q) = (range(of: x), range(of: y))
      return known(
        in: max(p.lowerBound, q.lowerBound)...max(p.upperBound, q.upperBound), of: [x, y])
    }
  }

  /// a = n * whole + rest, with the terms of `rest` not multiples of n.
  private func split(_ a: DimensionIndex, _ n: Int) -> (whole: DimensionIndex, rest: DimensionIndex) {
    var whole = DimensionIndex(0)
    var rest = a
    rest.terms.removeAll { $0.factor % n == 0 }
    whole.terms = a.terms.filter { $0.factor % n == 0 }.map { .init(dimension: $0.dimension, factor: $0.factor / n) }
    return (whole, rest)
  }

  func range(of index: DimensionIndex) -> ClosedRange<Int> {
    var (low, high) = (index.constant + index.slack.lowerBound, index.constant + index.slack.upperBound)
    for term in index.terms {
      let reach = term.factor * (dimensions[term.dimension].rounds - 1)
      if reach < 0 { low += reach } else { high += reach }
    }
    return low...high
  }

  /// An index of which only the range is known, since it is not a sum of the dimensions in `parts`.
  private func known(in range: ClosedRange<Int>, of parts: [DimensionIndex]) -> DimensionIndex {
    DimensionIndex(in: range, causes: parts.reduce(into: []) { $0.formUnion(loops(of: $1)) })
  }

  /// The loops that an index depends on, and everything else because of which it is not known exactly.
  func loops(of index: DimensionIndex) -> Set<LoopName> {
    index.causes.union(index.terms.map { dimensions[$0.dimension].name })
  }

  /// Whether a comparison holds in all rounds of the open loops, or in none; nil if that differs or is not known.
  func holds(_ comparison: LoopComparison) -> (answer: Bool?, causes: Set<LoopName>) {
    let difference = index(comparison.left) + index(comparison.right) * -1
    let places = range(of: difference)
    func all(_ isTrue: (Int) -> Bool) -> Bool? {
      let (low, high) = (isTrue(places.lowerBound), isTrue(places.upperBound))
      return low == high ? low : nil
    }
    let answer: Bool?
    switch comparison.relation {
    case .less: answer = all { $0 < 0 }
    case .lessOrEqual: answer = all { $0 <= 0 }
    case .greater: answer = all { $0 > 0 }
    case .greaterOrEqual: answer = all { $0 >= 0 }
    case .equal: answer = places == 0...0 ? true : places.contains(0) ? nil : false
    }
    return (answer, answer == nil ? loops(of: difference) : [])
  }
}
