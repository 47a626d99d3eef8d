import RealModule

/// A tensor known at compile time.
public struct Constant: Op {
  public static let mnemonic = "constant"

  public enum Source: Hashable, Sendable {
    /// The contents are those of `Graph.weights` under this name.
    case named(String)
    /// The contents themselves, row-major.
    case inline([Double])
  }

  /// Constants of at most this many elements print inline when a pass makes them.
  public static let inlineLimit = 16

  public var type: TensorType
  public var source: Source

  public init(type: TensorType, source: Source) {
    self.type = type
    self.source = source
  }

  /// The text form gives a constant's type after the colon, so that it cannot be read from attributes alone.
  public init(_ reader: inout AttributeReader) throws {
    throw Diagnostic("a constant needs the type of its result")
  }

  /// Reads `name` or `values`; the type is the one the text form gives the result.
  public init(type: TensorType, _ reader: inout AttributeReader) throws {
    self.type = type
    self.source = reader.has("name") ? .named(try reader.string("name")) : .inline(try reader.floats("values"))
  }

  public var attributes: [Attribute] {
    switch source {
    case .named(let name): [Attribute("name", .string(name))]
    case .inline(let values): [Attribute("values", .floats(values))]
    }
  }

  /// True only if all elements are known to be zero.
  public var mapsZeroToZero: Bool {
    switch source {
    case .named: false
    case .inline(let values): values.allSatisfy { $0 == 0 }
    }
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, [])
    try checker.checkShape(type.shape)
    switch source {
    case .named(let name):
      if name.isEmpty { throw checker.problem("the name of its contents is empty") }
    case .inline(let values):
      if values.count != type.count {
        throw checker.problem("\(type) has \(type.count) elements, but \(values.count) values are given")
      }
      if let range = type.element.integerRange {
        for value in values where Int(exactly: value).map(range.contains) != true {
          throw checker.problem("\(value) is not a value of \(type.element.rawValue)")
        }
      }
    }
    return [.tensor(type)]
  }

  /// The contents, from `weights` if they are named.
  public func contents<T: Real & BinaryFloatingPoint & Sendable>(in weights: [String: TensorData]) throws -> Tensor<T> {
    switch source {
    case .inline(let values):
      if type.element.isFloat { return Tensor(element: type.element, shape: type.shape, real: values.map { T($0) }) }
      return Tensor(element: type.element, shape: type.shape, integer: values.map { Int64($0) })
    case .named(let name):
      guard let data = weights[name] else {
        let close = nearest(to: name, among: weights.keys)
        let hint = close.isEmpty ? [] : ["names like it: \(close.joined(separator: ", "))"]
        throw Diagnostic("the weights hold nothing named '\(name)'", notes: hint)
      }
      if data.element != type.element || data.shape != type.shape {
        throw Diagnostic("the weights hold \(data.type) under '\(name)', but the constant is \(type)")
      }
      return Tensor(data)
    }
  }

  /// For inline contents; the interpreter gets named ones by `contents(in:)`.
  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    [.tensor(try contents(in: [:]))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    throw Diagnostic("a constant has no loops: it is part of the weights")
  }
}
