// Arithmetic lane by lane for each element type. Float32 vectors, which networks spend their time in, go through SIMD
// types; the rest through plain loops.

/// One operation over lanes, for any type of number.
private protocol LaneOperation {
  func integer<T: FixedWidthInteger>(_ type: T.Type) -> LoopCode.Step
  func real<T: BinaryFloatingPoint>(_ type: T.Type) -> LoopCode.Step
}

extension LaneOperation {
  func step(_ type: LoopType) -> LoopCode.Step {
    switch type.element {
    case .f32: real(Float.self)
    case .f64: real(Double.self)
    case .i8: integer(Int8.self)
    case .u8, .bool, nil: integer(UInt8.self)
    case .i16: integer(Int16.self)
    case .u16: integer(UInt16.self)
    case .i32: integer(Int32.self)
    case .u32: integer(UInt32.self)
    case .i64: integer(Int64.self)
    case .u64: integer(UInt64.self)
    case .f16, .bf16: preconditionFailure("\(type) has no arithmetic; its type was not checked")
    }
  }
}

private func misplaced(_ operation: some RawRepresentable<String>) -> Never {
  preconditionFailure("\(operation.rawValue) on this type; it was not checked")
}

extension LoopCode {
  static func unary(_ operation: LoopUnary, _ type: LoopType, _ result: Place, _ a: Place) -> Step {
    if type.isMask {
      let (d, x) = (result.assumingMemoryBound(to: UInt8.self), a.assumingMemoryBound(to: UInt8.self))
      let lanes = type.lanes
      return { for lane in 0..<lanes { d[lane] = 1 - x[lane] } }
    }
    return Unary(operation: operation, lanes: type.lanes, result: result, a: a).step(type)
  }

  static func binary(_ operation: LoopBinary, _ type: LoopType, _ result: Place, _ a: Place, _ b: Place) -> Step {
    if type.element == .f32, let step = vectorBinary(operation, type.lanes, result, a, b) { return step }
    return Binary(operation: operation, lanes: type.lanes, result: result, a: a, b: b).step(type)
  }

  static func compare(_ operation: LoopCompare, _ operands: LoopType, _ result: Place, _ a: Place, _ b: Place) -> Step {
    Compare(
      operation: operation, lanes: operands.lanes, result: result.assumingMemoryBound(to: UInt8.self), a: a, b: b
    ).step(operands)
  }

  static func multiplyAdd(
    _ type: LoopType, _ result: Place, _ a: Place, _ b: Place, _ c: Place, isFused: Bool
  ) -> Step {
    if type.element == .f32, let step = vectorMultiplyAdd(type.lanes, result, a, b, c, isFused) { return step }
    return MultiplyAdd(isFused: isFused, lanes: type.lanes, result: result, a: a, b: b, c: c).step(type)
  }

  /// Lane i with lane i + n / 2, then n / 4, and so on.
  static func reduce(
    _ operation: LoopReduction, _ type: LoopType, _ result: Place, _ source: Place, _ scratch: Place
  ) -> Step {
    let size = size(type.with(lanes: 1))
    let bytes = size * type.lanes
    var halves: [Step] = []
    let combine: LoopBinary =
      switch operation {
      case .add: .add
      case .minimum: .minimum
      case .maximum: .maximum
      case .any: .or
      case .all: .and
      case .count: misplaced(operation)
      }
    var lanes = type.lanes / 2
    while lanes >= 1 {
      halves.append(binary(combine, type.with(lanes: lanes), scratch, scratch, scratch + lanes * size))
      lanes /= 2
    }
    return {
      scratch.copyMemory(from: source, byteCount: bytes)
      for half in halves { half() }
      result.copyMemory(from: scratch, byteCount: size)
    }
  }
}

private struct Unary: LaneOperation {
  var operation: LoopUnary
  var lanes: Int
  var result, a: UnsafeMutableRawPointer

  func integer<T: FixedWidthInteger>(_ type: T.Type) -> LoopCode.Step {
    let (d, x, n) = (result.assumingMemoryBound(to: T.self), a.assumingMemoryBound(to: T.self), lanes)
    switch operation {
    case .negate: return { for i in 0..<n { d[i] = 0 &- x[i] } }
    case .absolute: return { for i in 0..<n { d[i] = x[i] < 0 ? 0 &- x[i] : x[i] } }
    case .not: return { for i in 0..<n { d[i] = ~x[i] } }
    case .squareRoot, .floor, .ceiling, .round: misplaced(operation)
    }
  }

  func real<T: BinaryFloatingPoint>(_ type: T.Type) -> LoopCode.Step {
    let (d, x, n) = (result.assumingMemoryBound(to: T.self), a.assumingMemoryBound(to: T.self), lanes)
    switch operation {
    case .negate: return { for i in 0..<n { d[i] = -x[i] } }
    case .absolute: return { for i in 0..<n { d[i] = x[i].magnitude } }
    case .squareRoot: return { for i in 0..<n { d[i] = x[i].squareRoot() } }
    case .floor: return { for i in 0..<n { d[i] = x[i].rounded(.down) } }
    case .ceiling: return { for i in 0..<n { d[i] = x[i].rounded(.up) } }
    case .round: return { for i in 0..<n { d[i] = x[i].rounded(.toNearestOrEven) } }
    case .not: misplaced(operation)
    }
  }
}

