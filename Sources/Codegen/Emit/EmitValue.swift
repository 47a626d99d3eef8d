import IR

// Values: takes a `LoopValue` and gives C expressions, one a part, after the statements that they need.

extension FunctionEmitter {
  mutating func lower(_ value: LoopValue) throws -> LoweredValue {
    if let limited = try limited(value) { return limited }
    if let incremented = try incremented(value) { return incremented }
    switch value {
    case .constant(let number, let type): return constant(number, type)
    case .variable(let name): return try variable(name)
    case .element(let name, let index): return try element(of: name, index)
    case .load(let buffer, let index, let type, let mask): return try load(buffer, index, type, mask)
    case .splat(let operand, let lanes): return try splat(operand, lanes)
    case .index(let index, let type, let step): return self.index(index, type, step)
    case .firstLanes(let index, let lanes): return firstLanes(index, lanes)
    case .unary(let operation, let a): return try elementwise(operation.rawValue, [lower(a)])
    case .binary(let operation, let a, let b):
      return try elementwise(operation.rawValue, [lower(a), lower(b)])
    case .fma(let a, let b, let c): return try elementwise("fma", [lower(a), lower(b), lower(c)])
    case .compare(let operation, let a, let b):
      let operands = try [lower(a), lower(b)]
      return try elementwise(operation.rawValue, operands, result: .mask(lanes: operands[0].type.lanes))
    case .select(let mask, let a, let b): return try select(lower(mask), lower(a), lower(b))
    case .convert(let operand, let type, let saturating): return try convert(lower(operand), type, saturating)
    case .reinterpret(let operand, let type): return try reinterpret(lower(operand), type)
    case .shuffle(let a, let b, let lanes): return try shuffle(lower(a), b.map { try lower($0) }, lanes)
    case .permute(let a, let lanes): return try permute(lower(a), lower(lanes))
    case .compress(let mask, let a): return try compress(lower(mask), lower(a))
    case .gather(let buffer, let offsets, let type, let mask): return try gather(buffer, offsets, type, mask)
    case .reduce(let operation, let operand): return try reduce(operation, lower(operand))
    case .instruction(let name, let operands): return try instruction(name, operands)
    case .apply(let name, let operands): return try apply(name, operands)
    }
  }

  /// A one-lane mask or number as one expression.
  mutating func single(_ value: LoopValue) throws -> CExpression {
    let lowered = try lower(value)
    guard lowered.parts.count == 1, lowered.lanes == 1 else {
      throw Diagnostic("a single value is needed here, found \(lowered.type)")
    }
    return lowered.parts[0]
  }

  // MARK: Leaves

  private mutating func constant(_ number: Double, _ type: LoopType) -> LoweredValue {
    guard let element = type.element else { preconditionFailure("constants have an element type") }
    let literal = CLiteral.expression(number, element)
    return spread(literal, isZero: number == 0 && number.sign == .plus, LoopType(element, lanes: type.lanes))
  }

  /// One expression in every lane of `type`.
  private mutating func spread(_ value: CExpression, isZero: Bool = false, _ type: LoopType) -> LoweredValue {
    let layout = layout(type)
    if layout.lanes == 1 {
      let shared = layout.parts > 1 && !value.isAtomic ? bind("s", layout.type, value) : value
      return LoweredValue(type: type, lanes: 1, parts: Array(repeating: shared, count: layout.parts))
    }
    let part = type.with(lanes: layout.lanes)
    let template = (isZero ? spelling("zero", part) : nil) ?? spelling("splat", part)
    guard let template else { return assemble(Array(repeating: value, count: type.lanes), type) }
    let vector = CExpression.spelled(template, [value])
    let shared = layout.parts > 1 ? bind("s", layout.type, vector) : vector
    return LoweredValue(type: type, lanes: layout.lanes, parts: Array(repeating: shared, count: layout.parts))
  }

  private func variable(_ name: String) throws -> LoweredValue {
    guard case .parts(let parts, let type) = bindings[name] else {
      throw Diagnostic("\(name) stands where a value is needed, and is none here")
    }
    return LoweredValue(type: type, lanes: layout(type).lanes, parts: parts.map { .name($0) })
  }

  private func element(of name: String, _ index: LoopIndex) throws -> LoweredValue {
    switch bindings[name] {
    case .variables(let elements, let type):
      guard let number = indices.constant(index), elements.indices.contains(number) else {
        preconditionFailure("\(name) was taken apart, so its indices are constants")
      }
      return LoweredValue(type: type, lanes: layout(type).lanes, parts: elements[number].map { .name($0) })
    case .arrays(let arrays, let type):
      let place = self.index(index)
      return LoweredValue(
        type: type, lanes: layout(type).lanes, parts: arrays.map { .subscripted(.name($0), place) })
    case .parts, nil: throw Diagnostic("\(name) is not a register array")
    }
  }

