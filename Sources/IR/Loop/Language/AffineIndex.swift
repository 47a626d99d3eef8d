// The normal form that indices are proved things about: a constant plus integer multiples of atoms. An atom is a
// variable, or a quotient, remainder, minimum or maximum of normal forms that could not be simplified away. Atoms are
// numbered as they are met, so equal indices have equal forms and nothing depends on hashing order.

/// What a multiple in an `AffineIndex` is taken of.
indirect enum IndexAtom: Hashable {
  case variable
  case divide(AffineIndex, Int)
  case modulo(AffineIndex, Int)
  case minimum(AffineIndex, AffineIndex)
  case maximum(AffineIndex, AffineIndex)
}

struct AffineIndex: Hashable {
  struct Term: Hashable {
    var atom: Int
    var factor: Int
  }

  var constant: Int
  /// Terms by ascending atom number; no factor is zero.
  var terms: [Term] = []
  /// An addition or multiplication overflowed: nothing is known about the value.
  var isUnknown = false

  init(_ constant: Int) { self.constant = constant }

  init(atom: Int) {
    constant = 0
    terms = [Term(atom: atom, factor: 1)]
  }

  var isConstant: Bool { terms.isEmpty && !isUnknown }

  /// The atom's number, if the form is that atom and nothing else.
  var singleAtom: Int? { terms.count == 1 && constant == 0 && terms[0].factor == 1 && !isUnknown ? terms[0].atom : nil }

  func factor(of atom: Int) -> Int { terms.first { $0.atom == atom }?.factor ?? 0 }

  static func + (a: AffineIndex, b: AffineIndex) -> AffineIndex {
    var sum = AffineIndex(0)
    sum.isUnknown = a.isUnknown || b.isUnknown
    sum.constant = sum.checked(a.constant.addingReportingOverflow(b.constant))
    sum.terms.reserveCapacity(a.terms.count + b.terms.count)
    var i = 0
    var j = 0
    while i < a.terms.count || j < b.terms.count {
      if j == b.terms.count || (i < a.terms.count && a.terms[i].atom < b.terms[j].atom) {
        sum.terms.append(a.terms[i])
        i += 1
      } else if i == a.terms.count || b.terms[j].atom < a.terms[i].atom {
        sum.terms.append(b.terms[j])
        j += 1
      } else {
        let factor = sum.checked(a.terms[i].factor.addingReportingOverflow(b.terms[j].factor))
        if factor != 0 { sum.terms.append(Term(atom: a.terms[i].atom, factor: factor)) }
        i += 1
        j += 1
      }
    }
    return sum
  }

  static func * (a: AffineIndex, factor: Int) -> AffineIndex {
    if factor == 0 && !a.isUnknown { return AffineIndex(0) }
    var product = a
    product.constant = product.checked(a.constant.multipliedReportingOverflow(by: factor))
    for i in product.terms.indices {
      product.terms[i].factor = product.checked(product.terms[i].factor.multipliedReportingOverflow(by: factor))
    }
    product.terms.removeAll { $0.factor == 0 }
    return product
  }

  static func - (a: AffineIndex, b: AffineIndex) -> AffineIndex { a + b * -1 }

  static func + (a: AffineIndex, b: Int) -> AffineIndex { a + AffineIndex(b) }

  static func - (a: AffineIndex, b: Int) -> AffineIndex { a + AffineIndex(b) * -1 }

  /// The form with `atom` replaced.
  func replacing(_ atom: Int, by replacement: AffineIndex) -> AffineIndex {
    let factor = factor(of: atom)
    return factor == 0 ? self : without(atom) + replacement * factor
  }

  func without(_ atom: Int) -> AffineIndex {
    var rest = self
    rest.terms.removeAll { $0.atom == atom }
    return rest
  }

  private mutating func checked(_ result: (partialValue: Int, overflow: Bool)) -> Int {
    // Far from the largest `Int`, so that a caller's `+ 1` cannot trap.
    if result.overflow || result.partialValue.magnitude > UInt(IndexRange.limit) { isUnknown = true }
    return isUnknown ? 0 : result.partialValue
  }
}

/// Numbers the atoms of one verification.
final class IndexAtoms {
  private(set) var atoms: [IndexAtom] = []
  private var numbers: [IndexAtom: Int] = [:]

  subscript(number: Int) -> IndexAtom { atoms[number] }

  var count: Int { atoms.count }

  func freshVariable() -> Int {
    atoms.append(.variable)
    return atoms.count - 1
  }

  func number(_ atom: IndexAtom) -> Int {
    if let known = numbers[atom] { return known }
    atoms.append(atom)
    numbers[atom] = atoms.count - 1
    return atoms.count - 1
  }

  /// Whether every variable inside the atom is older than `variable`: its value is the same in every round of the
  /// loop that made `variable`.
  func isOlder(_ atom: Int, than variable: Int) -> Bool {
    func older(_ form: AffineIndex) -> Bool { form.terms.allSatisfy { isOlder($0.atom, than: variable) } }
    switch atoms[atom] {
    case .variable: return atom < variable
    case .divide(let a, _), .modulo(let a, _): return older(a)
    case .minimum(let a, let b), .maximum(let a, let b): return older(a) && older(b)
    }
  }
}
