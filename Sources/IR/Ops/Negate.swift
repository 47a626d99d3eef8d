import RealModule

/// -x.
public struct Negate: UnaryOp, ParameterlessOp {
  public static let mnemonic = "negate"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    -x
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    -operands[0]
  }
}
