// What type a value has, given the names in scope: in goes a `LoopValue`, out comes its `LoopType`, or a `Diagnostic`
// that says which rule the value breaks. The C printer, the verifier and the interpreter all ask here.
//
//   arithmetic  f32, f64 and the integers (not bool); f16 and bf16 only move: load, store, convert, select, shuffle
//   sqrt, floor, ceil, round, fma           f32 and f64
//   divide      f32, f64 and the integers
//   and, or, xor, not                       masks, integers and bool
//   shl, shr                                integers; shr is arithmetic where the type is signed
//   splat, select, shuffle, permute, compress, gather, convert, bits   elements, never masks
//   lanes       a power of two, at most 64

/// The names a value may mention and what they are.
public struct LoopScope: Sendable {
  /// What a name that is not a buffer stands for.
  public enum Binding: Hashable, Sendable {
    /// A loop variable, an index parameter or a `let` of type index.
    case index
    /// A `let`.
    case value(LoopType)
    /// A `var`; `count` is nil for one that is not an array.
    case register(LoopType, count: Int?)
  }

  public var names: [String: Binding]
  /// Element types of the buffers, or of a function's views, by name.
  public var buffers: [String: ElementType]
  public var instructions: [String: Target.Instruction]
  /// The value functions that may be applied here.
  public var valueFunctions: [String: LoopValueFunction]

  public init(
    names: [String: Binding] = [:], buffers: [String: ElementType] = [:],
    instructions: [String: Target.Instruction] = [:], valueFunctions: [String: LoopValueFunction] = [:]
  ) {
    self.names = names
    self.buffers = buffers
    self.instructions = instructions
    self.valueFunctions = valueFunctions
  }

  /// The scope the entry of `program` starts in: its buffers.
  public init(entryOf program: LoopProgram, target: Target) {
    self.init(
      buffers: Dictionary(program.buffers.map { ($0.name, $0.element) }, uniquingKeysWith: { first, _ in first }),
      instructions: target.instructions, valueFunctions: program.valueFunctionsByName)
  }

  /// The scope the body of `function` starts in: its parameters and the program's value functions.
  public init(bodyOf function: LoopFunction, target: Target, valueFunctions: [String: LoopValueFunction]) {
    self.init(instructions: target.instructions, valueFunctions: valueFunctions)
    for parameter in function.parameters {
      switch parameter.kind {
      case .view(_, let element, count: _, range: _): buffers[parameter.name] = element
      case .index: names[parameter.name] = .index
      }
    }
  }

  /// The scope the body of a value function starts in: its parameters and the value functions given, those above it.
  public init(bodyOf function: LoopValueFunction, target: Target, valueFunctions: [String: LoopValueFunction]) {
    self.init(instructions: target.instructions, valueFunctions: valueFunctions)
    for parameter in function.parameters { names[parameter.name] = .value(parameter.type) }
  }

  /// Adds the name that a `let` or a `var` binds for the statements after it, or that a loop binds for its body.
  public mutating func declare(_ statement: LoopStatement) {
    switch statement {
    case .letValue(let name, let type, _): names[name] = .value(type)
    case .letIndex(let name, range: _, _): names[name] = .index
    case .register(let name, let type, let count, range: _, _): names[name] = .register(type, count: count)
    case .forLoop(let name, from: _, to: _, step: _, order: _, _): names[name] = .index
    case .forWhile(let name, maximum: _, condition: _, _): names[name] = .index
    case .ifIndex, .ifValue, .assign, .store, .prefetch, .call, .layer: break
    }
  }

  /// The scope inside a loop over `name`, or after a `let` of an index.
  public func binding(_ name: String, to binding: Binding) -> LoopScope {
    var inner = self
    inner.names[name] = binding
    return inner
  }
}

extension LoopType: CustomStringConvertible {
  /// As the text form spells it: `f32`, `f32x8`, `maskx8`.
  public var description: String {
    let head =
      switch kind {
      case .element(let element): element.rawValue
      case .mask: "mask"
      }
    return lanes == 1 ? head : "\(head)x\(lanes)"
  }

