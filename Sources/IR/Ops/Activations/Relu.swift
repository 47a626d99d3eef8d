import RealModule

/// max(x, 0); NaN stays NaN.
public struct Relu: UnaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "relu"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x < 0 ? 0 : x
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    // The zero comes first: `max` returns its second operand when one is NaN.
    .maximum(.literal(0, type), operands[0])
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 { element != .u64 && x[0] < 0 ? 0 : x[0] }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    .maximum(.constant(0, LoopType(element)), operands[0])
  }
}
