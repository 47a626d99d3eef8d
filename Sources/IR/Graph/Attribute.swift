/// A compile-time parameter of an op, as the text form spells it.
public enum AttributeValue: Hashable, Sendable {
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(String)
  case integers([Int])
  case floats([Double])
}

/// A named parameter. Order is the op's own, and the printer keeps it.
public struct Attribute: Hashable, Sendable {
  public var name: String
  public var value: AttributeValue

  public init(_ name: String, _ value: AttributeValue) {
    self.name = name
    self.value = value
  }
}

/// What an op's initialiser reads its parameters from; `finish` complains about the ones that were not asked for.
public struct AttributeReader {
  private var remaining: [String: AttributeValue]
  /// What the owner has asked for: the names it accepts, once it has read everything.
  private var asked: [String] = []
  private let owner: String

  public init(_ attributes: [Attribute], owner: String) {
    self.remaining = [:]
    for attribute in attributes { remaining[attribute.name] = attribute.value }
    self.owner = owner
  }

  private mutating func take<Value>(
    _ name: String, default fallback: Value?, expected: String, _ convert: (AttributeValue) -> Value?
  ) throws -> Value {
    asked.append(name)
    guard let value = remaining.removeValue(forKey: name) else {
      if let fallback { return fallback }
      throw Diagnostic("\(owner) needs the attribute '\(name)', \(expected)")
    }
    guard let converted = convert(value) else {
      throw Diagnostic("attribute '\(name)' of \(owner) must be \(expected)")
    }
    return converted
  }

  /// Whether an optional attribute is there to be read.
  public mutating func has(_ name: String) -> Bool {
    asked.append(name)
    return remaining[name] != nil
  }

  public mutating func bool(_ name: String, default fallback: Bool? = nil) throws -> Bool {
    try take(name, default: fallback, expected: "true or false") {
      if case .bool(let value) = $0 { value } else { nil }
    }
  }

  public mutating func integer(_ name: String, default fallback: Int? = nil) throws -> Int {
    try take(name, default: fallback, expected: "an integer") {
      if case .integer(let value) = $0 { value } else { nil }
    }
  }

  public mutating func float(_ name: String, default fallback: Double? = nil) throws -> Double {
    try take(name, default: fallback, expected: "a number") {
      switch $0 {
      case .float(let value): value
      case .integer(let value): Double(value)
      case .bool, .string, .integers, .floats: nil
      }
    }
  }

  public mutating func string(_ name: String, default fallback: String? = nil) throws -> String {
    try take(name, default: fallback, expected: "a string") {
      if case .string(let value) = $0 { value } else { nil }
    }
  }

  /// One of an enumeration's cases by its raw value.
  public mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, default fallback: Choice? = nil
  ) throws -> Choice where Choice.RawValue == String {
    let accepted = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    return try take(name, default: fallback, expected: "one of \(accepted)") {
      if case .string(let value) = $0 { Choice(rawValue: value) } else { nil }
    }
  }

  public mutating func integers(_ name: String, default fallback: [Int]? = nil) throws -> [Int] {
    try take(name, default: fallback, expected: "a list of integers") {
      if case .integers(let value) = $0 { value } else { nil }
    }
  }

  public mutating func floats(_ name: String, default fallback: [Double]? = nil) throws -> [Double] {
    try take(name, default: fallback, expected: "a list of numbers") {
      switch $0 {
      case .floats(let value): value
      case .integers(let value): value.map(Double.init)
      case .bool, .integer, .float, .string: nil
      }
    }
  }

  /// Throws when an attribute is left that the op does not know.
  public func finish() throws {
    guard let unknown = remaining.keys.sorted().first else { return }
    let known = Set(asked).sorted()
    let close = nearest(to: unknown, among: known)
    let hint =
      if let first = close.first { "is '\(first)' meant?" } else {
        known.isEmpty ? "it takes none" : "it takes \(known.joined(separator: ", "))"
      }
    throw Diagnostic("\(owner) has no attribute '\(unknown)'; \(hint)")
  }
}
