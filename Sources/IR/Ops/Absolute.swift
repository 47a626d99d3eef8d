import RealModule

/// |x|.
public struct Absolute: UnaryOp, ParameterlessOp {
  public static let mnemonic = "absolute"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    abs(x)
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    .unary(.absolute, operands[0])
  }
}
