import IR

/// Arithmetic of one lane, for each type of number. Integers wrap around.
enum ShadowArithmetic {
  typealias One = (Int) -> Int
  typealias Two = (Int, Int) throws -> Int

  static func unary(_ operation: LoopUnary, _ type: LoopType) throws -> One {
    switch type.element {
    case .f32: real(operation, decode: single, encode: bits)
    case .f64: real(operation, decode: double, encode: bits)
    case nil, .bool: { 1 - $0 }
    case .i8: integer(operation, Int8.self)
    case .u8: integer(operation, UInt8.self)
    case .i16: integer(operation, Int16.self)
    case .u16: integer(operation, UInt16.self)
    case .i32: integer(operation, Int32.self)
    case .u32: integer(operation, UInt32.self)
    case .i64: integer(operation, Int64.self)
    case .u64: integer(operation, UInt64.self)
    case .f16, .bf16: throw Diagnostic("\(type) has no arithmetic")
    }
  }

  static func binary(_ operation: LoopBinary, _ type: LoopType) throws -> Two {
    switch type.element {
    case .f32: real(operation, decode: single, encode: bits)
    case .f64: real(operation, decode: double, encode: bits)
    case nil, .bool, .u8: integer(operation, UInt8.self)
    case .i8: integer(operation, Int8.self)
    case .i16: integer(operation, Int16.self)
    case .u16: integer(operation, UInt16.self)
    case .i32: integer(operation, Int32.self)
    case .u32: integer(operation, UInt32.self)
    case .i64: integer(operation, Int64.self)
    case .u64: integer(operation, UInt64.self)
    case .f16, .bf16: throw Diagnostic("\(type) has no arithmetic")
    }
  }

  static func compare(_ operation: LoopCompare, _ type: LoopType) throws -> (Int, Int) -> Bool {
    switch type.element {
    case .f32: compare(operation) { single($0) }
    case .f64: compare(operation) { double($0) }
    case .u64: compare(operation) { UInt64(bitPattern: Int64($0)) }
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64: compare(operation) { $0 }
    case .f16, .bf16, .bool, nil: throw Diagnostic("\(type) is not compared")
    }
  }

  static func multiplyAdd(_ type: LoopType, isFused: Bool) -> (Int, Int, Int) -> Int {
    if type.element == .f32 {
      return { a, b, c in
        bits(isFused ? single(c).addingProduct(single(a), single(b)) : single(a) * single(b) + single(c))
      }
    }
    return { a, b, c in
      bits(isFused ? double(c).addingProduct(double(a), double(b)) : double(a) * double(b) + double(c))
    }
  }

  private static func single(_ value: Int) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: value)) }
  private static func double(_ value: Int) -> Double { Double(bitPattern: UInt64(bitPattern: Int64(value))) }
  private static func bits(_ value: Float) -> Int { Int(value.bitPattern) }
  private static func bits(_ value: Double) -> Int { Int(bitPattern: UInt(value.bitPattern)) }

  private static func integer<T: FixedWidthInteger>(_ operation: LoopUnary, _ type: T.Type) -> One {
    func wrapped(_ body: @escaping (T) -> T) -> One {
      { Int(truncatingIfNeeded: body(T(truncatingIfNeeded: $0))) }
    }
    switch operation {
    case .negate: return wrapped { 0 &- $0 }
    case .absolute: return wrapped { $0 < 0 ? 0 &- $0 : $0 }
    case .not: return wrapped { ~$0 }
    case .squareRoot, .floor, .ceiling, .round: preconditionFailure("\(operation) of an integer")
    }
  }

  private static func real<T: BinaryFloatingPoint>(
    _ operation: LoopUnary, decode: @escaping (Int) -> T, encode: @escaping (T) -> Int
  ) -> One {
    switch operation {
    case .negate: { encode(-decode($0)) }
    case .absolute: { encode(decode($0).magnitude) }
    case .squareRoot: { encode(decode($0).squareRoot()) }
    case .floor: { encode(decode($0).rounded(.down)) }
    case .ceiling: { encode(decode($0).rounded(.up)) }
    case .round: { encode(decode($0).rounded(.toNearestOrEven)) }
    case .not: preconditionFailure("not of a float")
    }
  }

  private static func integer<T: FixedWidthInteger>(_ operation: LoopBinary, _ type: T.Type) -> Two {
    func wrapped(_ body: @escaping (T, T) throws -> T) -> Two {
      { Int(truncatingIfNeeded: try body(T(truncatingIfNeeded: $0), T(truncatingIfNeeded: $1))) }
    }
    func shift(_ body: @escaping (T, T) -> T) -> Two {
      wrapped { a, b in
        guard b >= 0, b < T.bitWidth else { throw LoopFault(kind: .shift, details: "by \(b) of \(T.bitWidth)") }
        return body(a, b)
      }
    }
    switch operation {
    case .add: return wrapped { $0 &+ $1 }
    case .subtract: return wrapped { $0 &- $1 }
    case .multiply: return wrapped { $0 &* $1 }
    case .divide: return wrapped { $1 == 0 ? 0 : $0.dividedReportingOverflow(by: $1).partialValue }
    case .minimum: return wrapped { $0 < $1 ? $0 : $1 }
    case .maximum: return wrapped { $0 > $1 ? $0 : $1 }
    case .and: return wrapped { $0 & $1 }
    case .or: return wrapped { $0 | $1 }
    case .xor: return wrapped { $0 ^ $1 }
    case .shiftLeft: return shift { $0 &<< $1 }
    case .shiftRight: return shift { $0 &>> $1 }
    }
  }

  private static func real<T: BinaryFloatingPoint>(
    _ operation: LoopBinary, decode: @escaping (Int) -> T, encode: @escaping (T) -> Int
  ) -> Two {
    switch operation {
    case .add: { encode(decode($0) + decode($1)) }
    case .subtract: { encode(decode($0) - decode($1)) }
    case .multiply: { encode(decode($0) * decode($1)) }
    case .divide: { encode(decode($0) / decode($1)) }
    case .minimum: { decode($0) < decode($1) ? $0 : $1 }
    case .maximum: { decode($0) > decode($1) ? $0 : $1 }
    case .and, .or, .xor, .shiftLeft, .shiftRight: preconditionFailure("\(operation) of floats")
    }
  }

  private static func compare<T: Comparable>(
    _ operation: LoopCompare, _ decode: @escaping (Int) -> T
  ) -> (Int, Int) -> Bool {
    switch operation {
    case .less: { decode($0) < decode($1) }
    case .lessOrEqual: { decode($0) <= decode($1) }
    case .equal: { decode($0) == decode($1) }
    case .notEqual: { decode($0) != decode($1) }
    case .greaterOrEqual: { decode($0) >= decode($1) }
    case .greater: { decode($0) > decode($1) }
    }
  }
}
