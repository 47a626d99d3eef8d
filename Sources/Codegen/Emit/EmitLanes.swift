import IR

// Values that cross lanes. Also the way from vectors to single lanes and back, for what the target has no instruction
// for.

extension FunctionEmitter {
  /// The lanes of a value, each as an expression that is cheap to repeat if it came from a vector.
  mutating func scalars(_ value: LoweredValue) -> [CExpression] {
    if value.lanes == 1 { return value.parts }
    return value.parts.flatMap { part -> [CExpression] in
      guard let element = value.type.element else {
        guard let template = spelling("bits", value.part) else {
          preconditionFailure("\(target.name) spells no bits of \(value.part)")
        }
        let bits = bind("bits", .int, .spelled(template, [part]))
        return (0..<value.lanes).map { .infix("&", .infix(">>", bits, .integer($0)), .integer(1)) }
      }
      guard let template = spelling("store", value.part) else {
        preconditionFailure("\(target.name) spells no store of \(value.part)")
      }
      let array = names.fresh("lanes")
      append(.declare(.named(element.cName), array, count: value.lanes))
      append(.expression(.spelled(template, [.name(array), part])))
      return (0..<value.lanes).map { .subscripted(.name(array), .integer($0)) }
    }
  }

  /// A value of `type` from its lanes.
  mutating func assemble(_ lanes: [CExpression], _ type: LoopType) -> LoweredValue {
    let layout = layout(type)
    if layout.lanes == 1 { return LoweredValue(type: type, lanes: 1, parts: lanes) }
    let part = type.with(lanes: layout.lanes)
    let parts = (0..<layout.parts).map { number -> CExpression in
      let own = Array(lanes[(number * layout.lanes)..<((number + 1) * layout.lanes)])
      if part.kind == .mask {
        guard let template = spelling("frombits", part) else {
          preconditionFailure("\(target.name) makes no \(part) from bits")
        }
        let bits = own.enumerated().map { CExpression.infix("<<", $0.element, .integer($0.offset)) }
        return .spelled(template, [bits.dropFirst().reduce(bits[0]) { .infix("|", $0, $1) }])
      }
      guard let template = spelling("assemble", part) else {
        preconditionFailure("\(target.name) makes no \(part) from lanes")
      }
      return .spelled(template, own.map { narrowed($0, part) })
    }
    return LoweredValue(type: type, lanes: layout.lanes, parts: parts)
  }

  /// The intrinsics take `char`, `short` and `int` for any signedness.
  private func narrowed(_ value: CExpression, _ type: LoopType) -> CExpression {
    switch type.element {
    case .i8, .u8, .bool: .cast(.named("char"), value)
    case .i16, .u16, .f16, .bf16: .cast(.named("short"), value)
    case .u32: .cast(.int, value)
    case .f32, .f64, .i32, .i64, .u64, nil: value
    }
  }

  /// The lanes as variables or literals, so that using one twice costs nothing.
  private mutating func boundScalars(_ value: LoweredValue) -> [CExpression] {
    let type = CType.named(value.type.element?.cName ?? "int")
    return scalars(value).map { $0.isAtomic ? $0 : bind("lane", type, $0) }
  }

  mutating func shuffle(_ a: LoweredValue, _ b: LoweredValue?, _ choice: [Int]) throws -> LoweredValue {
    let type = a.type.with(lanes: choice.count)
    if a.lanes > 1, a.parts.count == 1, choice.count == a.lanes {
      let list = CExpression.literal(choice.map(String.init).joined(separator: ", "))
      if let b, b.lanes == a.lanes, let template = spelling("shuffle2", a.part) {
        let second = choice.enumerated().reduce(0) { $1.element >= a.lanes ? $0 | 1 << $1.offset : $0 }
        return LoweredValue(
          type: type, lanes: a.lanes,
          parts: [.spelled(template, [try reused(a), try reused(b), list, .integer(second)])])
      }
      if b == nil, let template = spelling("shuffle", a.part) {
        return LoweredValue(type: type, lanes: a.lanes, parts: [.spelled(template, [a.parts[0], list])])
      }
    }
    var lanes = boundScalars(a)
    if let b { lanes += boundScalars(b) }
    return assemble(choice.map { lanes[$0] }, type)
  }

