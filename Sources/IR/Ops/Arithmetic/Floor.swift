import RealModule

/// The greatest integer that is at most x.
public struct Floor: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "floor"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x.rounded(.down)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .unary(.floor, operands[0])
  }
}
