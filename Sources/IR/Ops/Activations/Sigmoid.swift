import RealModule

/// 1 / (1 + e^-x).
public struct Sigmoid: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "sigmoid"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    1 / (1 + T.exp(-x))
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    LoopMath.sigmoid(&builder, operands[0], type)
  }
}
