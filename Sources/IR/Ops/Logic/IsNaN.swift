import RealModule

/// Whether each float is not a number.
public struct IsNaN: MixedElementwiseOp, ParameterlessOp {
  public static let mnemonic = "is_nan"
  public static let operandNames = ["x"]

  public init() {}

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    _ = try operands.float(0)
    return .bool
  }

  public var mapsZeroToZero: Bool { true }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    .integer(x[0].real.isNaN ? 1 : 0)
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    .compare(.notEqual, x[0], x[0])
  }
}