  private mutating func reused(_ value: LoweredValue) throws -> CExpression {
    value.parts[0].isAtomic ? value.parts[0] : bind("v", layout(value.type).type, value.parts[0])
  }

  mutating func permute(_ value: LoweredValue, _ lanes: LoweredValue) throws -> LoweredValue {
    let width = value.type.lanes
    let isWord = lanes.type.element == .i32 || lanes.type.element == .u32
    if value.lanes > 1, value.parts.count == 1, lanes.lanes == value.lanes, isWord,
      let template = spelling("permute", value.part)
    {
      return LoweredValue(
        type: value.type, lanes: value.lanes, parts: [.spelled(template, [value.parts[0], lanes.parts[0]])])
    }
    guard let element = value.type.element else { throw Diagnostic("permute takes no masks") }
    let table = names.fresh("table")
    append(.initialise(.constant(.named(element.cName)), table, count: width, scalars(value)))
    let chosen = scalars(lanes).map { lane in
      CExpression.subscripted(.name(table), .infix("&", lane, .integer(width - 1)))
    }
    return assemble(chosen, value.type)
  }

  /// Lanes are written in order. One that is left out is written as a zero, which the next one overwrites.
  mutating func compress(_ mask: LoweredValue, _ value: LoweredValue) throws -> LoweredValue {
    if value.lanes > 1, value.parts.count == 1, mask.lanes == value.lanes,
      let template = spelling("compress", value.part)
    {
      return LoweredValue(
        type: value.type, lanes: value.lanes, parts: [.spelled(template, [mask.parts[0], value.parts[0]])])
    }
    guard let element = value.type.element else { throw Diagnostic("compress takes no masks") }
    let zero = CLiteral.expression(0, element)
    let kept = zip(scalars(mask), scalars(value))
    if value.type.lanes == 1 { return assemble(kept.map { .conditional($0, $1, zero) }, value.type) }
    let front = names.fresh("front")
    let count = names.fresh("kept")
    append(.initialise(.named(element.cName), front, count: value.type.lanes, [zero]))
    append(.declare(.int, count, .integer(0)))
    for (number, (isKept, lane)) in kept.enumerated() {
      let flag = isKept.isAtomic ? isKept : bind("is_kept", .int, isKept)
      let place = CExpression.subscripted(.name(front), number == 0 ? .integer(0) : .name(count))
      append(.assign(place, .conditional(flag, lane, zero)))
      append(.assign(.name(count), .infix("+", .name(count), flag)))
    }
    return assemble((0..<value.type.lanes).map { .subscripted(.name(front), .integer($0)) }, value.type)
  }

  mutating func gather(
    _ buffer: String, _ offsets: LoopValue, _ type: LoopType, _ mask: LoopValue?
  ) throws -> LoweredValue {
    let offsets = try lower(offsets)
    let mask = try mask.map { try lower($0) }
    let layout = layout(type)
    let base = try self.buffer(buffer)
    let template = spelling(mask == nil ? "gather" : "maskgather", type.with(lanes: layout.lanes))
    if layout.lanes > 1, offsets.lanes == layout.lanes, offsets.type.element == .i32,
      mask?.lanes ?? layout.lanes == layout.lanes, let template
    {
      let parts = offsets.parts.indices.map { part in
        CExpression.spelled(template, [base.pointer, offsets.parts[part]] + (mask.map { [$0.parts[part]] } ?? []))
      }
      return LoweredValue(type: type, lanes: layout.lanes, parts: parts)
    }
    var lanes = scalars(offsets).map { Self.truth(.subscripted(base.pointer, $0), type) }
    if let mask {
      let zero = CLiteral.expression(0, base.element)
      lanes = zip(scalars(mask), lanes).map { .conditional($0, $1, zero) }
    }
    return assemble(lanes, type)
  }

