import RealModule

/// min(max(alpha * x + beta, 0), 1). PyTorch's has alpha 1/6 and beta 1/2, ONNX's alpha defaults to 1/5.
public struct HardSigmoid: UnaryOp {
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

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    let y = .f32(alpha, lanes: lanes) * operands[0] + .f32(beta, lanes: lanes)
    return .minimum(.f32(1, lanes: lanes), .maximum(.f32(0, lanes: lanes), y))
  }
}
