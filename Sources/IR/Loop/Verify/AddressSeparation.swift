// Shows that different rounds of a loop reach different addresses, by reading an address like the digits of a number.
//
// All addresses are c * q + rest for one atom q and one c. If the rests of all accesses span less than |c|, equal
// addresses have equal q: they differ by c * (q - q') and by less than |c|. If other terms are larger than c, choose M
// and split the address into terms that are multiples of M and the others: if the others, q's term among them, span
// less than M, then equal addresses have equal others, and the argument holds for those alone.
//
// If q is the loop's round, rounds with equal addresses are one round. If the round appears only as div(q, n) and
// mod(q, n), as in a loop over flattened tiles, showing both equal shows q equal; and likewise inside the quotient.

struct AddressSeparation {
  private let accesses: [(access: LoopAccess, analysis: IndexAnalysis)]
  private let round: Int
  /// Terms that do not change from round to round and are the same in all accesses; they cancel.
  private let common: [AffineIndex.Term]
  /// The rounds in which each access happens.
  private let rounds: Set<IndexRange>

  init(_ given: [(access: LoopAccess, analysis: IndexAnalysis)], round: Int) {
    let variable = AffineIndex(atom: round)
    let factor = given.lazy.map { $0.access.address.factor(of: round) }.first { $0 != 0 } ?? 1
    let accesses = given.map { entry in
      // Under a guard that leaves one round, the address may be written with any multiple of the round in it.
      let own = entry.analysis.range(of: variable)
      guard own.low == own.high else { return entry }
      var moved = entry
      moved.access.address =
        entry.access.address + (variable - own.low) * (factor - entry.access.address.factor(of: round))
      return moved
    }
    self.accesses = accesses
    self.round = round
    rounds = Set(given.map { $0.analysis.range(of: variable) })
    let first = accesses.first?.access.address.terms ?? []
    common = first.filter { term in
      accesses.allSatisfy { entry in
        entry.analysis.atoms.isOlder(term.atom, than: round)
          && entry.access.address.factor(of: term.atom) == term.factor
      }
    }
  }

  /// Whether no two different rounds meet in any of the accesses.
  var isProved: Bool {
    if rounds.count == 1, rounds.allSatisfy({ $0.low == $0.high }) { return true }
    return !accesses.isEmpty && !accesses.contains { $0.access.address.isUnknown } && determines(round, depth: 3)
  }

  /// Whether equal addresses imply equal values of the atom.
  private func determines(_ atom: Int, depth: Int) -> Bool {
    if isDigit(atom) { return true }
    guard depth > 0, let analysis = accesses.first?.analysis else { return false }
    let form = AffineIndex(atom: atom)
    var divisors: [Int] = []
    for term in accesses[0].access.address.terms {
      if case .modulo(let a, let n) = analysis.atoms[term.atom], a == form, !divisors.contains(n) { divisors.append(n) }
    }
    return divisors.contains { n in
      guard let quotient = analysis.divide(form, n).singleAtom, let rest = analysis.modulo(form, n).singleAtom
      else { return false }
      return determines(rest, depth: depth - 1) && determines(quotient, depth: depth - 1)
    }
  }

  private func isDigit(_ atom: Int) -> Bool {
    let factor = accesses[0].access.address.factor(of: atom)
    guard factor != 0, accesses.allSatisfy({ $0.access.address.factor(of: atom) == factor }) else { return false }
    let lower = accesses.map { entry in
      common.reduce(entry.access.address) { $1.atom == atom ? $0 : $0.without($1.atom) }
    }
    if span(of: lower.map { $0.without(atom) }) < abs(factor) { return true }
    // The digit has to fit below the radix. In unrolled code the constants hold the strides.
    let digits = accesses.map { $0.analysis.range(of: AffineIndex(atom: atom)) }
    guard let low = digits.map(\.low).min(), let high = digits.map(\.high).max(), IndexRange(low, high).isFinite else {
      return false
    }
    let least = (IndexRange(0, high - low) * abs(factor)).high
    let strides = lower.flatMap { $0.terms.map { abs($0.factor) } }
    let candidates = Set(strides + lower.map { abs($0.constant - lower[0].constant) })
      .filter { $0 > max(least, abs(factor)) }.sorted()
    return candidates.contains { radix in
      [false, true].contains { wraps in
        let digits = lower.map { lowDigits($0, radix, keeping: atom, wraps ? lower[0].constant : nil) }
        return span(of: digits) < radix && span(of: digits.map { $0.without(atom) }) < abs(factor)
      }
    }
  }

  /// The terms that are not multiples of `radix`, and the constant; relative to `origin` and reduced if there is one.
  private func lowDigits(_ form: AffineIndex, _ radix: Int, keeping atom: Int, _ origin: Int?) -> AffineIndex {
    var low = form
    low.terms.removeAll { $0.factor % radix == 0 && $0.atom != atom }
    if let origin {
      let difference = form.constant - origin
      low.constant = difference - radix * floorDivide(difference, radix)
    }
    return low
  }

  /// The largest difference of two addresses touched, over all accesses with these forms.
  private func span(of forms: [AffineIndex]) -> Int {
    var all: IndexRange?
    for (form, entry) in zip(forms, accesses) {
      let range = entry.analysis.range(of: form) + IndexRange(0, entry.access.width - 1)
      all = all?.union(range) ?? range
    }
    guard let all, all.isFinite else { return Int.max }
    return all.high - all.low
  }
}
