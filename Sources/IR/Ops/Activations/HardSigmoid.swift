import RealModule

/// min(max(alpha * x + beta, 0), 1). PyTorch's has alpha 1/6 and beta 1/2, ONNX's alpha defaults to 1/5.
public struct HardSigmoid: UnaryOp, ArithmeticOp {
  public static let mnemonic = "hard_sigmoid"

  /// The slope.
  public var alpha: Double
  /// The value at zero.
  public var beta: Double

  public init(alpha: Double = 1.0 / 6, beta: Double = 0.5) {
    self.alpha = alpha
    self.beta = beta
  }

  public init(_ reader: inout AttributeReader) throws {
    self.alpha = try reader.float("alpha")
    self.beta = try reader.float("beta")
  }

  public var attributes: [Attribute] {
    [Attribute("alpha", .float(alpha)), Attribute("beta", .float(beta))]
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    let y = T(alpha) * x + T(beta)
    return y < 0 ? 0 : y > 1 ? 1 : y
  }

  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let y = .literal(alpha, type) * operands[0] + .literal(beta, type)
    return .minimum(.literal(1, type), .maximum(.literal(0, type), y))
  }
}
