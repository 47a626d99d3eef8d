import RealModule

/// max(x, 0); NaN stays NaN.
public struct Relu: UnaryOp, ParameterlessOp {
  public static let mnemonic = "relu"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x < 0 ? 0 : x
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    // The zero comes first: `max` returns its second operand when one is NaN.
    .maximum(.f32(0, lanes: lanes), operands[0])
  }
}
