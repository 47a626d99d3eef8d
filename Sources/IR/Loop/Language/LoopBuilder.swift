/// Writes loop-language statements from Swift: fresh names, nested blocks as closures, values as expressions.
///
///     builder.loop("i", 0, 8) { builder, i in
///       let x = builder.let("x", .f32, .load("p", i, .f32))
///       builder.store("q", i, x * x)
///     }
public struct LoopBuilder {
  /// The statements written so far, at the outermost level.
  public private(set) var statements: [LoopStatement] = []
  private var counts: [String: Int] = [:]
  /// Every name that was given.
  public private(set) var names: Set<String> = []
  /// Names that are taken: those of the program's buffers and functions.
  private var taken: Set<String> = []

  public init() {}

  /// A builder that goes on with another's names, from other statements.
  public init(continuing other: LoopBuilder, with statements: [LoopStatement] = []) {
    counts = other.counts
    names = other.names
    taken = other.taken
    self.statements = statements
  }

  /// Reserves these names: they are not given.
  public mutating func avoid(_ taken: Set<String>) { self.taken = taken }

  /// A name that is new in this builder: `hint`, then `hint_1`, `hint_2`, ...
  public mutating func fresh(_ hint: String) -> String {
    var name: String
    repeat {
      let count = counts[hint, default: 0]
      counts[hint] = count + 1
      name = count == 0 ? hint : "\(hint)_\(count)"
    } while taken.contains(name) || !names.insert(name).inserted
    return name
  }

  public mutating func append(_ statement: LoopStatement) { statements.append(statement) }

  /// What `body` writes, as a block of its own.
  public mutating func block(_ body: (inout LoopBuilder) throws -> Void) rethrows -> [LoopStatement] {
    let outer = statements
    statements = []
    defer { statements = outer }
    try body(&self)
    return statements
  }

  /// `for hint in from ..< to`. A loop of exactly one round is written as its body.
  public mutating func loop(
    _ hint: String, _ from: LoopIndex, _ to: LoopIndex, step: Int = 1, order: LoopStatement.Order = .serial,
    _ body: (inout LoopBuilder, LoopIndex) throws -> Void
  ) rethrows {
    if case .constant(let low) = from, case .constant(let high) = to, order != .parallel {
      if high <= low { return }
      if high - low <= step { return try body(&self, from) }
    }
    let name = fresh(hint)
    let inner = try block { builder in try body(&builder, .variable(name)) }
    append(.forLoop(name, from: from, to: to, step: step, order: order, inner))
  }

  /// `for hint in 0 ..< maximum while condition`.
  public mutating func loop(
    _ hint: String, atMost maximum: Int, while condition: LoopValue,
    _ body: (inout LoopBuilder, LoopIndex) throws -> Void
  ) rethrows {
    let name = fresh(hint)
    let inner = try block { builder in try body(&builder, .variable(name)) }
    append(.forWhile(name, maximum: maximum, condition: condition, inner))
  }

  /// Nested loops over every index of `shape`, outermost first.
  public mutating func loops(
    over shape: [Int], _ body: (inout LoopBuilder, [LoopIndex]) throws -> Void
  ) rethrows {
    func nest(_ builder: inout LoopBuilder, _ indices: [LoopIndex]) throws {
      if indices.count == shape.count { return try body(&builder, indices) }
      try builder.loop("i\(indices.count)", 0, .constant(shape[indices.count])) { builder, index in
        try nest(&builder, indices + [index])
      }
    }
    try withoutActuallyEscaping(body) { _ in try nest(&self, []) }
  }

  /// `let hint : type = value`, and the variable.
  public mutating func `let`(_ hint: String, _ type: LoopType, _ value: LoopValue) -> LoopValue {
    let name = fresh(hint)
    append(.letValue(name, type, value))
    return .variable(name)
  }

  /// An index that comes out of data; the verifier proves the range.
  public mutating func letIndex(_ hint: String, range: ClosedRange<Int>, _ value: LoopValue) -> LoopIndex {
    let name = fresh(hint)
    append(.letIndex(name, range: range, value))
    return .variable(name)
  }

  /// A mutable register; read it as `.variable(name)`.
  public mutating func register(
    _ hint: String, _ type: LoopType, range: ClosedRange<Int>? = nil, _ value: LoopValue
  ) -> String {
    let name = fresh(hint)
    append(.register(name, type, count: nil, range: range, value))
    return name
  }

  public mutating func assign(_ register: String, _ value: LoopValue) {
    append(.assign(register, element: nil, value))
  }

  public mutating func store(_ buffer: String, _ index: LoopIndex, _ value: LoopValue, mask: LoopValue? = nil) {
    append(.store(buffer: buffer, index, value, mask: mask))
  }

  // Separate from the next one, because a call that leaves out a defaulted closure counts as throwing.
  public mutating func ifIndex(
    _ comparisons: [LoopComparison], _ then: (inout LoopBuilder) throws -> Void
  ) rethrows {
    try ifIndex(comparisons, then, else: { _ in })
  }

  public mutating func ifIndex(
    _ comparisons: [LoopComparison], _ then: (inout LoopBuilder) throws -> Void,
    else otherwise: (inout LoopBuilder) throws -> Void
  ) rethrows {
    let thenBlock = try block(then)
    let elseBlock = try block(otherwise)
    append(.ifIndex(comparisons, then: thenBlock, else: elseBlock))
  }

  public mutating func ifValue(
    _ condition: LoopValue, _ then: (inout LoopBuilder) throws -> Void
  ) rethrows {
    try ifValue(condition, then, else: { _ in })
  }

