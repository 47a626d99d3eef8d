import RealModule

/// log(1 + e^x).
public struct Softplus: UnaryOp, ArithmeticOp, ParameterlessOp {
  public static let mnemonic = "softplus"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    // Written so that e^x cannot overflow.
    return (x < 0 ? 0 : x) + T.log(onePlus: T.exp(-abs(x)))
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let x = operands[0]
    let negative = builder.let("negative", type, -.unary(.absolute, x))
    let exponential = LoopMath.exp(&builder, negative, type)
    let sum = builder.let("sum", type, exponential + .literal(1, type))
    return .maximum(.literal(0, type), x) + LoopMath.log(&builder, sum, type)
  }
}