  /// Whether add, sub, mul, min, max and comparisons take this type.
  var isArithmetic: Bool {
    switch element {
    case .f16, .bf16, .bool, nil: false
    case .f32, .f64, .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64: true
    }
  }

  var isRealArithmetic: Bool { element == .f32 || element == .f64 }

  /// Integers, without bool.
  var isInteger: Bool { isArithmetic && element?.isFloat == false }

  var isMask: Bool { kind == .mask }

  static func areValid(lanes: Int) -> Bool { (1...64).contains(lanes) && lanes.nonzeroBitCount == 1 }
}

extension LoopScope {
  /// The type of `value`, after checking all of it. Throws a `Diagnostic`.
  // Long because it is one switch over all values.
  public func type(of value: LoopValue) throws -> LoopType {
    switch value {
    case .constant(let number, let type): return try constantType(number, type)
    case .variable(let name): return try variableType(name)
    case .element(let name, let index):
      try check(index)
      guard case .register(let type, count: .some) = names[name] else {
        throw Diagnostic("\(name)[...] is read as a register array; \(describe(name))")
      }
      return type
    case .load(let buffer, let index, let type, let mask):
      try check(index)
      try check(buffer: buffer, holds: type)
      try check(mask: mask, lanes: type.lanes)
      return type
    case .splat(let operand, let lanes):
      let type = try type(of: operand)
      guard type.lanes == 1, !type.isMask else { throw Diagnostic("splat takes one element, found \(type)") }
      return try valid(type.with(lanes: lanes))
    case .index(let index, let type, let step):
      try check(index)
      guard type.isInteger else { throw Diagnostic("an index becomes an integer value, not \(type)") }
      guard step == 0 || step == 1 else { throw Diagnostic("an index steps by 0 or 1 a lane, not \(step)") }
      return try valid(type)
    case .firstLanes(let index, let lanes):
      try check(index)
      return try valid(.mask(lanes: lanes))
    case .unary(let operation, let operand): return try unaryType(operation, type(of: operand))
    case .binary(let operation, let a, let b): return try binaryType(operation, type(of: a), type(of: b))
    case .fma(let a, let b, let c):
      let types = try [type(of: a), type(of: b), type(of: c)]
      guard types[0] == types[1], types[1] == types[2], types[0].isRealArithmetic else {
        throw Diagnostic("fma takes three f32 or three f64 operands of as many lanes, found \(list(types))")
      }
      return types[0]
    case .compare(let operation, let a, let b):
      let types = try [type(of: a), type(of: b)]
      guard types[0] == types[1], types[0].isArithmetic else {
        throw Diagnostic("\(operation.rawValue) compares two operands of one arithmetic type, found \(list(types))")
      }
      return .mask(lanes: types[0].lanes)
    case .select(let mask, let a, let b):
      let types = try [type(of: a), type(of: b)]
      guard types[0] == types[1], !types[0].isMask else {
        throw Diagnostic("select chooses between two operands of one element type, found \(list(types))")
      }
      try check(mask: mask, lanes: types[0].lanes)
      return types[0]
    case .convert(let operand, let type, saturating: _):
      let source = try self.type(of: operand)
      guard !source.isMask, !type.isMask, source.lanes == type.lanes else {
        throw Diagnostic("convert keeps the lanes and takes no masks, found \(source) to \(type)")
      }
      return try valid(type)
    case .reinterpret(let operand, let type): return try reinterpretType(self.type(of: operand), type)
    case .shuffle(let a, let b, let lanes):
      return try shuffleType(type(of: a), b.map { try type(of: $0) }, lanes)
    case .permute(let operand, let indices):
      let types = try [type(of: operand), type(of: indices)]
      guard !types[0].isMask, types[1].isInteger, types[0].lanes == types[1].lanes else {
        throw Diagnostic("permute takes a vector and as many integer lane numbers, found \(list(types))")
      }
      return types[0]
    case .compress(let mask, let operand):
      let type = try type(of: operand)
      guard !type.isMask else { throw Diagnostic("compress moves the lanes of a vector, not of \(type)") }
      try check(mask: mask, lanes: type.lanes)
      return type
    case .gather(let buffer, let offsets, let type, let mask):
      try check(buffer: buffer, holds: type)
      let offsetType = try self.type(of: offsets)
      guard offsetType.isInteger, offsetType.lanes == type.lanes else {
        throw Diagnostic("gather \(type) takes \(type.lanes) integer offsets, found \(offsetType)")
      }
      try check(mask: mask, lanes: type.lanes)
      return type
    case .reduce(let operation, let operand): return try reduceType(operation, type(of: operand))
    case .instruction(let name, let operands): return try instructionType(name, operands)
    case .apply(let name, let operands): return try applicationType(name, operands)
    }
  }

