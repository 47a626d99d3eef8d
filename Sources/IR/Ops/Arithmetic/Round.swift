import RealModule

/// The integer nearest to x, the even one of two.
public struct Round: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "round"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x.rounded(.toNearestOrEven)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .unary(.round, operands[0])
  }
}
