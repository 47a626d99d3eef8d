import IR

/// Stages that walk over all elements in some order: tiles with tails, flattened tiles, transposed and guarded writes.
extension RandomProgram {
  /// Vectors, and what is left over at the end in one of several ways.
  func tiles(_ builder: inout LoopBuilder) -> LoopBuffer {
    let lanes = dice.pick([2, 4, 8, 16])
    let count = dice.integer(lanes...(5 * lanes))
    let d = destination(count)
    let (style, order) = (dice.below(4), order)
    if style == 3 {
      let whole = count / lanes * lanes
      builder.loop("i", 0, .constant(whole), step: lanes, order: order) { builder, i in
        let v = self.vector(d, Bounded(i, 0, whole - lanes), lanes, nil, &builder)
        builder.store(d.name, i, v)
      }
      builder.loop("i", .constant(whole), .constant(count)) { builder, i in
        builder.store(d.name, i, self.scalar(d, Bounded(i, whole, count - 1), &builder))
      }
      return d
    }
    builder.loop("i", 0, .constant(count), step: lanes, order: style == 2 ? .serial : order) { builder, i in
      let b = Bounded(i, 0, count - 1)
      switch style {
      case 0:
        var mask = LoopValue.firstLanes(.constant(count) - i, lanes: lanes)
        if self.dice.oneIn(2) { mask = builder.let("m", .mask(lanes: lanes), mask) }
        let v = self.vector(d, b, lanes, mask, &builder)
        builder.store(d.name, i, v, mask: mask)
      case 1:
        builder.ifIndex([LoopComparison(i + .constant(lanes), .lessOrEqual, .constant(count))]) { builder in
          let v = self.vector(d, Bounded(i, 0, count - lanes), lanes, nil, &builder)
          builder.store(d.name, i, v)
        } else: { builder in
          builder.loop("j", i, .constant(count)) { builder, j in
            builder.store(d.name, j, self.scalar(d, Bounded(j, 0, count - 1), &builder))
          }
        }
      default:
        let at = LoopIndex.minimum(i, .constant(count - lanes))
        let v = self.vector(d, Bounded(at, 0, count - lanes), lanes, nil, &builder)
        builder.store(d.name, at, v)
      }
    }
    return d
  }

  /// One parallel loop over two or three dimensions, taken apart by div and mod.
  func flattened(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (a, b, width) = (dice.integer(1...5), dice.integer(2...5), dice.integer(1...6))
    let isSwapped = dice.oneIn(2)
    let d = destination(a * b * width)
    builder.loop("t", 0, .constant(a * b), order: order) { builder, t in
      let (row, column) = (LoopIndex.divide(t, b), LoopIndex.modulo(t, b))
      let tile = isSwapped ? column * a + row : row * b + column
      builder.loop("j", 0, .constant(width)) { builder, j in
        let v = self.scalar(d, Bounded(t, 0, a * b - 1), &builder)
        builder.store(d.name, tile * width + j, v)
      }
    }
    return d
  }

  /// Rounds that write with a stride.
  func transposed(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (rows, columns) = (dice.integer(2...7), dice.integer(2...7))
    let d = destination(rows * columns)
    let (order, isReversed) = (order, dice.oneIn(3))
    builder.loop("i", 0, .constant(rows), order: order) { builder, i in
      builder.loop("j", 0, .constant(columns), order: self.dice.oneIn(4) ? .unrolled : .serial) { builder, j in
        let row = isReversed ? .constant(rows - 1) - i : i
        builder.store(d.name, j * rows + row, self.scalar(d, Bounded(i * columns + j, 0, d.count - 1), &builder))
      }
    }
    return d
  }

  /// Parts that guards tell apart: a concatenation, a border, a roll.
  func guards(_ builder: inout LoopBuilder) -> LoopBuffer {
    let (count, order, style) = (dice.integer(6...40), order, dice.below(4))
    let d = destination(count)
    let cut = dice.integer(1...(count - 2))
    builder.loop("i", 0, .constant(count), order: order) { builder, i in
      let b = Bounded(i, 0, count - 1)
      let relation = self.dice.pick(LoopComparison.Relation.allCases)
      let test = LoopComparison(i, relation, .constant(cut))
      switch style {
      case 0:
        builder.ifIndex([test]) { builder in
          builder.store(d.name, i, self.scalar(d, b, &builder))
        } else: { builder in
          builder.store(d.name, i, self.constant(d))
        }
      case 1:
        // Every element from one side only: i < cut gets the mirror of what i >= cut gets.
        builder.ifIndex([LoopComparison(i, .less, .constant(cut))]) { builder in
          builder.store(d.name, .constant(cut - 1) - i, self.scalar(d, b, &builder))
        } else: { builder in
          builder.store(d.name, .constant(cut + count - 1) - i, self.scalar(d, b, &builder))
        }
      case 2:
        builder.store(d.name, i, self.constant(d))
        builder.ifIndex([LoopComparison(i, .greaterOrEqual, 1), test]) { builder in
          builder.store(d.name, i, self.scalar(d, Bounded(i - 1, 0, count - 2), &builder))
        }
      default:
        builder.store(d.name, .modulo(i + .constant(cut), count), self.scalar(d, b, &builder))
      }
    }
    return d
  }

