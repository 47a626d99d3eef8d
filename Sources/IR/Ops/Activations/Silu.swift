import RealModule

/// x / (1 + e^-x), also called swish.
public struct Silu: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "silu"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x / (1 + T.exp(-x))
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    operands[0] * LoopMath.sigmoid(&builder, operands[0], type)
  }
}
