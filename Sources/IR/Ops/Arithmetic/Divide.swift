import RealModule

/// a / b; for integers rounded towards zero, and zero if b is zero.
public struct Divide: BinaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "divide"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    a / b
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    operands[0] / operands[1]
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 {
    if x[1] == 0 { return 0 }
    if element == .u64 { return Int64(bitPattern: UInt64(bitPattern: x[0]) / UInt64(bitPattern: x[1])) }
    return x[1] == -1 ? 0 &- x[0] : x[0] / x[1]
  }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    operands[0] / operands[1]
  }
}
