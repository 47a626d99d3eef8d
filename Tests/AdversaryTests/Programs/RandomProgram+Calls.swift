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
}
