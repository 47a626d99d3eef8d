import RealModule

/// x where x >= 0, slope * x elsewhere.
public struct LeakyRelu: UnaryOp, ArithmeticOp {
  public static let mnemonic = "leaky_relu"

  /// The factor of negative values.
  public var slope: Double

  public init(slope: Double) {
    self.slope = slope
  }

  public init(_ reader: inout AttributeReader) throws {
    self.slope = try reader.float("slope")
  }

  public var attributes: [Attribute] {
    [Attribute("slope", .float(slope))]
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x < 0 ? T(slope) * x : x
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let x = operands[0]
    return .select(.compare(.less, x, .literal(0, type)), .literal(slope, type) * x, x)
  }
}
