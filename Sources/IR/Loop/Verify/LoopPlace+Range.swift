// What integer values can be: intervals over all lanes, out of declared ranges and arithmetic.

extension LoopPlace {
  /// The values a well-typed integer `value` can have in any lane; nil for floats and masks.
  func range(of value: LoopValue) -> IndexRange? {
    guard let element = try? scope.type(of: value).element, let all = element.integerRange.map(IndexRange.init(_:))
    else { return nil }
    // What leaves the type wraps around, so the result may be any number.
    let exact = exactRange(of: value, in: all)
    if computes(value), !exact.isFinite { return all }
    return all.contains(exact) ? exact : all
  }

  /// Whether a value is computed by arithmetic that may leave its type. For 64 bits a range without an end does not
  /// tell whether the arithmetic leaves the type.
  private func computes(_ value: LoopValue) -> Bool {
    switch value {
    case .unary(let operation, _): return operation == .negate || operation == .absolute
    case .binary(let operation, _, _):
      return operation == .add || operation == .subtract || operation == .multiply || operation == .shiftLeft
    case .reduce(let reduction, _): return reduction == .add
    case .convert(let inner, let type, let saturating):
      return !saturating && (try? scope.type(of: inner).element) != type.element
    case .index: return true
    case .constant, .variable, .element, .load, .splat, .firstLanes, .fma, .compare, .select, .reinterpret, .shuffle,
      .permute, .compress, .gather, .instruction, .apply:
      return false
    }
  }

  private func exactRange(of value: LoopValue, in all: IndexRange) -> IndexRange {
    func operand(_ value: LoopValue) -> IndexRange { range(of: value) ?? .everything }
    switch value {
    case .constant(let number, _): return Int(exactly: number).map { IndexRange($0) } ?? all
    case .variable(let name), .element(let name, _): return valueRanges[name] ?? all
    case .load(let buffer, _, _, let mask), .gather(let buffer, _, _, let mask):
      let elements = views[buffer]?.range ?? all
      return mask == nil ? elements : elements.union(IndexRange(0))
    case .splat(let inner, lanes: _): return operand(inner)
    case .index(let index, let type, let step):
      guard let form = form(of: index) else { return all }
      return analysis.range(of: form) + IndexRange(0, step * (type.lanes - 1))
    case .firstLanes, .compare, .fma: return all
    case .unary(let operation, let inner): return unaryRange(operation, operand(inner), all)
    case .binary(let operation, let a, let b): return binaryRange(operation, operand(a), operand(b), all)
    case .select(_, let a, let b): return operand(a).union(operand(b))
    case .convert(let inner, _, let saturating):
      guard let source = range(of: inner) else { return all }
      if all.contains(source) { return source }
      return saturating
        ? IndexRange(clamp(source.low, all), clamp(source.high, all)) : all
    case .reinterpret: return all
    case .shuffle(let a, let b, _): return b.map { operand(a).union(operand($0)) } ?? operand(a)
    case .permute(let inner, _): return operand(inner)
    case .compress(_, let inner): return operand(inner).union(IndexRange(0))
    case .reduce(let reduction, let inner):
      switch reduction {
      case .minimum, .maximum: return operand(inner)
      case .add:
        let lanes = (try? scope.type(of: inner).lanes) ?? 64
        return operand(inner) * lanes
      case .count: return IndexRange(0, (try? scope.type(of: inner).lanes) ?? 64)
      case .any, .all: return all
      }
    case .instruction, .apply: return all
    }
  }

  private func clamp(_ value: Int, _ range: IndexRange) -> Int { min(max(value, range.low), range.high) }

  private func unaryRange(_ operation: LoopUnary, _ a: IndexRange, _ all: IndexRange) -> IndexRange {
    switch operation {
    case .negate: return -a
    case .absolute:
      if a.low >= 0 { return a }
      return a.high <= 0 ? -a : IndexRange(0, max(-a.low, a.high))
    case .not, .squareRoot, .floor, .ceiling, .round: return all
    }
  }

  private func binaryRange(
    _ operation: LoopBinary, _ a: IndexRange, _ b: IndexRange, _ all: IndexRange
  ) -> IndexRange {
    switch operation {
    case .add: return a + b
    case .subtract: return a + -b
    case .multiply: return a * b
    case .minimum: return IndexRange(min(a.low, b.low), min(a.high, b.high))
    case .maximum: return IndexRange(max(a.low, b.low), max(a.high, b.high))
    case .and:
      // With a non-negative operand the result lies between 0 and that operand.
      if a.low >= 0 && b.low >= 0 { return IndexRange(0, min(a.high, b.high)) }
      if a.low >= 0 { return IndexRange(0, a.high) }
      return b.low >= 0 ? IndexRange(0, b.high) : all
    case .or, .xor:
      guard a.low >= 0, b.low >= 0 else { return all }
      guard a.isFinite, b.isFinite else { return IndexRange(0, IndexRange.limit) }
      var bits = 1
      while bits <= max(a.high, b.high), bits < IndexRange.limit { bits *= 2 }
      return IndexRange(0, bits - 1)
    case .shiftRight:
      guard b.low >= 0, b.high < 60 else { return all }
      guard a.isFinite else { return a.low >= 0 ? IndexRange(0, IndexRange.limit) : all }
      return IndexRange(min(a.low >> b.low, a.low >> b.high), max(a.high >> b.low, a.high >> b.high))
    case .shiftLeft:
      guard a.low >= 0, b.low >= 0, b.high < 60 else { return all }
      return IndexRange(a.low, (a * (1 << b.high)).high)
    case .divide: return all
    }
  }
}
