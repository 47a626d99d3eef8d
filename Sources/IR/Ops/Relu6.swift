import RealModule

/// min(max(x, 0), 6); NaN stays NaN.
public struct Relu6: UnaryOp, ParameterlessOp {
  public static let mnemonic = "relu6"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x < 0 ? 0 : x > 6 ? 6 : x
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    .minimum(.f32(6, lanes: lanes), .maximum(.f32(0, lanes: lanes), operands[0]))
  }
}