  /// Halves the parts first, then the lanes of the last one: lane i with lane i + n/2 all the way.
  mutating func reduce(_ operation: LoopReduction, _ operand: LoweredValue) throws -> LoweredValue {
    let result = operand.type.with(lanes: 1)
    let combine: String
    switch operation {
    case .add, .minimum, .maximum: combine = operation.rawValue
    case .any: combine = "or"
    case .all: combine = "and"
    case .count: return count(operand)
    }
    var rest = operand
    while rest.parts.count > 1 {
      let half = rest.parts.count / 2
      let type = rest.type.with(lanes: rest.type.lanes / 2)
      let low = LoweredValue(type: type, lanes: rest.lanes, parts: Array(rest.parts[..<half]))
      let high = LoweredValue(type: type, lanes: rest.lanes, parts: Array(rest.parts[half...]))
      guard let template = spelling(combine, low.part) else {
        return try reduce(operation, lanesOnly(rest))
      }
      let parts = zip(low.parts, high.parts).map { CExpression.spelled(template, [$0, $1]) }
      rest = LoweredValue(type: type, lanes: rest.lanes, parts: parts)
    }
    if rest.lanes == 1 { return rest }
    switch operation {
    case .add, .minimum, .maximum:
      if let template = spelling("reduce" + combine, rest.part) {
        return LoweredValue(type: result, lanes: 1, parts: [.spelled(template, rest.parts)])
      }
    case .any, .all, .count:
      if let template = spelling(operation.rawValue, rest.part) {
        return LoweredValue(type: result, lanes: 1, parts: [.spelled(template, rest.parts)])
      }
    }
    return try reduce(operation, lanesOnly(rest))
  }

  private mutating func count(_ mask: LoweredValue) -> LoweredValue {
    let counts: [CExpression] =
      if mask.lanes > 1, let template = spelling(LoopReduction.count.rawValue, mask.part) {
        mask.parts.map { .spelled(template, [$0]) }
      } else {
        scalars(mask).map { .conditional($0, .integer(1), .integer(0)) }
      }
    let sum = counts.dropFirst().reduce(counts[0]) { .infix("+", $0, $1) }
    return LoweredValue(type: LoopType(.i32), lanes: 1, parts: [sum])
  }

  private mutating func lanesOnly(_ value: LoweredValue) throws -> LoweredValue {
    guard value.lanes > 1 else {
      throw Diagnostic("target \(target.name) cannot reduce \(value.type)")
    }
    return LoweredValue(type: value.type, lanes: 1, parts: scalars(value))
  }

  mutating func reinterpret(_ operand: LoweredValue, _ type: LoopType) throws -> LoweredValue {
    if operand.type == type { return operand }
    guard let from = operand.type.element, let to = type.element else {
      throw Diagnostic("bits takes no masks")
    }
    if operand.type.lanes == type.lanes {
      let layout = layout(type)
      if operand.lanes == layout.lanes, let template = spelling("bits", operand.part, type.with(lanes: layout.lanes)) {
        return LoweredValue(type: type, lanes: layout.lanes, parts: operand.parts.map { .spelled(template, [$0]) })
      }
      guard let template = spelling("bits", LoopType(from), LoopType(to)) else {
        throw Diagnostic("target \(target.name) cannot read \(operand.type) as \(type)")
      }
      return assemble(scalars(operand).map { .spelled(template, [$0]) }, type)
    }
    let source = names.fresh("bytes")
    let result = names.fresh("bytes")
    append(.initialise(.constant(.named(from.cName)), source, count: operand.type.lanes, scalars(operand)))
    append(.declare(.named(to.cName), result, count: type.lanes))
    append(.expression(.call("memcpy", [.name(result), .name(source), .literal("sizeof \(result)")])))
    return assemble((0..<type.lanes).map { .subscripted(.name(result), .integer($0)) }, type)
  }
}
