import RealModule

/// The natural logarithm.
public struct Log: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "log"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    T.log(x)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    LoopMath.log(&builder, operands[0], type)
  }
}
