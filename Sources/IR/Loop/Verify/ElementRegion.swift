// Where an access goes in all rounds of the loops around it. Dimensions count the rounds of loops. An index is a
// constant plus multiples of dimensions; of any other index only the range is known.

/// Names a loop variable, or an index parameter, of a program: it can be looked at value by value.
struct LoopName: Hashable {
  var function: String
  var variable: String
}

/// A loop that is open where an index is used, taken as all of its rounds at once.
struct LoopDimension {
  var number: Int
  var name: LoopName
  /// Rounds, at least 1.
  var rounds: Int
}

/// An index: constant + factor * round for each term + some number in `slack`.
struct DimensionIndex {
  struct Term: Hashable {
    var dimension: Int
    var factor: Int
  }

  var constant = 0
  /// Terms by ascending dimension; no factor is zero.
  var terms: [Term] = []
  /// 0...0 if the index is exactly the sum.
  var slack = 0...0
  /// The loops and parameters that would make the index exact if they were looked at value by value.
  var causes: Set<LoopName> = []

  init(_ constant: Int) { self.constant = constant }

  init(in range: ClosedRange<Int>, causes: Set<LoopName>) {
    constant = range.lowerBound
    slack = 0...(range.upperBound - range.lowerBound)
    self.causes = causes
  }

  init(dimension: Int, step: Int, from start: DimensionIndex) {
    self = start
    add(DimensionIndex.Term(dimension: dimension, factor: step))
  }

  var isExact: Bool { slack == 0...0 }
  var isConstant: Bool { terms.isEmpty && isExact }

  private mutating func add(_ term: Term) {
    let place = terms.firstIndex { $0.dimension >= term.dimension } ?? terms.count
    if place < terms.count, terms[place].dimension == term.dimension {
      terms[place].factor += term.factor
      if terms[place].factor == 0 { terms.remove(at: place) }
    } else if term.factor != 0 {
      terms.insert(term, at: place)
    }
  }

  static func + (a: DimensionIndex, b: DimensionIndex) -> DimensionIndex {
    var sum = a
    sum.constant += b.constant
    for term in b.terms { sum.add(term) }
    sum.slack = (a.slack.lowerBound + b.slack.lowerBound)...(a.slack.upperBound + b.slack.upperBound)
    if !b.causes.isEmpty { sum.causes.formUnion(b.causes) }
    return sum
  }

  static func * (a: DimensionIndex, factor: Int) -> DimensionIndex {
    if factor == 0 { return DimensionIndex(0) }
    var product = a
    product.constant *= factor
    for place in product.terms.indices { product.terms[place].factor *= factor }
    let (low, high) = (a.slack.lowerBound * factor, a.slack.upperBound * factor)
    product.slack = min(low, high)...max(low, high)
    return product
  }

  static func + (a: DimensionIndex, b: Int) -> DimensionIndex {
    var sum = a
    sum.constant += b
    return sum
  }
}

/// Elements of one buffer or view: `width` of them from each address that the terms and strides lead to.
struct ElementRegion: Hashable {
  /// The buffer, or the view of a function.
  var root: String
  var constant: Int
  /// Over the dimensions of open loops.
  var terms: [DimensionIndex.Term]
  /// Over closed loops: a step and a count for each.
  var strides: [Stride] = []
  var width: Int

  struct Stride: Hashable {
    var step: Int
    var count: Int
  }

  /// The region with a loop closed: all of its rounds.
  func closed(over dimension: LoopDimension) -> ElementRegion {
    guard let place = terms.firstIndex(where: { $0.dimension == dimension.number }) else { return self }
    var closed = self
    let factor = closed.terms.remove(at: place).factor
    if factor < 0 { closed.constant += factor * (dimension.rounds - 1) }
    if dimension.rounds > 1 { closed.strides.append(Stride(step: abs(factor), count: dimension.rounds)) }
    return closed
  }

  /// The elements, relative to what the terms add; nil if they would be more than `most` runs.
  func elements(most: Int) -> ElementSet? {
    var length = width
    var apart: [Stride] = []
    for stride in strides.sorted(by: { $0.step < $1.step }) {
      if apart.isEmpty, stride.step <= length {
        length += stride.step * (stride.count - 1)
      } else {
        apart.append(stride)
      }
    }
    var count = 1
    for stride in apart {
      count = count.multipliedReportingOverflow(by: stride.count).partialValue
      if count > most || count < 1 { return nil }
    }
    if apart.isEmpty { return ElementSet(constant..<constant + length) }
    var set = ElementSet()
    var starts = [constant]
    for stride in apart.reversed() {
      starts = starts.flatMap { start in (0..<stride.count).map { start + $0 * stride.step } }
    }
    for start in starts.sorted() { set.append(start..<start + length) }
    return set
  }

  /// From the first element to the last.
  var hull: Range<Int> {
    constant..<constant + width + strides.reduce(0) { $0 + $1.step * ($1.count - 1) }
  }
}
