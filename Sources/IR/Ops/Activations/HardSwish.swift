import RealModule

/// x * min(max(x / 6 + 1/2, 0), 1), as PyTorch and ONNX define it.
public struct HardSwish: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "hard_swish"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    let gate = x / 6 + T(0.5)
    return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let x = operands[0]
    let gate = x * .literal(1.0 / 6, type) + .literal(0.5, type)
    return x * .minimum(.literal(1, type), .maximum(.literal(0, type), gate))
  }
}
