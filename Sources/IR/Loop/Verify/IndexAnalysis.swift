// What is known about indices at one place of a program, and proofs from it.
//
// Each variable has a range of integers; beyond that there are facts, affine forms that are not negative: the bounds
// of loops that depend on other variables, and guards. A proof of e >= 0 tries, in this order,
//   1. interval arithmetic over e (a minimum or maximum in it is taken as each of its two sides),
//   2. e >= 0 if e - q * f >= 0 for a fact f and q > 0 chosen to cancel one of e's terms, a few facts deep,
//   3. both cases of a minimum or maximum, each with the fact that goes with it.

/// A value type: a scope copies it and learns more.
struct IndexAnalysis {
  let atoms: IndexAtoms
  private var ranges: [Int: IndexRange] = [:]
  private var facts: [AffineIndex] = []
  /// The facts contradict each other: this place is never reached, and everything holds there.
  private(set) var isUnreachable = false

  init(atoms: IndexAtoms) {
    self.atoms = atoms
  }

  /// Whether another place of the same program is known to be reached under the same conditions.
  func knowsTheSame(as other: IndexAnalysis) -> Bool {
    isUnreachable == other.isUnreachable && facts == other.facts && ranges == other.ranges
  }

  // MARK: learning

  /// A new variable with values in `range`.
  mutating func variable(in range: IndexRange) -> AffineIndex {
    let atom = atoms.freshVariable()
    ranges[atom] = range
    if range.isEmpty { isUnreachable = true }
    return AffineIndex(atom: atom)
  }

  /// The variable of a loop from `from` up to, not including, `to`, as from + step * round; and the round.
  mutating func loopVariable(from: AffineIndex, to: AffineIndex, step: Int) -> (value: AffineIndex, round: Int) {
    let room = to - from - 1
    let last = range(of: room).divided(by: step).high
    let round = variable(in: IndexRange(0, last))
    if !room.isConstant { assume(nonNegative: divide(room, step) - round) }
    return (from + round * step, round.terms[0].atom)
  }

  mutating func assume(nonNegative form: AffineIndex) {
    let known = range(of: form)
    if known.high < 0 { isUnreachable = true }
    if known.low >= 0 { return }
    facts.append(form)
    if form.terms.count == 1, !form.isUnknown {
      let term = form.terms[0]
      // factor * atom + constant >= 0
      let bound =
        term.factor > 0
        ? IndexRange(-floorDivide(form.constant, term.factor), IndexRange.limit)
        : IndexRange(-IndexRange.limit, floorDivide(form.constant, -term.factor))
      ranges[term.atom] = range(ofAtom: term.atom).intersection(bound)
    }
  }

  mutating func assume(_ relation: LoopComparison.Relation, _ left: AffineIndex, _ right: AffineIndex) {
    switch relation {
    case .less: assume(nonNegative: right - left - 1)
    case .lessOrEqual: assume(nonNegative: right - left)
    case .equal:
      assume(nonNegative: right - left)
      assume(nonNegative: left - right)
    case .greaterOrEqual: assume(nonNegative: left - right)
    case .greater: assume(nonNegative: left - right - 1)
    }
  }

  /// What the failure of a comparison says.
  mutating func assumeNot(_ relation: LoopComparison.Relation, _ left: AffineIndex, _ right: AffineIndex) {
    switch relation {
    case .less: assume(.greaterOrEqual, left, right)
    case .lessOrEqual: assume(.greater, left, right)
    case .equal:
      // That two sides differ says something only if equality is the end of a range.
      let difference = range(of: left - right)
      if difference.low == 0 { assume(.greater, left, right) }
      if difference.high == 0 { assume(.less, left, right) }
    case .greaterOrEqual: assume(.less, left, right)
    case .greater: assume(.lessOrEqual, left, right)
    }
  }

  // MARK: ranges

  func range(of form: AffineIndex) -> IndexRange { range(of: form, splits: 6) }