  private mutating func load(
    _ buffer: String, _ index: LoopIndex, _ type: LoopType, _ mask: LoopValue?
  ) throws -> LoweredValue {
    let layout = layout(type)
    let part = type.with(lanes: layout.lanes)
    if let mask {
      let mask = try lower(mask)
      if layout.lanes > 1, mask.lanes == layout.lanes, let template = spelling("maskload", part) {
        let parts = try mask.parts.enumerated().map {
          CExpression.spelled(template, [try pointer(buffer, index, plus: $0.offset * layout.lanes), $0.element])
        }
        return LoweredValue(type: type, lanes: layout.lanes, parts: parts)
      }
      let zero = CLiteral.expression(0, try self.buffer(buffer).element)
      let lanes = try scalars(mask).enumerated().map {
        CExpression.conditional($0.element, try loaded(buffer, index, plus: $0.offset, type), zero)
      }
      return assemble(lanes, type)
    }
    if layout.lanes > 1, let template = spelling("load", part) {
      let parts = try (0..<layout.parts).map {
        CExpression.spelled(template, [try pointer(buffer, index, plus: $0 * layout.lanes)])
      }
      return LoweredValue(type: type, lanes: layout.lanes, parts: parts)
    }
    return assemble(try (0..<type.lanes).map { try loaded(buffer, index, plus: $0, type) }, type)
  }

  private mutating func loaded(
    _ buffer: String, _ index: LoopIndex, plus offset: Int, _ type: LoopType
  ) throws -> CExpression {
    Self.truth(try element(buffer, index, plus: offset), type)
  }

  /// A bool out of memory is 0 or 1, whatever its byte holds: a caller's may hold another number.
  static func truth(_ element: CExpression, _ type: LoopType) -> CExpression {
    type.element == .bool ? .infix("!=", element, .integer(0)) : element
  }

  private mutating func splat(_ operand: LoopValue, _ lanes: Int) throws -> LoweredValue {
    if case .constant(let number, let type) = operand { return constant(number, type.with(lanes: lanes)) }
    if case .load(let buffer, let index, let element, mask: nil) = operand, element.lanes == 1 {
      let type = element.with(lanes: lanes)
      let layout = layout(type)
      if layout.lanes > 1, let template = spelling("broadcast", type.with(lanes: layout.lanes)) {
        let vector = CExpression.spelled(template, [try pointer(buffer, index)])
        let shared = layout.parts > 1 ? bind("s", layout.type, vector) : vector
        return LoweredValue(type: type, lanes: layout.lanes, parts: Array(repeating: shared, count: layout.parts))
      }
    }
    let value = try lower(operand)
    return spread(value.parts[0], value.type.with(lanes: lanes))
  }

  private mutating func index(_ index: LoopIndex, _ type: LoopType, _ step: Int) -> LoweredValue {
    guard let element = type.element else { preconditionFailure("an index becomes an integer") }
    let scalar = CType.named(element.cName)
    if step == 0 || type.lanes == 1 {
      return spread(.cast(scalar, self.index(index)), type)
    }
    let layout = layout(type)
    if layout.lanes > 1, let template = spelling("iota", type.with(lanes: layout.lanes)) {
      let parts = (0..<layout.parts).map {
        CExpression.spelled(template, [self.index(index + .constant($0 * layout.lanes))])
      }
      return LoweredValue(type: type, lanes: layout.lanes, parts: parts)
    }
    return assemble((0..<type.lanes).map { .cast(scalar, self.index(index + .constant($0))) }, type)
  }

  private mutating func firstLanes(_ index: LoopIndex, _ lanes: Int) -> LoweredValue {
    let type = LoopType.mask(lanes: lanes)
    let layout = layout(type)
    if layout.lanes > 1, let template = spelling("lanemask", type.with(lanes: layout.lanes)) {
      let parts = (0..<layout.parts).map {
        CExpression.spelled(template, [self.index(index - .constant($0 * layout.lanes))])
      }
      return LoweredValue(type: type, lanes: layout.lanes, parts: parts)
    }
    let count = self.index(index)
    return assemble((0..<lanes).map { .infix(">", count, .integer($0)) }, type)
  }

  // MARK: Lane by lane

  /// max(min(a, c), -c) for a positive constant c in one operation, if the target has it; nil for anything else. What
  /// becomes of a NaN's sign is then the target's.
  private mutating func limited(_ value: LoopValue) throws -> LoweredValue? {
    guard case .binary(.maximum, let inner, .constant(let low, let type)) = value,
      case .binary(.minimum, let a, .constant(let bound, _)) = inner, bound > 0, low == -bound,
      type.lanes > 1, spelling("limit", type.with(lanes: layout(type).lanes)) != nil
    else { return nil }
    return try elementwise("limit", [lower(a), constant(bound, type)])
  }