  public mutating func ifValue(
    _ condition: LoopValue, _ then: (inout LoopBuilder) throws -> Void,
    else otherwise: (inout LoopBuilder) throws -> Void
  ) rethrows {
    let thenBlock = try block(then)
    let elseBlock = try block(otherwise)
    append(.ifValue(condition, then: thenBlock, else: elseBlock))
  }

  public mutating func call(_ function: String, _ arguments: [LoopArgument]) {
    append(.call(function, arguments))
  }

  public mutating func layer(_ name: String, _ body: (inout LoopBuilder) throws -> Void) rethrows {
    let inner = try block(body)
    append(.layer(name, inner))
  }
}

/// A tensor as loops see it: a view of a buffer, row-major in the shape.
public struct LoopTensor: Sendable {
  public var buffer: String
  /// Offset of the first element.
  public var base: LoopIndex
  public var type: TensorType
  /// The graph this tensor stores, if the value is a neighbourhood: see `NeighborhoodType.storage`.
  public var neighborhood: NeighborhoodType?

  public init(buffer: String, base: LoopIndex = 0, type: TensorType, neighborhood: NeighborhoodType? = nil) {
    self.buffer = buffer
    self.base = base
    self.type = type
    self.neighborhood = neighborhood
  }

  public var shape: [Int] { type.shape }
  public var loopType: LoopType { LoopType(type.element) }

  /// The element offset of a full index, row-major.
  public func offset(_ indices: [LoopIndex]) -> LoopIndex {
    precondition(indices.count == shape.count, "one index an axis")
    var result = base
    var stride = 1
    for axis in shape.indices.reversed() {
      result = result + indices[axis] * stride
      stride *= shape[axis]
    }
    return result
  }

  public func load(_ indices: [LoopIndex]) -> LoopValue {
    .load(buffer: buffer, offset(indices), loopType, mask: nil)
  }

  /// Loads with numpy's broadcasting: `indices` index the broadcast result; axes of extent 1 are read at 0.
  public func loadBroadcast(_ indices: [LoopIndex]) -> LoopValue {
    let own = indices.suffix(shape.count)
    return load(zip(own, shape).map { $1 == 1 ? .constant(0) : $0 })
  }
}

extension LoopIndex: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: Int) { self = .constant(value) }

  public static func + (a: LoopIndex, b: LoopIndex) -> LoopIndex {
    switch (a, b) {
    case (.constant(let x), .constant(let y)): .constant(x + y)
    case (.constant(0), let other), (let other, .constant(0)): other
    case (.add(let rest, .constant(let x)), .constant(let y)): rest + .constant(x + y)
    default: .add(a, b)
    }
  }

  public static func - (a: LoopIndex, b: LoopIndex) -> LoopIndex {
    switch (a, b) {
    case (.constant(let x), .constant(let y)): .constant(x - y)
    case (let other, .constant(0)): other
    case (_, .constant(let y)): a + .constant(-y)
    default: .subtract(a, b)
    }
  }

  public static func * (a: LoopIndex, factor: Int) -> LoopIndex {
    switch (a, factor) {
    case (.constant(let x), _): .constant(x * factor)
    case (_, 0): .constant(0)
    case (_, 1): a
    default: .multiply(a, factor)
    }
  }

  public static func / (a: LoopIndex, divisor: Int) -> LoopIndex {
    if divisor == 1 { return a }
    if case .constant(let x) = a { return .constant(floorDivide(x, divisor)) }
    return .divide(a, divisor)
  }

  public static func % (a: LoopIndex, divisor: Int) -> LoopIndex {
    if divisor == 1 { return 0 }
    if case .constant(let x) = a { return .constant(x - floorDivide(x, divisor) * divisor) }
    return .modulo(a, divisor)
  }
}

/// Division that rounds towards minus infinity; `divisor` is positive.
public func floorDivide(_ dividend: Int, _ divisor: Int) -> Int {
  let quotient = dividend / divisor
  return dividend % divisor < 0 ? quotient - 1 : quotient
}

/// Division of non-negative integers that rounds up.
public func ceilDivide(_ dividend: Int, _ divisor: Int) -> Int { (dividend + divisor - 1) / divisor }

/// The least multiple of `step` that is at least `value`.
public func roundUp(_ value: Int, toMultipleOf step: Int) -> Int { ceilDivide(value, step) * step }

extension LoopValue {
  public static func + (a: LoopValue, b: LoopValue) -> LoopValue { .binary(.add, a, b) }
  public static func - (a: LoopValue, b: LoopValue) -> LoopValue { .binary(.subtract, a, b) }
  public static func * (a: LoopValue, b: LoopValue) -> LoopValue { .binary(.multiply, a, b) }
  public static func / (a: LoopValue, b: LoopValue) -> LoopValue { .binary(.divide, a, b) }
  public static prefix func - (a: LoopValue) -> LoopValue { .unary(.negate, a) }

  public static func minimum(_ a: LoopValue, _ b: LoopValue) -> LoopValue { .binary(.minimum, a, b) }
  public static func maximum(_ a: LoopValue, _ b: LoopValue) -> LoopValue { .binary(.maximum, a, b) }

  /// An unmasked load.
  public static func load(_ buffer: String, _ index: LoopIndex, _ type: LoopType) -> LoopValue {
    .load(buffer: buffer, index, type, mask: nil)
  }

  /// A float32 literal in `lanes` lanes.
  public static func f32(_ value: Double, lanes: Int = 1) -> LoopValue {
    .constant(Double(Float(value)), LoopType(.f32, lanes: lanes))
  }
}
