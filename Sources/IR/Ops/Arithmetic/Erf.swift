import RealModule

/// The error function, 2 / sqrt(pi) times the integral of e^-t^2 from 0 to x.
public struct Erf: UnaryOp, ParameterlessOp {
  public static let mnemonic = "erf"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    T.erf(x)
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    LoopMath.erf(&builder, operands[0], lanes: lanes)
  }
}
