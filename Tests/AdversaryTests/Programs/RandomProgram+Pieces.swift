import IR

/// Stages for the proof of initialisation and the search for races: temporaries filled piece by piece in many orders, and
/// rounds that guards tell apart.
extension RandomProgram {
  /// A temporary of the whole stage, or of each round, filled in pieces and read in another order.
  func pieces(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rounds, count) = (dice.integer(1...3), dice.integer(2...16))
    let t = temporary(dice.oneIn(2) ? .scratch : .arena, count, dice.pick([.f32, .i32, .u8, .i64]))
    let d = destination(rounds * count)
    let inRounds = t.storage == .scratch || dice.oneIn(2)
    let isParallel = t.storage == .scratch && dice.below(4) > 0
    if !inRounds { piecewise(t, &builder) }
    builder.loop("round", 0, .constant(rounds), order: isParallel ? .parallel : .serial) { builder, round in
      if inRounds { self.piecewise(t, &builder) }
      builder.loop("j", 0, .constant(count)) { builder, j in
        let b = Bounded(j, 0, count - 1)
        let from = self.dice.oneIn(2) ? j : self.place(b, count, &builder)
        let v = self.value(.load(t.name, from, LoopType(t.element)), LoopType(t.element), d)
        builder.store(d.name, round * count + j, v)
      }
    }
    return d
  }

  /// Writes all of `t`; a few ways only seem to.
  private func piecewise(_ t: LoopBuffer, _ builder: inout LoopBuilder) {
    let (n, half) = (t.count, t.count / 2)
    func loop(_ from: Int, _ to: Int, _ builder: inout LoopBuilder, _ at: @escaping (LoopIndex) -> LoopIndex) {
      builder.loop("p", .constant(from), .constant(to)) { builder, p in
        builder.store(t.name, at(p), self.scalar(t, Bounded(p, from, max(from, to - 1)), &builder))
      }
    }
    switch dice.below(14) {
    case 0:
      loop(0, (n + 1) / 2, &builder) { $0 * 2 }
      loop(0, n / 2, &builder) { $0 * 2 + 1 }
    case 1:
      loop(half, n, &builder) { $0 }
      loop(0, half, &builder) { $0 }
    case 2: loop(0, n, &builder) { .constant(n - 1) - $0 }
    case 3: loop(0, n, &builder) { .modulo($0 * 3 + 1, n) }
    case 4: loop(0, n + dice.integer(0...3), &builder) { .modulo($0, n) }
    case 5: loop(0, 2 * n - 1, &builder) { $0 / 2 }
    case 6: loop(0, n + 2, &builder) { .minimum($0, .constant(n - 1)) }
    case 7: guarded(t, &builder)
    case 8: recurrence(t, &builder)
    case 9: grid(t, &builder)
    case 10: byCall(t, &builder)
    case 11: stopping(t, &builder)
    case 12:
      loop(0, n, &builder) { $0 }
      loop(1, n, &builder) { $0 - 1 }
    default:
      let lanes = dice.pick([2, 4, 8])
      builder.loop("p", 0, .constant(n), step: lanes) { builder, p in
        let mask = LoopValue.firstLanes(.constant(n) - p, lanes: lanes)
        builder.store(t.name, p, self.vector(t, Bounded(p, 0, n - 1), lanes, mask, &builder), mask: mask)
      }
    }
  }

  /// Both branches of a guard write, or of a test of data; or one of them does.
  private func guarded(_ t: LoopBuffer, _ builder: inout LoopBuilder) {
    let (n, isWhole, isOfData) = (t.count, dice.below(3) > 0, dice.oneIn(2))
    let test = LoopComparison(.variable("p"), dice.pick(LoopComparison.Relation.allCases), .constant(dice.below(n)))
    builder.loop("p", 0, .constant(n)) { builder, p in
      let b = Bounded(p, 0, n - 1)
      let write: (inout LoopBuilder) -> Void = { $0.store(t.name, p, self.scalar(t, b, &$0)) }
      let orNot: (inout LoopBuilder) -> Void = { if isWhole { write(&$0) } }
      if isOfData {
        let x = self.scalar(self.destinationLike(.i32), b, &builder)
        builder.ifValue(.compare(.less, x, .constant(0, .i32)), write, else: orNot)
      } else {
        builder.ifIndex([LoopComparison(p, test.relation, test.right)], write, else: orNot)
      }
    }
  }

  /// Each element out of the one before.
  private func recurrence(_ t: LoopBuffer, _ builder: inout LoopBuilder) {
    let type = LoopType(t.element)
    builder.store(t.name, 0, constant(t))
    builder.loop("p", 1, .constant(t.count)) { builder, p in
      builder.store(t.name, p, .load(t.name, p - 1, type) + .constant(1, type))
    }
  }

  /// Rows and columns in either order, and what is left over.
  private func grid(_ t: LoopBuffer, _ builder: inout LoopBuilder) {
    let columns = dice.integer(1...max(1, t.count / 2))
    let rows = t.count / columns
    let isTransposed = dice.oneIn(2)
    builder.loop("p", 0, .constant(isTransposed ? columns : rows)) { builder, p in
      builder.loop("q", 0, .constant(isTransposed ? rows : columns)) { builder, q in
        builder.store(t.name, isTransposed ? q * columns + p : p * columns + q, self.constant(t))
      }
    }
    builder.loop("p", .constant(rows * columns), .constant(t.count)) { builder, p in
      builder.store(t.name, p, self.constant(t))
    }
  }

  /// Tiles, each written by a call; the function may leave its last element out.
  private func byCall(_ t: LoopBuffer, _ builder: inout LoopBuilder) {
    let tiles = dice.pick([1, 2, 3].filter { t.count % $0 == 0 })
    let (width, name) = (t.count / tiles, "f\(functions.count)")
    let written = dice.oneIn(4) ? max(1, width - 1) : width
    var body = LoopBuilder()
    body.loop("j", 0, .constant(written)) { $0.store("y", $1, self.constant(t)) }
    let access: LoopParameter.Access = dice.oneIn(3) ? .readWrite : .write
    let y = LoopParameter("y", .view(access, t.element, count: width, range: nil))
    functions.append(LoopFunction(name, [y], body.statements))
    builder.loop("p", 0, .constant(tiles)) { $0.call(name, [.view(buffer: t.name, $1 * width)]) }
  }

  /// A loop that data may end, with or without a fill before it.
  private func stopping(_ t: LoopBuffer, _ builder: inout LoopBuilder) {
    if dice.oneIn(2) {
      builder.loop("p", 0, .constant(t.count)) { $0.store(t.name, $1, self.constant(t)) }
    }
    let x = scalar(destinationLike(.i32), Bounded(0, 0, 0), &builder)
    let left = builder.register("left", .i32, x)
    let goes = LoopValue.compare(.notEqual, .variable(left), .constant(0, .i32))
    builder.loop("p", atMost: t.count, while: goes) { builder, p in
      builder.store(t.name, p, self.constant(t))
      if self.dice.oneIn(2) {
        let back = self.place(Bounded(p, 0, t.count - 1), t.count, &builder)
        builder.store(t.name, p, .load(t.name, back, LoopType(t.element)))
      }
      builder.assign(left, .binary(.shiftRight, .variable(left), .constant(1, .i32)))
    }
  }

  // MARK: rounds

  /// A parallel loop whose rounds write under guards, each to places of its own; or nearly.
  func splitRounds(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rounds, width) = (dice.integer(2...6), dice.integer(1...4))
    let d = destination(rounds * width + dice.integer(0...4))
    fill(d, &builder)
    let parts = dice.integer(1...3)
    builder.loop("i", 0, .constant(rounds), order: .parallel) { builder, i in
      for _ in 0..<parts {
        let edge = self.dice.below(rounds)
        let test = LoopComparison(
          self.dice.oneIn(4) ? .modulo(i, 2) : i, self.dice.pick(LoopComparison.Relation.allCases), .constant(edge))
        builder.ifIndex([test]) { builder in
          self.writeRound(d, i, rounds, width, &builder)
        } else: { builder in
          if self.dice.oneIn(2) { self.writeRound(d, i, rounds, width, &builder) }
        }
      }
    }
    return d
  }

  private func writeRound(_ d: LoopBuffer, _ i: LoopIndex, _ rounds: Int, _ width: Int, _ builder: inout LoopBuilder) {
    let last = d.count - 1
    let factor = dice.pick([width, width, 1, width + 1, -width])
    let start = factor < 0 ? (rounds - 1) * width : dice.pick([0, 0, 1, width, d.count - rounds * width])
    var at = LoopIndex.add(.multiply(i, factor), .constant(start))
    if dice.oneIn(5) { at = .constant(dice.below(d.count)) }
    if dice.oneIn(6) { at = .divide(i, 2) * 2 + .modulo(i, 2) }
    let most = max(start, start + factor * (rounds - 1))
    if most + width - 1 > last { at = .minimum(at, .constant(max(0, last - width + 1))) }
    let v = scalar(d, Bounded(i, 0, rounds - 1), &builder)
    let readsBack = dice.oneIn(4)
    builder.loop("j", 0, .constant(dice.oneIn(3) ? 1 : width)) { builder, j in
      let place = LoopIndex.minimum(at + j, .constant(last))
      if readsBack {
        let old = builder.let(
          "old", LoopType(d.element), .load(d.name, self.dice.oneIn(3) ? at : place, LoopType(d.element)))
        builder.store(d.name, place, old)
      } else {
        builder.store(d.name, self.dice.oneIn(3) ? place : at + j, v)
      }
    }
  }

  /// Vectors under masks out of data, lane numbers and both.
  func masked(_ builder: inout LoopBuilder) -> LoopBuffer {
    let lanes = dice.pick([2, 4, 8])
    let d = destination(dice.integer(lanes...(4 * lanes)))
    fill(d, &builder)
    let isTight = d.count % lanes == 0
    builder.loop("i", 0, .constant(d.count), step: lanes, order: order) { builder, i in
      let type = LoopType(.i32, lanes: lanes)
      let like = LoopBuffer("none", .arena, .i32, count: d.count)
      let first = LoopValue.firstLanes(.constant(d.count) - i, lanes: lanes)
      let x = self.vector(like, Bounded(i, 0, d.count - 1), lanes, first, &builder)
      let test = LoopValue.compare(self.dice.pick(LoopCompare.allCases), x, .constant(1, type))
      let mask =
        switch self.dice.below(isTight ? 5 : 3) {
        case 0: LoopValue.binary(.and, first, test)
        case 1: LoopValue.binary(.and, test, first)
        case 2: first
        case 3: test
        default: LoopValue.binary(.or, first, test)
        }
      let m = builder.let("m", .mask(lanes: lanes), mask)
      var v = self.vector(d, Bounded(i, 0, d.count - 1), lanes, self.dice.oneIn(2) ? m : first, &builder)
      if self.dice.oneIn(3) { v = self.value(.compress(m, v), LoopType(d.element, lanes: lanes), d) }
      builder.store(d.name, i, v, mask: m)
    }
    return d
  }
}
