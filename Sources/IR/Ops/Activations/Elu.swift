import RealModule

/// x where x >= 0, alpha * (e^x - 1) elsewhere.
public struct Elu: UnaryOp, ArithmeticOp {
  public static let mnemonic = "elu"

  /// The limit towards minus infinity is -alpha.
  public var alpha: Double

  public init(alpha: Double = 1) {
    self.alpha = alpha
  }

  public init(_ reader: inout AttributeReader) throws {
    self.alpha = try reader.float("alpha")
  }

  public var attributes: [Attribute] {
    [Attribute("alpha", .float(alpha))]
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    x < 0 ? T(alpha) * T.expMinusOne(x) : x
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let x = operands[0]
    let exponential = LoopMath.exp(&builder, x, type)
    let negative = .literal(alpha, type) * (exponential - .literal(1, type))
    return .select(.compare(.less, x, .literal(0, type)), negative, x)
  }
}
