import RealModule

/// 1 / x.
public struct Reciprocal: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "reciprocal"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    1 / x
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .literal(1, type) / operands[0]
  }
}
