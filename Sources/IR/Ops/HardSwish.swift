import RealModule

/// x * min(max(x / 6 + 1/2, 0), 1), as PyTorch and ONNX define it.
public struct HardSwish: UnaryOp, ParameterlessOp {
  public static let mnemonic = "hard_swish"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    let gate = x / 6 + T(0.5)
    return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate)
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    let x = operands[0]
    let gate = x * .f32(1.0 / 6, lanes: lanes) + .f32(0.5, lanes: lanes)
    return x * .minimum(.f32(1, lanes: lanes), .maximum(.f32(0, lanes: lanes), gate))
  }
}