private struct Binary: LaneOperation {
  var operation: LoopBinary
  var lanes: Int
  var result, a, b: UnsafeMutableRawPointer

  func integer<T: FixedWidthInteger>(_ type: T.Type) -> LoopCode.Step {
    let (d, x, y) = (
      result.assumingMemoryBound(to: T.self), a.assumingMemoryBound(to: T.self), b.assumingMemoryBound(to: T.self)
    )
    let n = lanes
    switch operation {
    case .add: return { for i in 0..<n { d[i] = x[i] &+ y[i] } }
    case .subtract: return { for i in 0..<n { d[i] = x[i] &- y[i] } }
    case .multiply: return { for i in 0..<n { d[i] = x[i] &* y[i] } }
    case .minimum: return { for i in 0..<n { d[i] = x[i] < y[i] ? x[i] : y[i] } }
    case .maximum: return { for i in 0..<n { d[i] = x[i] > y[i] ? x[i] : y[i] } }
    case .and: return { for i in 0..<n { d[i] = x[i] & y[i] } }
    case .or: return { for i in 0..<n { d[i] = x[i] | y[i] } }
    case .xor: return { for i in 0..<n { d[i] = x[i] ^ y[i] } }
    case .shiftLeft: return { for i in 0..<n { d[i] = x[i] &<< y[i] } }
    case .shiftRight: return { for i in 0..<n { d[i] = x[i] &>> y[i] } }
    case .divide:
      return { for i in 0..<n { d[i] = y[i] == 0 ? 0 : x[i].dividedReportingOverflow(by: y[i]).partialValue } }
    }
  }

  func real<T: BinaryFloatingPoint>(_ type: T.Type) -> LoopCode.Step {
    let (d, x, y) = (
      result.assumingMemoryBound(to: T.self), a.assumingMemoryBound(to: T.self), b.assumingMemoryBound(to: T.self)
    )
    let n = lanes
    switch operation {
    case .add: return { for i in 0..<n { d[i] = x[i] + y[i] } }
    case .subtract: return { for i in 0..<n { d[i] = x[i] - y[i] } }
    case .multiply: return { for i in 0..<n { d[i] = x[i] * y[i] } }
    case .divide: return { for i in 0..<n { d[i] = x[i] / y[i] } }
    case .minimum: return { for i in 0..<n { d[i] = x[i] < y[i] ? x[i] : y[i] } }
    case .maximum: return { for i in 0..<n { d[i] = x[i] > y[i] ? x[i] : y[i] } }
    case .and, .or, .xor, .shiftLeft, .shiftRight: misplaced(operation)
    }
  }
}

private struct Compare: LaneOperation {
  var operation: LoopCompare
  var lanes: Int
  var result: UnsafeMutablePointer<UInt8>
  var a, b: UnsafeMutableRawPointer

  func integer<T: FixedWidthInteger>(_ type: T.Type) -> LoopCode.Step { compare(type) }
  func real<T: BinaryFloatingPoint>(_ type: T.Type) -> LoopCode.Step { compare(type) }

  @inline(__always)
  private func compare<T: Comparable>(_ type: T.Type) -> LoopCode.Step {
    let (d, x, y, n) = (result, a.assumingMemoryBound(to: T.self), b.assumingMemoryBound(to: T.self), lanes)
    switch operation {
    case .less: return { for i in 0..<n { d[i] = x[i] < y[i] ? 1 : 0 } }
    case .lessOrEqual: return { for i in 0..<n { d[i] = x[i] <= y[i] ? 1 : 0 } }
    case .equal: return { for i in 0..<n { d[i] = x[i] == y[i] ? 1 : 0 } }
    case .notEqual: return { for i in 0..<n { d[i] = x[i] != y[i] ? 1 : 0 } }
    case .greaterOrEqual: return { for i in 0..<n { d[i] = x[i] >= y[i] ? 1 : 0 } }
    case .greater: return { for i in 0..<n { d[i] = x[i] > y[i] ? 1 : 0 } }
    }
  }
}

private struct MultiplyAdd: LaneOperation {
  var isFused: Bool
  var lanes: Int
  var result, a, b, c: UnsafeMutableRawPointer

  func integer<T: FixedWidthInteger>(_ type: T.Type) -> LoopCode.Step {
    preconditionFailure("fma on integers; its type was not checked")
  }

  func real<T: BinaryFloatingPoint>(_ type: T.Type) -> LoopCode.Step {
    let (d, x) = (result.assumingMemoryBound(to: T.self), a.assumingMemoryBound(to: T.self))
    let (y, z, n) = (b.assumingMemoryBound(to: T.self), c.assumingMemoryBound(to: T.self), lanes)
    if isFused { return { for i in 0..<n { d[i] = z[i].addingProduct(x[i], y[i]) } } }
    return { for i in 0..<n { d[i] = x[i] * y[i] + z[i] } }
  }
}
