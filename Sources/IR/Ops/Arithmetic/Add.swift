import RealModule

/// a + b.
public struct Add: BinaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "add"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    a + b
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    operands[0] + operands[1]
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 { x[0] &+ x[1] }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    operands[0] + operands[1]
  }
}
