import RealModule

/// The complement of each bool, or of an integer's bits.
public struct Not: MixedElementwiseOp, ParameterlessOp {
  public static let mnemonic = "not"
  public static let operandNames = ["x"]

  public init() {}

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    let element = try operands.any(0)
    if element.isFloat { throw operands.failure(0, mustBe: "a tensor of integers or bool") }
    return element
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    .integer(elements[0] == .bool ? 1 - x[0].integer : ~x[0].integer)
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    elements[0] == .bool ? .compare(.equal, x[0], .constant(0, LoopType(.u8))) : .unary(.not, x[0])
  }
}
