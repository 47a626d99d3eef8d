import RealModule

/// The square root.
public struct Sqrt: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "sqrt"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x.squareRoot()
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .unary(.squareRoot, operands[0])
  }
}
