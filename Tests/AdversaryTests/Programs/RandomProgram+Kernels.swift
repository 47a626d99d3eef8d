import IR

/// Stages in the shapes of kernels: padded images, rings of rows, compaction, products in registers, iterations.
extension RandomProgram {
  /// An image in a frame, and a sum over a window of it.
  func windows(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (height, width) = (dice.integer(1...5), dice.integer(2...6))
    let d = destination(height * width)
    let element = dice.pick([ElementType.f32, .i32, .u8])
    let p = temporary(.arena, (height + 2) * (width + 2), element)
    if dice.oneIn(2) {
      fill(p, &builder)
    } else {
      builder.loop("f", 0, .constant(width + 2), order: .serial) { builder, f in
        builder.store(p.name, f, self.constant(p))
        builder.store(p.name, f + .constant((height + 1) * (width + 2)), self.constant(p))
      }
      builder.loop("f", 0, .constant(height), order: .serial) { builder, f in
        builder.store(p.name, (f + 1) * (width + 2), self.constant(p))
        builder.store(p.name, (f + 1) * (width + 2) + .constant(width + 1), self.constant(p))
      }
    }
    let (first, second) = (order, order)
    builder.loop("h", 0, .constant(height), order: first) { builder, h in
      builder.loop("w", 0, .constant(width)) { builder, w in
        let v = self.scalar(p, Bounded(h * width + w, 0, height * width - 1), &builder)
        builder.store(p.name, (h + 1) * (width + 2) + w + 1, v)
      }
    }
    builder.loop("h", 0, .constant(height), order: second) { builder, h in
      builder.loop("w", 0, .constant(width)) { builder, w in
        let sum = builder.register("sum", LoopType(element), .constant(0, LoopType(element)))
        builder.loop("a", 0, 3) { builder, a in
          builder.loop("b", 0, 3) { builder, b in
            let at = (h + a) * (width + 2) + w + b
            builder.assign(sum, .variable(sum) + .load(p.name, at, LoopType(element)))
          }
        }
        builder.store(d.name, h * width + w, self.value(.variable(sum), LoopType(element), d))
      }
    }
    return d
  }

