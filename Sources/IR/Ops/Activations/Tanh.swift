import RealModule

/// The hyperbolic tangent.
public struct Tanh: UnaryOp, ParameterlessOp {
  public static let mnemonic = "tanh"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    T.tanh(x)
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    LoopMath.tanh(&builder, operands[0], lanes: lanes)
  }
}
