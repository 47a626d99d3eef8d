import RealModule

/// 1 / x.
public struct Reciprocal: UnaryOp, ParameterlessOp {
  public static let mnemonic = "reciprocal"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    1 / x
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    .f32(1, lanes: lanes) / operands[0]
  }
}
