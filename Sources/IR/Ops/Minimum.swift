import RealModule

/// a where a < b, b elsewhere: where one is NaN, the result is b.
public struct Minimum: BinaryOp, ParameterlessOp {
  public static let mnemonic = "minimum"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    a < b ? a : b
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    .minimum(operands[0], operands[1])
  }
}
