import RealModule

/// The natural logarithm.
public struct Log: UnaryOp, ParameterlessOp {
  public static let mnemonic = "log"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    T.log(x)
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    LoopMath.log(&builder, operands[0], lanes: lanes)
  }
}
