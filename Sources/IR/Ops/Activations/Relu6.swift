import RealModule

/// min(max(x, 0), 6); NaN stays NaN.
public struct Relu6: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "relu6"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x < 0 ? 0 : x > 6 ? 6 : x
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .minimum(.literal(6, type), .maximum(.literal(0, type), operands[0]))
  }
}
