import RealModule

/// The square root.
public struct Sqrt: UnaryOp, ParameterlessOp {
  public static let mnemonic = "sqrt"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x.squareRoot()
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    .unary(.squareRoot, operands[0])
  }
}