  private func range(of form: AffineIndex, splits: Int) -> IndexRange {
    if form.isUnknown { return .everything }
    var plain = IndexRange(form.constant)
    var choice: (atom: Int, factor: Int, AffineIndex, AffineIndex, isMinimum: Bool)?
    for term in form.terms {
      plain = plain + range(ofAtom: term.atom) * term.factor
      switch atoms[term.atom] {
      case .minimum(let a, let b): choice = (term.atom, term.factor, a, b, true)
      case .maximum(let a, let b): choice = (term.atom, term.factor, a, b, false)
      case .variable, .divide, .modulo: break
      }
    }
    guard splits > 0, let choice else { return plain }
    let a = range(of: form.replacing(choice.atom, by: choice.2), splits: splits - 1)
    let b = range(of: form.replacing(choice.atom, by: choice.3), splits: splits - 1)
    // The atom is at most (minimum) or at least (maximum) each of its sides, and equal to one of them.
    let isUpper = choice.isMinimum == (choice.factor > 0)
    let both =
      isUpper
      ? IndexRange(min(a.low, b.low), min(a.high, b.high)) : IndexRange(max(a.low, b.low), max(a.high, b.high))
    return both.intersection(plain)
  }

  private func range(ofAtom atom: Int) -> IndexRange {
    let learned = ranges[atom] ?? .everything
    switch atoms[atom] {
    case .variable: return learned
    case .divide(let a, let n): return learned.intersection(range(of: a, splits: 2).divided(by: n))
    case .modulo(_, let n): return learned.intersection(IndexRange(0, n - 1))
    case .minimum(let a, let b):
      let (x, y) = (range(of: a, splits: 2), range(of: b, splits: 2))
      return learned.intersection(IndexRange(min(x.low, y.low), min(x.high, y.high)))
    case .maximum(let a, let b):
      let (x, y) = (range(of: a, splits: 2), range(of: b, splits: 2))
      return learned.intersection(IndexRange(max(x.low, y.low), max(x.high, y.high)))
    }
  }

  // MARK: proofs

  /// Whether `form` >= 0 can be shown wherever this place is reached.
  func proves(nonNegative form: AffineIndex) -> Bool {
    if isUnreachable || range(of: form).low >= 0 { return true }
    var budget = 400
    return proves(form, extra: [], depth: 4, budget: &budget)
  }

  /// Whether `form` lies in `bounds`.
  func proves(_ form: AffineIndex, in bounds: ClosedRange<Int>) -> Bool {
    proves(nonNegative: form - bounds.lowerBound) && proves(nonNegative: AffineIndex(bounds.upperBound) - form)
  }

  private func proves(_ form: AffineIndex, extra: [AffineIndex], depth: Int, budget: inout Int) -> Bool {
    if range(of: form).low >= 0 { return true }
    guard depth > 0, budget > 0, !form.isUnknown else { return false }
    budget -= 1
    for fact in facts + extra + factsAboutQuotients(in: form) {
      for term in form.terms {
        let cancelled = fact.factor(of: term.atom)
        guard cancelled != 0, (cancelled > 0) == (term.factor > 0) else { continue }
        let divisor = greatestCommonDivisor(cancelled, term.factor)
        let rest = form * (abs(cancelled) / divisor) - fact * (abs(term.factor) / divisor)
        if proves(rest, extra: extra, depth: depth - 1, budget: &budget) { return true }
      }
    }
    for term in form.terms {
      let sides: (AffineIndex, AffineIndex, isMinimum: Bool)
      switch atoms[term.atom] {
      case .minimum(let a, let b): sides = (a, b, true)
      case .maximum(let a, let b): sides = (a, b, false)
      case .variable, .divide, .modulo: continue
      }
      let order = sides.isMinimum ? sides.1 - sides.0 : sides.0 - sides.1
      let cases = [(sides.0, order), (sides.1, order * -1)]
      return cases.allSatisfy { side, fact in
        proves(
          form.replacing(term.atom, by: side), extra: extra + [fact], depth: depth - 1, budget: &budget)
      }
    }
    return false
  }

  /// n * div(a, n) <= a <= n * div(a, n) + n - 1, and mod(a, n) <= a if a is not negative.
  private func factsAboutQuotients(in form: AffineIndex) -> [AffineIndex] {
    form.terms.flatMap { term -> [AffineIndex] in
      let atom = AffineIndex(atom: term.atom)
      switch atoms[term.atom] {
      case .divide(let a, let n): return [a - atom * n, atom * n + (n - 1) - a]
      case .modulo(let a, _): return range(of: a).low >= 0 ? [a - atom] : []
      case .variable, .minimum, .maximum: return []
      }
    }
  }
}

/// The greatest common divisor of two integers that are not both zero; positive.
func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  var (x, y) = (abs(a), abs(b))
  while y != 0 { (x, y) = (y, x % y) }
  return x
}
