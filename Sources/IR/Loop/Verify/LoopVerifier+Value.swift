// Values and accesses: types first, then every load and gather inside, then what integers can be.

extension LoopVerifier {
  /// Checks `value` and everything in it; its type, or nil after reporting.
  @discardableResult
  mutating func verify(_ value: LoopValue, in place: LoopPlace) -> LoopType? {
    var type: LoopType?
    guard reporting({ type = try place.scope.type(of: value) }) else { return nil }
    verifyAccesses(of: value, in: place)
    return type
  }

  /// Checks `value` and that it is a `type`.
  @discardableResult
  mutating func verify(_ value: LoopValue, is type: LoopType, what: String, in place: LoopPlace) -> Bool {
    guard let found = verify(value, in: place) else { return false }
    if found != type { report("\(what) is a \(type), the value is a \(found)") }
    return found == type
  }

  @discardableResult
  mutating func verify(_ index: LoopIndex, in place: LoopPlace) -> Bool {
    guard reporting({ try place.scope.check(index) }) else { return false }
    return verify(index, fits: place.magnitude(of: index), in: place)
  }

  /// Checks that index arithmetic fits the C type it is computed in, which has 32 bits on the smallest machines.
  private mutating func verify(_ index: some CustomStringConvertible, fits most: Int?, in place: LoopPlace) -> Bool {
    if place.analysis.isUnreachable { return true }
    guard let most, most <= LoopPlace.mostIndex else {
      report("the arithmetic of \(index) may leave 32 bits")
      return false
    }
    return true
  }

  /// Checks what a comparison computes: C may have the difference of the two sides.
  mutating func verify(_ comparison: LoopComparison, in place: LoopPlace) {
    guard verify(comparison.left, in: place), verify(comparison.right, in: place) else { return }
    _ = verify(
      comparison.left, fits: place.magnitude(of: .subtract(comparison.left, comparison.right)), in: place)
  }

  /// Checks that a loop's variable fits, the value that ends the loop as well.
  mutating func verifyLast(_ to: LoopIndex, step: Int, in place: LoopPlace) -> Bool {
    verify(to, fits: place.magnitude(of: .add(to, .constant(step))), in: place)
  }

  /// Checks what integers `value` can be.
  mutating func verify(_ value: LoopValue, staysIn range: IndexRange?, what: String, in place: LoopPlace) {
    guard let range, !place.analysis.isUnreachable, let found = place.range(of: value) else { return }
    if !range.contains(found) {
      report("\(what) holds \(range.low)..\(range.high), and the value can be \(found.low)..\(found.high)")
    }
  }

  private mutating func verifyAccesses(of value: LoopValue, in place: LoopPlace) {
    for operand in value.operands { verifyAccesses(of: operand, in: place) }
    switch value {
    case .load(let buffer, let index, let type, let mask):
      guard let view = readable(buffer, in: place) else { return }
      verifyAccess(to: view, called: buffer, at: index, lanes: type.lanes, mask: mask, verb: "loads", in: place)
    case .gather(let buffer, let offsets, _, mask: _):
      guard let view = readable(buffer, in: place), let range = place.range(of: offsets) else { return }
      if !place.analysis.isUnreachable, !IndexRange(0, view.count - 1).contains(range) {
        report("gathers from \(buffer) at \(range.low)..\(range.high), outside its 0..\(view.count - 1)")
      }
    case .element(let name, let index):
      if case .register(_, count: let count?) = place.scope.names[name] {
        verifyElement(index, of: name, count: count, in: place)
      }
    case .binary(let operation, _, let b):
      guard operation == .shiftLeft || operation == .shiftRight,
        let bits = (try? place.scope.type(of: b).element).map({ 8 * $0.byteCount }), let range = place.range(of: b)
      else { return }
      if !IndexRange(0, bits - 1).contains(range) {
        report("shifts by \(range.low)..\(range.high) bits; 0..\(bits - 1) can be")
      }
    case .index(let index, _, step: _), .firstLanes(let index, lanes: _): verify(index, in: place)
    case .convert(let inner, let type, saturating: false): verifyConversion(of: inner, to: type, in: place)
    case .constant, .variable, .splat, .unary, .fma, .compare, .select, .convert, .reinterpret,
      .shuffle, .permute, .compress, .reduce, .instruction, .apply:
      break
    }
  }

  /// Checks that a float fits the integer it becomes: in C anything else is undefined.
  private mutating func verifyConversion(of value: LoopValue, to type: LoopType, in place: LoopPlace) {
    guard type.isInteger, let element = type.element, !place.analysis.isUnreachable,
      (try? place.scope.type(of: value).element)?.isFloat == true
    else { return }
    let range = place.realRange(of: value)
    if range.fits(element) { return }
    let known =
      range.isFinite && !range.mayBeNaN ? "can be \(range.low)..\(range.high)" : "has no bounds that are known"
    report("the float converted to \(type) \(known); saturate clamps it, and a min and max before it would be a bound")
  }

  private mutating func readable(_ buffer: String, in place: LoopPlace) -> LoopView? {
    guard let view = place.views[buffer] else {
      report("no buffer is called \(buffer)")
      return nil
    }
    if !view.isReadable { report("\(buffer) is an out parameter and is read; inout would allow it") }
    return view
  }

  mutating func verifyElement(_ index: LoopIndex, of name: String, count: Int, in place: LoopPlace) {
    guard verify(index, in: place), let form = place.form(of: index) else { return }
    // Registers are names in C: one that does not exist must not be spelled, not even where it is never reached.
    let isThere = IndexRange(0, count - 1).contains(place.analysis.range(of: form))
    if !isThere, place.analysis.isUnreachable || !place.analysis.proves(form, in: 0...max(count - 1, 0)) {
      report("\(name)[\(index)] may not exist: \(describe(form, in: place)), and \(name) has \(count) elements")
    }
  }

  /// Proves index, ..., index + lanes - 1 inside the view.
  mutating func verifyAccess(
    to view: LoopView, called name: String, at index: LoopIndex, lanes: Int, mask: LoopValue?, verb: String,
    in place: LoopPlace
  ) {
    guard verify(index, in: place), let form = place.form(of: index) else { return }
    let room = AffineIndex(view.count) - form
    let start = place.analysis.proves(nonNegative: form)
    var end = place.analysis.proves(nonNegative: room - lanes)
    if !end, let touched = place.touchedLanes(mask) { end = place.analysis.proves(nonNegative: room - touched) }
    if start && end { return }
    let width = lanes == 1 ? "" : " for \(lanes) lanes"
    report(
      "\(verb) \(name)[\(index)]\(width), not proved inside its \(view.count) elements",
      notes: [
        describe(form, in: place),
        start ? "the end may lie outside; a guard or a lanemask could say otherwise" : "the start may be negative",
      ])
  }

  func describe(_ form: AffineIndex, in place: LoopPlace) -> String {
    let range = place.analysis.range(of: form)
    return range.isFinite ? "the index can be \(range.low)..\(range.high)" : "the index has no finite range"
  }
}