  /// The last rows of something in a ring, in bands that run in parallel with a ring of their own each.
  func ring(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rows, width, depth) = (dice.integer(2...5), dice.integer(1...5), dice.integer(2...4))
    let bands = dice.integer(1...3)
    let d = destination(bands * rows * width)
    let isParallel = dice.oneIn(2)
    let r = temporary(isParallel ? .scratch : .arena, depth * width, dice.pick([.f32, .i32, .i16]))
    let lead = dice.integer(1...(depth - 1))
    builder.loop("band", 0, .constant(bands), order: isParallel ? .parallel : .serial) { builder, band in
      builder.loop("row", 0, .constant(rows + lead)) { builder, row in
        builder.loop("j", 0, .constant(width)) { builder, j in
          let v = self.scalar(r, Bounded(row * width + j, 0, (rows + lead) * width - 1), &builder)
          builder.store(r.name, .modulo(row, depth) * width + j, v)
        }
        builder.ifIndex([LoopComparison(row, .greaterOrEqual, .constant(lead))]) { builder in
          builder.loop("j", 0, .constant(width)) { builder, j in
            let back = self.dice.integer(0...lead)
            let old = LoopIndex.modulo(row - .constant(back), depth) * width + j
            let v = self.value(.load(r.name, old, LoopType(r.element)), LoopType(r.element), d)
            builder.store(d.name, (band * rows + row - .constant(lead)) * width + j, v)
          }
        }
      }
    }
    return d
  }

  /// The places where something holds, moved to the front of a list, and what is read by way of it.
  func compaction(_ builder: inout LoopBuilder) -> LoopBuffer {
    let count = dice.integer(4...20)
    let d = destination(count)
    let list = temporary(.arena, count, .i32, range: 0...(count - 1))
    let isFilled = dice.below(3) > 0
    if isFilled { fill(list, &builder) }
    let type = LoopType(.i32)
    let length = builder.register("length", type, range: 0...count, .constant(0, type))
    let tested = destinationLike(.i32)
    builder.loop("i", 0, .constant(count)) { builder, i in
      let x = self.scalar(tested, Bounded(i, 0, count - 1), &builder)
      builder.ifValue(.compare(.greater, x, .constant(0, type))) { builder in
        let last = LoopValue.constant(Double(count - 1), type)
        let k = builder.letIndex("k", range: 0...(count - 1), .minimum(.variable(length), last))
        builder.store(list.name, k, .index(i, type, step: 0))
        let next = LoopValue.variable(length) + .constant(1, type)
        builder.assign(length, .minimum(next, .constant(Double(count), type)))
      }
    }
    builder.loop("i", 0, .constant(count), order: .serial) { builder, i in
      builder.ifValue(.compare(.less, .index(i, type, step: 0), .variable(length))) { builder in
        let k = builder.letIndex("k", range: 0...(count - 1), .load(list.name, i, type))
        builder.store(d.name, i, self.scalar(d, Bounded(k, 0, count - 1), &builder))
      } else: { builder in
        builder.store(d.name, i, self.constant(d))
      }
    }
    return d
  }

  /// Stands for a register where a number of a type is wanted.
  func destinationLike(_ element: ElementType, range: ClosedRange<Int>? = nil) -> LoopBuffer {
    LoopBuffer("none", .arena, element, count: 1, range: range)
  }

  /// A product in an array of registers.
  func registers(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (lanes, rows, columns) = (dice.pick([1, 4, 8]), dice.integer(1...4), dice.integer(1...4))
    let d = destination(rows * lanes * columns)
    let type = LoopType(dice.pick([.f32, .f32, .i32, .i8, .f64]), lanes: lanes)
    let like = LoopBuffer("none", .arena, type.element ?? .f32, count: d.count)
    builder.loop("c", 0, .constant(columns), order: order) { builder, c in
      let acc = builder.fresh("acc")
      builder.append(.register(acc, type, count: rows, range: nil, .constant(0, type)))
      builder.loop("k", 0, .constant(self.dice.integer(1...3))) { builder, k in
        let w = builder.let("w", type, self.vector(like, Bounded(c, 0, columns - 1), lanes, nil, &builder))
        builder.loop("r", 0, .constant(rows), order: self.dice.oneIn(3) ? .serial : .unrolled) { builder, r in
          let sum = LoopValue.binary(self.dice.pick([.add, .maximum, .multiply]), .element(acc, r), w)
          builder.append(.assign(acc, element: r, sum))
        }
      }
      builder.loop("r", 0, .constant(rows), order: .unrolled) { builder, r in
        builder.store(d.name, (c * rows + r) * lanes, self.value(.element(acc, r), type, d))
      }
    }
    return d
  }

  /// An iteration that stops early.
  func earlyStop(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (count, most) = (dice.integer(2...12), dice.integer(1...9))
    let d = destination(count)
    let type = LoopType(.i32)
    builder.loop("i", 0, .constant(count), order: order) { builder, i in
      let r = builder.register("r", type, self.scalar(self.destinationLike(.i32), Bounded(i, 0, count - 1), &builder))
      let rounds = builder.register("rounds", type, range: 0...most, .constant(0, type))
      let goes = LoopValue.compare(.notEqual, .variable(r), .constant(0, type))
      builder.loop("t", atMost: most, while: goes) { builder, t in
        builder.assign(r, .binary(.divide, .variable(r), .constant(3, type)))
        builder.assign(rounds, .index(t + 1, type, step: 0))
      }
      builder.store(d.name, i, self.value(.variable(rounds), type, d))
    }
    return d
  }

  /// A temporary of each round: filled, then read in another order. Some fill too little, or in the wrong place.
  func scratchRounds(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rounds, width) = (dice.integer(2...4), dice.integer(2...8))
    let d = destination(rounds * width)
    let s = temporary(.scratch, width, dice.pick([.f32, .i32, .i8, .u16]), range: nil)
    let style = dice.below(8)
    func fillScratch(_ builder: inout LoopBuilder, _ round: LoopIndex) {
      builder.loop("j", 0, .constant(style == 1 ? width - 1 : width)) { builder, j in
        let v = self.scalar(s, Bounded(round * width + j, 0, rounds * width - 1), &builder)
        if style == 2 {
          builder.ifIndex([LoopComparison(j + round, .less, .constant(width))]) { $0.store(s.name, j, v) }
        } else {
          builder.store(s.name, j, v)
        }
      }
    }
    if style == 3 { fillScratch(&builder, 0) }
    builder.loop("i", 0, .constant(rounds), order: dice.oneIn(5) ? .serial : .parallel) { builder, i in
      if style == 4 {
        builder.ifIndex([LoopComparison(i, .equal, 0)]) { fillScratch(&$0, i) }
      } else if style != 3 {
        fillScratch(&builder, i)
      }
      builder.loop("j", 0, .constant(width)) { builder, j in
        let from = self.dice.pick([j, .constant(width - 1) - j, .modulo(j + 1, width), .modulo(j * 3 + i, width)])
        let v = self.value(.load(s.name, from, LoopType(s.element)), LoopType(s.element), d)
        builder.store(d.name, i * width + j, v)
      }
    }
    return d
  }
}
