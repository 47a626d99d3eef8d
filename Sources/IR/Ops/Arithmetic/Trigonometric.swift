import RealModule

/// A circular or hyperbolic function or the inverse of one, of angles in radians.
public struct Trigonometric: UnaryOp {
  public static let mnemonic = "trigonometric"

  public enum Function: String, CaseIterable, Hashable, Sendable {
    case sin
    case cos
    case tan
    case asin
    case acos
    case atan
    case sinh
    case cosh
    case asinh
    case acosh
    case atanh
  }

  public var function: Function

  public init(_ function: Function) {
    self.function = function
  }

  public init(_ reader: inout AttributeReader) throws {
    self.function = try reader.choice("function")
  }

  public var attributes: [Attribute] { [Attribute("function", .string(function.rawValue))] }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T {
    switch function {
    case .sin: T.sin(x)
    case .cos: T.cos(x)
    case .tan: T.tan(x)
    case .asin: T.asin(x)
    case .acos: T.acos(x)
    case .atan: T.atan(x)
    case .sinh: T.sinh(x)
    case .cosh: T.cosh(x)
    case .asinh: T.asinh(x)
    case .acosh: T.acosh(x)
    case .atanh: T.atanh(x)
    }
  }

  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    let x = operands[0]
    switch function {
    case .sin: return LoopMath.sin(&builder, x, lanes: lanes)
    case .cos: return LoopMath.cos(&builder, x, lanes: lanes)
    case .tan: return LoopMath.tan(&builder, x, lanes: lanes)
    case .asin: return LoopMath.asin(&builder, x, lanes: lanes)
    case .acos: return LoopMath.acos(&builder, x, lanes: lanes)
    case .atan: return LoopMath.atan(&builder, x, lanes: lanes)
    case .sinh: return LoopMath.sinh(&builder, x, lanes: lanes)
    case .cosh: return LoopMath.cosh(&builder, x, lanes: lanes)
    case .asinh: return LoopMath.asinh(&builder, x, lanes: lanes)
    case .acosh: return LoopMath.acosh(&builder, x, lanes: lanes)
    case .atanh: return LoopMath.atanh(&builder, x, lanes: lanes)
    }
  }
}
