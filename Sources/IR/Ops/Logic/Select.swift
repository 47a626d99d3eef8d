import RealModule

/// a if the condition holds, else b.
public struct Select: MixedElementwiseOp, ParameterlessOp {
  public static let mnemonic = "select"
  public static let operandNames = ["condition", "a", "b"]

  public init() {}

  /// Zero, whichever of two zeros is chosen.
  public var mapsZeroToZero: Bool { true }

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    _ = try operands.truth(0)
    try operands.same(2, as: 1)
    return try operands.any(1)
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    x[0].integer != 0 ? x[1] : x[2]
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    let zero = LoopValue.constant(0, LoopType(.u8))
    let chosen = LoopValue.select(.compare(.notEqual, x[0], zero), x[1], x[2])
    return elements[1] == .bool ? .compare(.notEqual, chosen, zero) : chosen
  }
}
