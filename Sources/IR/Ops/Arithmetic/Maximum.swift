import RealModule

/// a where a > b, b elsewhere; NaN if either is NaN.
public struct Maximum: BinaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "maximum"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    a > b || a.isNaN ? a : b
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .maximumOrNaN(operands[0], operands[1])
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 { element.isLess(x[1], x[0]) ? x[0] : x[1] }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    .maximum(operands[0], operands[1])
  }
}
