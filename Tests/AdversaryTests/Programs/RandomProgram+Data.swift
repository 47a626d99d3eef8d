import IR

/// Stages whose places come out of data, by arithmetic that wraps around, or out of indices close to 32 bits.
extension RandomProgram {
  /// Lists of places that are checked once and gathered with.
  func gathers(_ builder: inout LoopBuilder) -> LoopBuffer {
    let lanes = dice.pick([2, 4, 8])
    let count = lanes * dice.integer(1...4)
    let d = destination(count)
    let source = dice.pick(sources)
    let type = LoopType(dice.pick([ElementType.i32, .i16, .u8, .i64]))
    let last = min(source.count - 1, 100)
    let list = temporary(.arena, count, type.element ?? .i32, range: 0...last)
    builder.loop("i", 0, .constant(count), order: order) { builder, i in
      builder.store(list.name, i, self.scalar(list, Bounded(i, 0, count - 1), &builder))
    }
    builder.loop("i", 0, .constant(count), step: lanes, order: order) { builder, i in
      let wide = type.with(lanes: lanes)
      var offsets = LoopValue.load(list.name, i, wide)
      let n = self.dice.integer(0...2)
      if self.dice.oneIn(3) {
        offsets = .minimum(offsets + .constant(Double(n), wide), .constant(Double(last), wide))
      } else if self.dice.oneIn(3) {
        offsets = .maximum(offsets - .constant(Double(n), wide), .constant(0, wide))
      }
      let mask: LoopValue? = self.dice.oneIn(3) ? .firstLanes(.constant(count) - i - 1, lanes: lanes) : nil
      let from = LoopType(source.element, lanes: lanes)
      let gathered = LoopValue.gather(buffer: source.name, offsets, from, mask: mask)
      builder.store(d.name, i, self.value(gathered, from, d))
    }
    return d
  }

  /// An integer out of data and what it is between if arithmetic never wraps around: the mistake to make.
  private struct Estimate {
    var value: LoopValue
    var low: Int
    var high: Int
  }

  private func estimate(_ type: LoopType, _ b: Bounded, _ depth: Int, _ builder: inout LoopBuilder) -> Estimate {
    let all = type.element?.integerRange ?? 0...1
    func clipped(_ value: LoopValue, _ low: Int128, _ high: Int128) -> Estimate {
      let (bottom, top) = (Int128(all.lowerBound), Int128(all.upperBound))
      return Estimate(
        value: value, low: Int(min(max(low, bottom), top)), high: Int(min(max(high, bottom), top)))
    }
    if depth == 0 {
      if dice.oneIn(3) {
        let n = min(dice.pick([0, 1, 3, 7, 100, 127]), all.upperBound)
        return Estimate(value: .constant(Double(n), type), low: n, high: n)
      }
      let like = destinationLike(type.element ?? .i32, range: dice.oneIn(2) ? 0...min(100, all.upperBound) : nil)
      let v = builder.let("v", type, scalar(like, b, &builder))
      return Estimate(
        value: v, low: like.range?.lowerBound ?? all.lowerBound, high: like.range?.upperBound ?? all.upperBound)
    }
    let x = estimate(type, b, depth - 1, &builder)
    let y = estimate(type, b, dice.oneIn(2) ? 0 : depth - 1, &builder)
    let (a, c) = ((Int128(x.low), Int128(x.high)), (Int128(y.low), Int128(y.high)))
    switch dice.below(11) {
    case 0, 1: return clipped(x.value + y.value, a.0 + c.0, a.1 + c.1)
    case 2: return clipped(x.value - y.value, a.0 - c.1, a.1 - c.0)
    case 3:
      let n = dice.integer(2...5)
      return clipped(x.value * .constant(Double(n), type), a.0 * Int128(n), a.1 * Int128(n))
    case 4: return clipped(.minimum(x.value, y.value), min(a.0, c.0), min(a.1, c.1))
    case 5: return clipped(.maximum(x.value, y.value), max(a.0, c.0), max(a.1, c.1))
    case 6: return clipped(-x.value, -a.1, -a.0)
    case 7:
      let low = a.0 >= 0 ? a.0 : a.1 <= 0 ? -a.1 : 0
      return clipped(.unary(.absolute, x.value), low, max(-a.0, a.1))
    case 8:
      let n = dice.integer(0...3)
      let shifted = LoopValue.binary(dice.oneIn(2) ? .shiftRight : .shiftLeft, x.value, .constant(Double(n), type))
      guard case .binary(.shiftRight, _, _) = shifted else {
        return clipped(shifted, a.0 * Int128(1 << n), a.1 * Int128(1 << n))
      }
      return clipped(shifted, a.0 >> n, a.1 >> n)
    case 9: return clipped(.binary(.and, x.value, y.value), 0, min(a.1, c.1))
    default:
      // Through another type and back.
      let other = LoopType(dice.pick(Self.integers))
      let there = LoopValue.convert(x.value, other, saturating: dice.oneIn(2))
      return clipped(.convert(there, type, saturating: dice.oneIn(2)), a.0, a.1)
    }
  }

  /// Indices that are in range unless arithmetic wraps around.
  func derivedIndices(_ builder: inout LoopBuilder) -> LoopBuffer {
    let count = dice.integer(2...10)
    let d = destination(count)
    let source = dice.pick(sources)
    let type = LoopType(dice.pick(Self.integers))
    let last = min(source.count - 1, type.element?.integerRange?.upperBound ?? 0)
    builder.loop("i", 0, .constant(count), order: order) { builder, i in
      var e = self.estimate(type, Bounded(i, 0, count - 1), self.dice.integer(1...3), &builder)
      if e.low < 0 || self.dice.oneIn(6) {
        e = Estimate(value: .maximum(e.value, .constant(0, type)), low: max(e.low, 0), high: max(e.high, 0))
      }
      if e.high > last || self.dice.oneIn(6) {
        let most = LoopValue.constant(Double(last), type)
        e = Estimate(value: .minimum(e.value, most), low: min(e.low, last), high: min(e.high, last))
      }
      let k = builder.letIndex("k", range: e.low...max(e.low, e.high), e.value)
      let from = LoopType(source.element)
      builder.store(d.name, i, self.value(.load(source.name, k, from), from, d))
    }
    return d
  }

  /// Places out of indices that are about as large as 32 bits hold.
  func lateIndices(_ builder: inout LoopBuilder) -> LoopBuffer {
    let count = dice.integer(2...10)
    let d = destination(count)
    let type = LoopType(dice.pick([ElementType.i32, .u32, .i64]))
    let most = Int(Int32.max)
    builder.loop("i", 0, .constant(count), order: order) { builder, i in
      let loaded = self.scalar(self.destinationLike(type.element ?? .i32), Bounded(i, 0, count - 1), &builder)
      let top = self.dice.pick([most, most / 2, most / 3, 1000])
      let clamped = LoopValue.maximum(.minimum(loaded, .constant(Double(top), type)), .constant(0, type))
      let k = builder.letIndex("k", range: 0...top, clamped)
      var b = self.expression([Bounded(k, 0, top), Bounded(i, 0, count - 1)], 2)
      if self.dice.oneIn(2) {
        // A sum that is harmless, out of parts that are not.
        b = Bounded(k * 2 - k, 0, top)
      }
      let source = self.dice.pick(self.sources)
      let place =
        self.dice.oneIn(2)
        ? LoopIndex.modulo(b.index, source.count)
        : .minimum(.maximum(b.index, 0), .constant(source.count - 1))
      let from = LoopType(source.element)
      builder.store(d.name, i, self.value(.load(source.name, place, from), from, d))
    }
    return d
  }
}
