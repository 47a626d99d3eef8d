import RealModule

/// The least integer that is at least x.
public struct Ceiling: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "ceiling"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x.rounded(.up)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .unary(.ceiling, operands[0])
  }
}
