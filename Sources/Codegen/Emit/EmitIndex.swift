import IR

// Index arithmetic: a `LoopIndex` becomes a sum of terms, folded, and then a C expression of type `ptrdiff_t`. Ranges
// tell when C's truncating `/` and `%` mean the same as the loop language's floor.

/// Terms times coefficients, in order of appearance, plus a constant.
struct LinearIndex: Hashable {
  var terms: [(atom: LoopIndex, factor: Int)] = []
  var constant = 0

  static func == (a: LinearIndex, b: LinearIndex) -> Bool {
    a.constant == b.constant && a.terms.count == b.terms.count
      && zip(a.terms, b.terms).allSatisfy { $0.atom == $1.atom && $0.factor == $1.factor }
  }

  func hash(into hasher: inout Hasher) { hasher.combine(constant) }

  mutating func add(_ atom: LoopIndex, _ factor: Int) {
    if let place = terms.firstIndex(where: { $0.atom == atom }) {
      terms[place].factor += factor
      if terms[place].factor == 0 { terms.remove(at: place) }
    } else if factor != 0 {
      terms.append((atom, factor))
    }
  }
}

/// What is known of the index variables in scope.
struct IndexScope {
  enum Binding {
    case constant(Int)
    case variable(String, ClosedRange<Int>)
  }

  /// Larger than any offset, small enough to multiply without overflow checks on every step.
  static let unknown = -(1 << 40)...(1 << 40)

  var bindings: [String: Binding] = [:]

  /// `index` with constants in and like terms together.
  func linear(_ index: LoopIndex) -> LinearIndex {
    var result = LinearIndex()
    accumulate(index, 1, &result)
    return result
  }

  private func accumulate(_ index: LoopIndex, _ factor: Int, _ result: inout LinearIndex) {
    switch index {
    case .constant(let value): result.constant += value * factor
    case .variable(let name):
      if case .constant(let value) = bindings[name] {
        result.constant += value * factor
      } else {
        result.add(index, factor)
      }
    case .add(let a, let b):
      accumulate(a, factor, &result)
      accumulate(b, factor, &result)
    case .subtract(let a, let b):
      accumulate(a, factor, &result)
      accumulate(b, -factor, &result)
    case .multiply(let a, let by): accumulate(a, factor * by, &result)
    case .divide(let a, let by): accumulate(folded: folded(a) / by, factor, &result)
    case .modulo(let a, let by): accumulate(folded: folded(a) % by, factor, &result)
    case .minimum(let a, let b):
      let (x, y) = (folded(a), folded(b))
      let (p, q) = (range(x), range(y))
      let chosen = p.upperBound <= q.lowerBound ? x : q.upperBound <= p.lowerBound ? y : .minimum(x, y)
      accumulate(folded: chosen, factor, &result)
    case .maximum(let a, let b):
      let (x, y) = (folded(a), folded(b))
      let (p, q) = (range(x), range(y))
      let chosen = p.lowerBound >= q.upperBound ? x : q.lowerBound >= p.upperBound ? y : .maximum(x, y)
      accumulate(folded: chosen, factor, &result)
    }
  }

  /// Adds an index whose operands are folded: only sums are taken apart again.
  private func accumulate(folded index: LoopIndex, _ factor: Int, _ result: inout LinearIndex) {
    switch index {
    case .divide, .modulo, .minimum, .maximum: result.add(index, factor)
    case .constant, .variable, .add, .subtract, .multiply: accumulate(index, factor, &result)
    }
  }

  /// The folded index, as an index again.
  func folded(_ index: LoopIndex) -> LoopIndex {
    let linear = linear(index)
    var result: LoopIndex?
    for (atom, factor) in linear.terms {
      let term = atom * factor
      result = result.map { $0 + term } ?? term
    }
    guard let result else { return .constant(linear.constant) }
    return linear.constant == 0 ? result : .add(result, .constant(linear.constant))
  }

  func constant(_ index: LoopIndex) -> Int? {
    let linear = linear(index)
    return linear.terms.isEmpty ? linear.constant : nil
  }

