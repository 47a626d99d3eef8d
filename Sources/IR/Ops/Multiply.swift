import RealModule

/// a * b.
public struct Multiply: BinaryOp, ParameterlessOp {
  public static let mnemonic = "multiply"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    a * b
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    operands[0] * operands[1]
  }
}