  /// Checks that every name in `index` is an index and that divisors are positive. Throws a `Diagnostic`.
  public func check(_ index: LoopIndex) throws {
    switch index {
    case .constant: break
    case .variable(let name):
      guard names[name] == .index else {
        throw Diagnostic("\(name) stands where an index is needed; \(describe(name))")
      }
    case .add(let a, let b), .subtract(let a, let b), .minimum(let a, let b), .maximum(let a, let b):
      try check(a)
      try check(b)
    case .multiply(let a, _): try check(a)
    case .divide(let a, let n), .modulo(let a, let n):
      guard n > 0 else { throw Diagnostic("an index is divided by a positive constant, found \(n)") }
      try check(a)
    }
  }

  /// Checks that `mask`, if there is one, is a mask of `lanes` lanes.
  public func check(mask: LoopValue?, lanes: Int) throws {
    guard let mask else { return }
    let type = try type(of: mask)
    guard type == .mask(lanes: lanes) else {
      throw Diagnostic("a mask of type \(LoopType.mask(lanes: lanes)) is needed, found \(type)")
    }
  }

  /// Checks that `buffer` exists and that its elements are those of `type`.
  public func check(buffer: String, holds type: LoopType) throws {
    guard let element = buffers[buffer] else { throw Diagnostic("no buffer is called \(buffer)" + hint(buffer)) }
    guard type.element == element else { throw Diagnostic("\(buffer) holds \(element.rawValue), not \(type)") }
    _ = try valid(type)
  }
}

extension LoopScope {
  fileprivate func constantType(_ number: Double, _ type: LoopType) throws -> LoopType {
    guard let element = type.element else { throw Diagnostic("a constant has an element type, not \(type)") }
    if let range = element.integerRange {
      guard let integer = Int(exactly: number), range.contains(integer) else {
        throw Diagnostic("\(number) is not a value of type \(element.rawValue)")
      }
    }
    return try valid(type)
  }

  fileprivate func variableType(_ name: String) throws -> LoopType {
    switch names[name] {
    case .value(let type), .register(let type, count: nil): return type
    case .index, .register(_, count: .some), nil:
      throw Diagnostic("\(name) stands where a value is needed; \(describe(name))")
    }
  }

  fileprivate func unaryType(_ operation: LoopUnary, _ type: LoopType) throws -> LoopType {
    let fits =
      switch operation {
      case .negate, .absolute: type.isArithmetic
      case .squareRoot, .floor, .ceiling, .round: type.isRealArithmetic
      case .not: type.isMask || type.isInteger
      }
    guard fits else { throw Diagnostic("\(operation.rawValue) does not take \(type)") }
    return type
  }

  fileprivate func binaryType(_ operation: LoopBinary, _ a: LoopType, _ b: LoopType) throws -> LoopType {
    guard a == b else {
      throw Diagnostic("\(operation.rawValue) takes two operands of one type, found \(list([a, b]))")
    }
    let fits =
      switch operation {
      case .add, .subtract, .multiply, .minimum, .maximum: a.isArithmetic
      case .divide: a.isRealArithmetic || a.isInteger
      case .and, .or, .xor: a.isMask || a.isInteger || a.element == .bool
      case .shiftLeft, .shiftRight: a.isInteger
      }
    guard fits else { throw Diagnostic("\(operation.rawValue) does not take \(a)") }
    return a
  }

