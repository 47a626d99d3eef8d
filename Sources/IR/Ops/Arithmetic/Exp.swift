import RealModule

/// e^x.
public struct Exp: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "exp"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    T.exp(x)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    LoopMath.exp(&builder, operands[0], type)
  }
}
