import RealModule

/// |x|.
public struct Absolute: UnaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "absolute"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    abs(x)
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    .unary(.absolute, operands[0])
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 { element == .u64 || x[0] >= 0 ? x[0] : 0 &- x[0] }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    .unary(.absolute, operands[0])
  }
}