  /// A square whose upper half is written over.
  func triangle(_ builder: inout LoopBuilder) -> LoopBuffer {
    let size = dice.integer(2...6)
    let d = destination(size * size)
    fill(d, &builder)
    let isMirrored = dice.oneIn(2)
    builder.loop("i", 0, .constant(size), order: isMirrored ? .serial : order) { builder, i in
      builder.loop("j", i + 1, .constant(size)) { builder, j in
        let v = self.scalar(d, Bounded(i * size + j, 0, size * size - 1), &builder)
        builder.store(d.name, i * size + j, v)
        if isMirrored { builder.store(d.name, j * size + i, .load(d.name, i * size + j, LoopType(d.element))) }
      }
    }
    return d
  }

  func fill(_ d: LoopBuffer, _ builder: inout LoopBuilder) {
    let order = order
    builder.loop("f", 0, .constant(d.count), order: order) { builder, f in
      builder.store(d.name, f, self.constant(d))
    }
  }

  /// Anything at all on top of a buffer that is filled, mostly inside it.
  func soup(_ builder: inout LoopBuilder) -> LoopBuffer {
    let d = destination(dice.integer(4...40))
    fill(d, &builder)
    soup(d, [], dice.integer(1...3), isParallel: false, &builder)
    return d
  }

  private func soup(
    _ d: LoopBuffer, _ variables: [Bounded], _ depth: Int, isParallel: Bool, _ builder: inout LoopBuilder
  ) {
    if depth == 0 {
      let b = expression(variables, 2)
      let source = dice.oneIn(3) && !isParallel ? d : dice.pick(sources)
      let from = LoopType(source.element)
      let v = value(.load(source.name, place(b, source.count, &builder), from), from, d)
      let at = isParallel && dice.oneIn(2) ? place(variables[0], d.count, &builder) : place(b, d.count, &builder)
      return builder.store(d.name, at, v)
    }
    for _ in 0..<dice.integer(1...2) {
      switch dice.below(5) {
      case 0 where !variables.isEmpty:
        let test = LoopComparison(
          expression(variables, 1).index, dice.pick(LoopComparison.Relation.allCases), .constant(dice.integer(0...9)))
        builder.ifIndex([test]) { builder in
          self.soup(d, variables, depth - 1, isParallel: isParallel, &builder)
        } else: { builder in
          if self.dice.oneIn(2) { self.soup(d, variables, depth - 1, isParallel: isParallel, &builder) }
        }
      case 1 where !variables.isEmpty:
        let source = dice.pick(sources.filter { ![.bool, .f16, .bf16].contains($0.element) } + [d])
        guard ![.bool, .f16, .bf16].contains(source.element), source.name != d.name else { continue }
        let loaded = LoopValue.load(source.name, place(variables[0], source.count, &builder), LoopType(source.element))
        builder.ifValue(.compare(.less, loaded, .constant(1, LoopType(source.element)))) { builder in
          self.soup(d, variables, depth - 1, isParallel: isParallel, &builder)
        }
      default:
        let (from, rounds, step) = (dice.integer(0...2), dice.integer(1...6), dice.pick([1, 1, 2, 3]))
        let opens = variables.isEmpty && dice.oneIn(2)
        let to = from + rounds * step
        builder.loop("v", .constant(from), .constant(to), step: step, order: opens ? .parallel : .serial) {
          builder, v in
          let inner = variables + [Bounded(v, from, to - 1)]
          self.soup(d, inner, depth - 1, isParallel: isParallel || opens, &builder)
        }
      }
    }
  }

  /// A sum, product or bound of variables, and what interval arithmetic says of it.
  func expression(_ variables: [Bounded], _ depth: Int) -> Bounded {
    if depth == 0 || variables.isEmpty {
      let n = dice.integer(0...5)
      return variables.isEmpty || dice.oneIn(4) ? Bounded(.constant(n), n, n) : dice.pick(variables)
    }
    let (a, b) = (expression(variables, depth - 1), expression(variables, depth - 1))
    let n = dice.integer(1...6)
    switch dice.below(7) {
    case 0, 1: return Bounded(.add(a.index, b.index), a.low + b.low, a.high + b.high)
    case 2: return Bounded(.subtract(a.index, b.index), a.low - b.high, a.high - b.low)
    case 3: return Bounded(.multiply(a.index, n), a.low * n, a.high * n)
    case 4: return Bounded(.divide(a.index, n), floorDivide(a.low, n), floorDivide(a.high, n))
    case 5: return Bounded(.modulo(a.index, n), 0, n - 1)
    default: return Bounded(.minimum(a.index, b.index), min(a.low, b.low), min(a.high, b.high))
    }
  }
}