  fileprivate func reinterpretType(_ source: LoopType, _ type: LoopType) throws -> LoopType {
    guard let from = source.element, let to = type.element, from != .bool, to != .bool,
      from.byteCount * source.lanes == to.byteCount * type.lanes
    else { throw Diagnostic("bits keeps the size and takes no masks or bools, found \(source) as \(type)") }
    return try valid(type)
  }

  fileprivate func shuffleType(_ a: LoopType, _ b: LoopType?, _ lanes: [Int]) throws -> LoopType {
    guard !a.isMask, b ?? a == a else {
      throw Diagnostic("shuffle takes one vector or two of one type, found \(list([a] + (b.map { [$0] } ?? [])))")
    }
    let available = b == nil ? a.lanes : 2 * a.lanes
    guard lanes.allSatisfy((0..<available).contains) else {
      throw Diagnostic("shuffle chooses among lanes 0..<\(available), found \(lanes)")
    }
    return try valid(a.with(lanes: lanes.count))
  }

  fileprivate func reduceType(_ operation: LoopReduction, _ type: LoopType) throws -> LoopType {
    let fits =
      switch operation {
      case .add, .minimum, .maximum: type.isArithmetic
      case .any, .all, .count: type.isMask
      }
    guard fits else { throw Diagnostic("reduce \(operation.rawValue) does not take \(type)") }
    return operation == .count ? LoopType(.i32) : type.with(lanes: 1)
  }

  fileprivate func instructionType(_ name: String, _ operands: [LoopValue]) throws -> LoopType {
    guard let instruction = instructions[name] else {
      let known = instructions.keys.sorted().joined(separator: ", ")
      throw Diagnostic("the target has no instruction \(name)", notes: known.isEmpty ? [] : ["it has \(known)"])
    }
    let types = try operands.map(type(of:))
    guard types == instruction.operands else {
      throw Diagnostic("\(name) takes \(list(instruction.operands)), found \(list(types))")
    }
    return instruction.result
  }

  fileprivate func applicationType(_ name: String, _ operands: [LoopValue]) throws -> LoopType {
    guard let function = valueFunctions[name] else {
      let close = nearest(to: name, among: valueFunctions.keys.sorted())
      throw Diagnostic(
        "no value function is called \(name) here; each applies those above it",
        notes: close.map { "did you mean \($0)?" })
    }
    let types = try operands.map(type(of:))
    guard types == function.parameters.map(\.type) else {
      throw Diagnostic("\(name) takes \(list(function.parameters.map(\.type))), found \(list(types))")
    }
    return function.type
  }

  fileprivate func valid(_ type: LoopType) throws -> LoopType {
    guard LoopType.areValid(lanes: type.lanes) else {
      throw Diagnostic("a vector has 1, 2, 4, ... 64 lanes, not \(type.lanes)")
    }
    return type
  }

  fileprivate func list(_ types: [LoopType]) -> String {
    types.map(\.description).joined(separator: ", ")
  }

  /// What `name` is, for a message that wanted something else.
  func describe(_ name: String) -> String {
    switch names[name] {
    case .index: "it is an index (as a value: index i32 \(name))"
    case .value(let type): "it is a value of type \(type)"
    case .register(let type, count: nil): "it is a register of type \(type)"
    case .register(let type, count: .some(let count)): "it is an array of \(count) registers of type \(type)"
    case nil: buffers[name] == nil ? "the name is not defined here" + hint(name) : "it is a buffer"
    }
  }

  private func hint(_ name: String) -> String {
    let close = nearest(to: name, among: Array(names.keys) + Array(buffers.keys)).sorted()
    return close.isEmpty ? "" : " (did you mean \(close.joined(separator: " or "))?)"
  }
}