  func range(_ index: LoopIndex) -> ClosedRange<Int> {
    func clamped(_ low: Int, _ high: Int) -> ClosedRange<Int> {
      let limits = IndexScope.unknown
      let bottom = min(max(low, limits.lowerBound), limits.upperBound)
      return bottom...max(bottom, min(high, limits.upperBound))
    }
    switch index {
    case .constant(let value): return clamped(value, value)
    case .variable(let name):
      switch bindings[name] {
      case .constant(let value): return clamped(value, value)
      case .variable(_, let range): return clamped(range.lowerBound, range.upperBound)
      case nil: return IndexScope.unknown
      }
    case .add(let a, let b):
      let (x, y) = (range(a), range(b))
      return clamped(x.lowerBound + y.lowerBound, x.upperBound + y.upperBound)
    case .subtract(let a, let b):
      let (x, y) = (range(a), range(b))
      return clamped(x.lowerBound - y.upperBound, x.upperBound - y.lowerBound)
    case .multiply(let a, let by):
      let x = range(a)
      let (first, over) = x.lowerBound.multipliedReportingOverflow(by: by)
      let (second, under) = x.upperBound.multipliedReportingOverflow(by: by)
      if over || under { return IndexScope.unknown }
      return clamped(min(first, second), max(first, second))
    case .divide(let a, let by):
      let x = range(a)
      return clamped(floorDivide(x.lowerBound, by), floorDivide(x.upperBound, by))
    case .modulo(let a, let by):
      let x = range(a)
      return x.lowerBound >= 0 && x.upperBound < by ? x : 0...(by - 1)
    case .minimum(let a, let b):
      let (x, y) = (range(a), range(b))
      return clamped(min(x.lowerBound, y.lowerBound), min(x.upperBound, y.upperBound))
    case .maximum(let a, let b):
      let (x, y) = (range(a), range(b))
      return clamped(max(x.lowerBound, y.lowerBound), max(x.upperBound, y.upperBound))
    }
  }

  // MARK: C

  func expression(_ index: LoopIndex) -> CExpression { expression(linear(index)) }

  func expression(_ linear: LinearIndex) -> CExpression {
    var result: CExpression?
    // A positive term first, so that the sum does not start with a sign.
    let ordered = linear.terms.filter { $0.factor > 0 } + linear.terms.filter { $0.factor < 0 }
    for (atom, factor) in ordered {
      let size = abs(factor)
      let term = size == 1 ? self.atom(atom) : .infix("*", self.atom(atom), .integer(size))
      if let sum = result {
        result = .infix(factor < 0 ? "-" : "+", sum, term)
      } else {
        result = factor < 0 ? .prefix("-", term) : term
      }
    }
    guard let sum = result else { return .integer(linear.constant) }
    if linear.constant == 0 { return sum }
    return .infix(linear.constant < 0 ? "-" : "+", sum, .integer(abs(linear.constant)))
  }

  private func atom(_ index: LoopIndex) -> CExpression {
    switch index {
    case .variable(let name):
      guard case .variable(let spelled, _) = bindings[name] else {
        preconditionFailure("index \(name) is not in scope: the verifier should have said so")
      }
      return .name(spelled)
    case .divide(let a, let by):
      let operand = expression(a)
      return range(a).lowerBound >= 0
        ? .infix("/", operand, .integer(by)) : .call("vigc_floor_div", [operand, .integer(by)])
    case .modulo(let a, let by):
      let operand = expression(a)
      let values = range(a)
      if values.lowerBound >= 0 && values.upperBound < by { return operand }
      return values.lowerBound >= 0
        ? .infix("%", operand, .integer(by)) : .call("vigc_floor_mod", [operand, .integer(by)])
    case .minimum(let a, let b): return .call("vigc_min_index", [expression(a), expression(b)])
    case .maximum(let a, let b): return .call("vigc_max_index", [expression(a), expression(b)])
    case .constant, .add, .subtract, .multiply: return expression(index)
    }
  }
}
