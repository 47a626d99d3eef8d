import RealModule

/// The Gaussian error linear unit: x / 2 * (1 + erf(x / sqrt 2)), or its approximation by tanh,
/// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) (Hendrycks and Gimpel, arXiv:1606.08415).
public struct Gelu: UnaryOp {
  public static let mnemonic = "gelu"

  public enum Approximation: String, CaseIterable, Hashable, Sendable {
    case none
    case tanh
  }

  public var approximation: Approximation

  public init(approximation: Approximation = .none) {
    self.approximation = approximation
  }

  public init(_ reader: inout AttributeReader) throws {
    self.approximation = try reader.choice("approximation")
  }

  public var attributes: [Attribute] { [Attribute("approximation", .string(approximation.rawValue))] }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    switch approximation {
    case .none:
      return T(0.5) * x * (1 + T.erf(x / T(2).squareRoot()))
    case .tanh:
      let inner = (2 / T.pi).squareRoot() * (x + T(0.044715) * x * x * x)
      return T(0.5) * x * (1 + T.tanh(inner))
    }
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    let x = operands[0]
    switch approximation {
    case .none:
      return LoopMath.gelu(&builder, x, lanes: lanes)
    case .tanh:
      let type = LoopType(.f32, lanes: lanes)
      let square = builder.let("square", type, x * x)
      let factor = LoopValue.fma(.f32(0.044715, lanes: lanes), square, .f32(1, lanes: lanes))
      let inner = builder.let("inner", type, .f32((2 / Double.pi).squareRoot(), lanes: lanes) * x * factor)
      let tanh = LoopMath.tanh(&builder, inner, lanes: lanes)
      return .f32(0.5, lanes: lanes) * x * (.f32(1, lanes: lanes) + tanh)
    }
  }
}
