import RealModule

/// -1, 0 or 1 as x is negative, zero or positive; NaN if x is.
public struct Sign: UnaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "sign"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x > 0 ? 1 : x < 0 ? -1 : x
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let x = operands[0]
    let zero = LoopValue.literal(0, type)
    let negative = LoopValue.select(.compare(.less, x, zero), .literal(-1, type), x)
    return .select(.compare(.greater, x, zero), .literal(1, type), negative)
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 {
    element == .u64 ? (x[0] == 0 ? 0 : 1) : x[0].signum()
  }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    let type = LoopType(element)
    let (zero, one) = (LoopValue.constant(0, type), LoopValue.constant(1, type))
    let positive = LoopValue.select(.compare(.greater, operands[0], zero), one, zero)
    guard element.isSigned else { return positive }
    return .select(.compare(.less, operands[0], zero), .constant(-1, type), positive)
  }
}
