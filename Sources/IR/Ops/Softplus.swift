import RealModule

/// log(1 + e^x).
public struct Softplus: UnaryOp, ParameterlessOp {
  public static let mnemonic = "softplus"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    // Written so that e^x cannot overflow.
    return (x < 0 ? 0 : x) + T.log(onePlus: T.exp(-abs(x)))
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    let x = operands[0]
    let type = LoopType(.f32, lanes: lanes)
    let negative = builder.let("negative", type, -.unary(.absolute, x))
    let exponential = LoopMath.exp(&builder, negative, lanes: lanes)
    let sum = builder.let("sum", type, exponential + .f32(1, lanes: lanes))
    return .maximum(.f32(0, lanes: lanes), x) + LoopMath.log(&builder, sum, lanes: lanes)
  }
}
