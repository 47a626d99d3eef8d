// From a `LoopIndex` to its normal form, given the ranges of variables: what a range decides is simplified away.

extension IndexAnalysis {
  /// The normal form of `index`; nil if it mentions a name that `variables` does not know.
  func form(of index: LoopIndex, _ variables: [String: AffineIndex]) -> AffineIndex? {
    switch index {
    case .constant(let value): return AffineIndex(0) + AffineIndex(value)
    case .variable(let name): return variables[name]
    case .add(let a, let b): return both(a, b, variables).map { joined($0 + $1) }
    case .subtract(let a, let b): return both(a, b, variables).map { joined($0 - $1) }
    case .multiply(let a, let factor): return form(of: a, variables).map { $0 * factor }
    case .divide(let a, let n): return form(of: a, variables).map { divide($0, n) }
    case .modulo(let a, let n): return form(of: a, variables).map { modulo($0, n) }
    case .minimum(let a, let b): return both(a, b, variables).map { minimum($0, $1) }
    case .maximum(let a, let b): return both(a, b, variables).map { maximum($0, $1) }
    }
  }

  private func both(
    _ a: LoopIndex, _ b: LoopIndex, _ variables: [String: AffineIndex]
  ) -> (AffineIndex, AffineIndex)? {
    guard let a = form(of: a, variables), let b = form(of: b, variables) else { return nil }
    return (a, b)
  }

  func minimum(_ a: AffineIndex, _ b: AffineIndex) -> AffineIndex {
    let difference = range(of: b - a)
    if difference.low >= 0 { return a }
    if difference.high <= 0 { return b }
    return AffineIndex(atom: atoms.number(.minimum(a, b)))
  }

  func maximum(_ a: AffineIndex, _ b: AffineIndex) -> AffineIndex {
    let difference = range(of: b - a)
    if difference.low >= 0 { return b }
    if difference.high <= 0 { return a }
    return AffineIndex(atom: atoms.number(.maximum(a, b)))
  }

  func divide(_ a: AffineIndex, _ n: Int) -> AffineIndex {
    if a.isUnknown || n <= 0 { return unknown }
    var (whole, rest) = split(a, n)
    let restRange = range(of: rest).divided(by: n)
    if restRange.low == restRange.high { return whole + restRange.low }
    // div(g * r + c, g * m) is div(r + div(c, g), m).
    let common = rest.terms.reduce(n) { greatestCommonDivisor($0, $1.factor) }
    if common > 1 { rest = reduced(rest, common) }
    let m = n / common
    // div(div(b, k), m) is div(b, k * m).
    if let atom = rest.singleAtom, case .divide(let b, let k) = atoms[atom], k <= IndexRange.limit / m {
      whole = whole + AffineIndex(atom: atoms.number(.divide(b, k * m)))
    } else {
      whole = whole + AffineIndex(atom: atoms.number(.divide(rest, m)))
    }
    return whole
  }

  func modulo(_ a: AffineIndex, _ n: Int) -> AffineIndex {
    if a.isUnknown || n <= 0 { return unknown }
    var rest = split(a, n).rest
    // A remainder inside, by a multiple of n, may go.
    for term in rest.terms {
      if case .modulo(let b, let m) = atoms[term.atom], m % n == 0 {
        rest = split(rest.replacing(term.atom, by: b), n).rest
      }
    }
    let periods = range(of: rest).divided(by: n)
    if periods.low == periods.high { return rest - n * periods.low }
    // mod(g * r + c, g * m) is g * mod(r + div(c, g), m) + mod(c, g).
    let common = rest.terms.reduce(n) { greatestCommonDivisor($0, $1.factor) }
    let left = rest.constant - common * floorDivide(rest.constant, common)
    return AffineIndex(atom: atoms.number(.modulo(reduced(rest, common), n / common))) * common + left
  }

  /// a = n * whole + rest, with the terms of `rest` not multiples of n and its constant in 0..<n.
  private func split(_ a: AffineIndex, _ n: Int) -> (whole: AffineIndex, rest: AffineIndex) {
    var whole = AffineIndex(floorDivide(a.constant, n))
    var rest = AffineIndex(a.constant - n * floorDivide(a.constant, n))
    for term in a.terms {
      if term.factor % n == 0 {
        whole.terms.append(.init(atom: term.atom, factor: term.factor / n))
      } else {
        rest.terms.append(term)
      }
    }
    return (whole, rest)
  }

  private func reduced(_ a: AffineIndex, _ divisor: Int) -> AffineIndex {
    var quotient = AffineIndex(floorDivide(a.constant, divisor))
    quotient.terms = a.terms.map { .init(atom: $0.atom, factor: $0.factor / divisor) }
    return quotient
  }

  /// f * n * div(a, n) + f * mod(a, n) is f * a.
  private func joined(_ form: AffineIndex) -> AffineIndex {
    for term in form.terms {
      guard case .modulo(let a, let n) = atoms[term.atom], let quotient = divide(a, n).singleAtom,
        form.factor(of: quotient) == n.multipliedReportingOverflow(by: term.factor).partialValue
      else { continue }
      return joined(form.without(term.atom).without(quotient) + a * term.factor)
    }
    return form
  }

  private var unknown: AffineIndex {
    var form = AffineIndex(0)
    form.isUnknown = true
    return form
  }
}
