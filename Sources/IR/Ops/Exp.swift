import RealModule

/// e^x.
public struct Exp: UnaryOp, ParameterlessOp {
  public static let mnemonic = "exp"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    T.exp(x)
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    LoopMath.exp(&builder, operands[0], lanes: lanes)
  }
}