  /// a + (m ? 1 : 0) in one operation, if the target has it; nil for anything else.
  private mutating func incremented(_ value: LoopValue) throws -> LoweredValue? {
    guard case .binary(.add, let a, .select(let mask, .constant(1, let type), .constant(0, _))) = value,
      type.lanes > 1, layout(type).lanes == layout(.mask(lanes: type.lanes)).lanes,
      let template = spelling("increment", type.with(lanes: layout(type).lanes))
    else { return nil }
    let (number, chosen) = (try lower(a), try lower(mask))
    return LoweredValue(
      type: type, lanes: number.lanes, parts: zip(number.parts, chosen.parts).map { .spelled(template, [$0, $1]) })
  }

  /// An operation without lane crossing: the target's spelling on whole parts, or else one lane at a time.
  mutating func elementwise(
    _ operation: String, _ operands: [LoweredValue], result: LoopType? = nil
  ) throws -> LoweredValue {
    let first = operands[0]
    let result = result ?? first.type
    if operands.allSatisfy({ $0.lanes == first.lanes }), layout(result).lanes == first.lanes,
      let template = spelling(operation, first.part)
    {
      let parts = first.parts.indices.map { part in
        CExpression.spelled(template, operands.map { $0.parts[part] })
      }
      return LoweredValue(type: result, lanes: first.lanes, parts: parts)
    }
    guard let template = spelling(operation, first.type.with(lanes: 1)) else {
      throw Diagnostic("target \(target.name) cannot spell \(operation) on \(first.type)")
    }
    let lanes = operands.map { scalars($0) }
    return assemble(
      (0..<first.type.lanes).map { lane in .spelled(template, lanes.map { $0[lane] }) }, result)
  }

  private mutating func select(
    _ mask: LoweredValue, _ a: LoweredValue, _ b: LoweredValue
  ) throws -> LoweredValue {
    if a.lanes > 1, mask.lanes == a.lanes, b.lanes == a.lanes, let template = spelling("select", a.part) {
      let parts = a.parts.indices.map { CExpression.spelled(template, [mask.parts[$0], a.parts[$0], b.parts[$0]]) }
      return LoweredValue(type: a.type, lanes: a.lanes, parts: parts)
    }
    let (masks, thens, elses) = (scalars(mask), scalars(a), scalars(b))
    return assemble(masks.indices.map { .conditional(masks[$0], thens[$0], elses[$0]) }, a.type)
  }

  private mutating func convert(
    _ operand: LoweredValue, _ type: LoopType, _ saturating: Bool
  ) throws -> LoweredValue {
    let operation = saturating ? "saturate" : "convert"
    let layout = layout(type)
    if operand.type == type { return operand }
    if operand.lanes == layout.lanes, let template = spelling(operation, operand.part, type.with(lanes: layout.lanes)) {
      return LoweredValue(
        type: type, lanes: layout.lanes, parts: operand.parts.map { .spelled(template, [$0]) })
    }
    let scalar = type.with(lanes: 1)
    let source = operand.type.with(lanes: 1)
    guard let template = spelling(operation, source, scalar) ?? spelling("convert", source, scalar) else {
      // Half floats reach everything else through float.
      let isHalf = [ElementType.f16, .bf16].contains { $0 == operand.type.element || $0 == type.element }
      guard isHalf, operand.type.element != .f32, type.element != .f32 else {
        throw Diagnostic("target \(target.name) cannot convert \(operand.type) to \(type)")
      }
      let single = LoopType(.f32, lanes: type.lanes)
      return try convert(convert(operand, single, false), type, saturating)
    }
    return assemble(scalars(operand).map { .spelled(template, [$0]) }, type)
  }

  /// The target's own instruction if all its operands are one C value each; else its meaning, written out.
  private mutating func instruction(_ name: String, _ operands: [LoopValue]) throws -> LoweredValue {
    guard let instruction = target.instructions[name] else {
      throw Diagnostic("target \(target.name) has no instruction \(name)")
    }
    let layout = layout(instruction.result)
    let values = try operands.map { try lower($0) }
    if !instruction.spelling.isEmpty, layout.parts == 1, values.allSatisfy({ $0.parts.count == 1 }) {
      let call = CExpression.spelled(instruction.spelling, values.map { $0.parts[0] })
      return LoweredValue(type: instruction.result, lanes: layout.lanes, parts: [call])
    }
    let outer = bindings
    defer { bindings = outer }
    for (number, value) in values.enumerated() {
      let type = CType.constant(self.layout(value.type).type)
      bindings["a\(number)"] = .parts(declare("a\(number)", type, value.parts), value.type)
    }
    return try lower(instruction.semantics)
  }
}
