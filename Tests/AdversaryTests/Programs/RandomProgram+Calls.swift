import IR

/// Stages made of calls.
extension RandomProgram {
  /// Tiles, each a call of one function with views of its own.
  func calls(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rounds, width) = (dice.integer(1...5), dice.integer(1...9))
    let d = destination(rounds * width)
    let source = dice.pick(sources)
    let taken = dice.integer(1...source.count)
    let usesScratch = dice.oneIn(3)
    let s = temporary(usesScratch ? .scratch : .arena, width, dice.pick([.f32, .i32]))
    let name = "f\(functions.count)"
    let x = LoopBuffer("x", .input, source.element, count: taken, range: source.range)
    let y = LoopBuffer("y", .output, d.element, count: width, range: d.range)
    let z = LoopBuffer("z", .output, s.element, count: width)
    var parameters = [
      LoopParameter("x", .view(.read, x.element, count: taken, range: x.range)),
      LoopParameter("start", .index(0...(rounds - 1))),
      LoopParameter("y", .view(dice.pick([.write, .write, .readWrite]), y.element, count: width, range: y.range)),
    ]
    if usesScratch { parameters.append(LoopParameter("z", .view(.readWrite, z.element, count: width, range: nil))) }
    functions.append(LoopFunction(name, parameters, body(x, y, usesScratch ? z : nil, rounds)))
    builder.loop("i", 0, .constant(rounds), order: order) { builder, i in
      let offset = self.place(Bounded(i, 0, rounds - 1), source.count - taken + 1, &builder)
      var arguments: [LoopArgument] = [
        .view(buffer: source.name, offset), .index(i), .view(buffer: d.name, i * width),
      ]
      if usesScratch { arguments.append(.view(buffer: s.name, 0)) }
      builder.call(name, arguments)
    }
    return d
  }

  /// A function's body: `y` out of `x`, by way of `z` where there is one.
  private func body(_ x: LoopBuffer, _ y: LoopBuffer, _ z: LoopBuffer?, _ rounds: Int) -> [LoopStatement] {
    let outer = sources
    sources = [x]
    defer { sources = outer }
    var builder = LoopBuilder()
    builder.avoid(["x", "y", "z", "start"])
    if let z {
      builder.loop("j", 0, .constant(z.count)) { builder, j in
        let b = Bounded(LoopIndex.variable("start") * z.count + j, 0, rounds * z.count - 1)
        builder.store("z", j, self.scalar(z, b, &builder))
      }
      sources = [z]
    }
    let lanes = dice.pick([1, 2, 4, 8])
    if lanes > 1, y.count > lanes {
      builder.loop("j", 0, .constant(y.count), step: lanes) { builder, j in
        let mask = LoopValue.firstLanes(.constant(y.count) - j, lanes: lanes)
        let v = self.vector(y, Bounded(j, 0, y.count - 1), lanes, mask, &builder)
        builder.store("y", j, v, mask: mask)
      }
    } else {
      builder.loop("j", 0, .constant(y.count)) { builder, j in
        let b = Bounded(.variable("start") + j, 0, rounds + y.count - 2)
        builder.store("y", j, self.scalar(y, b, &builder))
      }
    }
    return builder.statements
  }

  /// A buffer that calls change where it lies: the same view twice, or one that is read and written.
  func inPlace(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rounds, width) = (dice.integer(1...4), dice.integer(1...8))
    let d = destination(rounds * width, dice.pick([.f32, .i32, .i8, .f64]))
    fill(d, &builder)
    let name = "f\(functions.count)"
    let type = LoopType(d.element)
    let isTwice = dice.oneIn(2)
    var body = LoopBuilder()
    body.avoid(["x", "y"])
    body.loop("j", 0, .constant(width)) { builder, j in
      let old = LoopValue.load(isTwice ? "x" : "y", j, type) + .constant(1, type)
      builder.store("y", j, self.value(old, type, d))
    }
    let y = LoopParameter("y", .view(isTwice ? .write : .readWrite, d.element, count: width, range: d.range))
    let x = LoopParameter("x", .view(.read, d.element, count: width, range: d.range))
    functions.append(LoopFunction(name, isTwice ? [x, y] : [y], body.statements))
    builder.loop("i", 0, .constant(rounds), order: order) { builder, i in
      let view = LoopArgument.view(buffer: d.name, i * width)
      builder.call(name, isTwice ? [view, view] : [view])
    }
    return d
  }

  /// Calls that get the whole buffer and the number of their part, some by way of another function.
  func callsByNumber(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (parts, width) = (dice.integer(1...6), dice.integer(1...5))
    let d = destination(parts * width)
    let source = dice.pick(sources)
    let x = LoopBuffer("x", .input, source.element, count: source.count, range: source.range)
    let y = LoopBuffer("y", .output, d.element, count: d.count, range: d.range)
    let views = [
      LoopParameter("x", .view(.read, x.element, count: x.count, range: x.range)),
      LoopParameter("y", .view(dice.pick([.write, .readWrite]), y.element, count: y.count, range: y.range)),
    ]
    let name = "f\(functions.count)"
    functions.append(
      LoopFunction(name, [LoopParameter("part", .index(0...(parts - 1)))] + views, partBody(x, y, parts, width)))
    let pass: [LoopArgument] = [.view(buffer: "x", 0), .view(buffer: "y", 0)]
    var called = (name: name, rounds: parts)
    if parts.isMultiple(of: 2), dice.oneIn(2) {
      // Two parts a call.
      let outer = "f\(functions.count)"
      let pair = LoopIndex.variable("pair") * 2
      var body: [LoopStatement] = [.call(name, [.index(pair)] + pass), .call(name, [.index(pair + 1)] + pass)]
      if dice.oneIn(2) {
        body = [
          .forLoop(
            "q", from: pair, to: pair + 2, step: 1, order: .serial, [.call(name, [.index(.variable("q"))] + pass)])
        ]
      }
      functions.append(LoopFunction(outer, [LoopParameter("pair", .index(0...(parts / 2 - 1)))] + views, body))
      called = (outer, parts / 2)
    }
    let whole: [LoopArgument] = [.view(buffer: source.name, 0), .view(buffer: d.name, 0)]
    let isReversed = dice.oneIn(4)
    builder.loop("i", 0, .constant(called.rounds), order: order) { builder, i in
      builder.call(called.name, [.index(isReversed ? .constant(called.rounds - 1) - i : i)] + whole)
    }
    return d
  }

  /// Writes one part of `y`, and reads some of it again.
  private func partBody(_ x: LoopBuffer, _ y: LoopBuffer, _ parts: Int, _ width: Int) -> [LoopStatement] {
    let outer = sources
    sources = [x]
    defer { sources = outer }
    var builder = LoopBuilder()
    builder.avoid(["x", "y", "part"])
    let part = LoopIndex.variable("part")
    builder.loop("j", 0, .constant(width)) { builder, j in
      let b = Bounded(part * width + j, 0, parts * width - 1)
      builder.store("y", part * width + j, self.scalar(y, b, &builder))
    }
    if dice.oneIn(3) {
      builder.ifIndex([LoopComparison(part, dice.pick(LoopComparison.Relation.allCases), .constant(dice.below(parts)))])
      {
        $0.store("y", part * width, self.constant(y))
      }
    }
    return builder.statements
  }
}
