import Foundation
import IR

/// A JSON document. Keys keep their order, integers are told from other numbers, and duplicate keys are an error.
///
/// Strict (RFC 8259) and bounded in depth, for headers and goldens that may come from anywhere.
public enum JSON: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  public struct Member: Hashable, Sendable {
    public var key: String
    public var value: JSON
  }

  /// Parses one document; throws a `Diagnostic` with the byte offset of what is wrong.
  public init(parsing bytes: some Collection<UInt8>) throws {
    var parser = JSONParser(bytes: Array(bytes))
    self = try parser.document()
  }

  public subscript(key: String) -> JSON? {
    if case .object(let members) = self { members.first { $0.key == key }?.value } else { nil }
  }

  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }

  /// Any number, integers converted.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    case .null, .bool, .string, .array, .object: nil
    }
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var position = 0
  private static let deepest = 64

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws -> JSON {
    let result = try value(depth: 0)
    skipSpace()
    if position < bytes.count { throw problem("nothing more after the value") }
    return result
  }

  private func problem(_ expected: String) -> Diagnostic {
    Diagnostic("not JSON: expected \(expected) at byte \(position)")
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws -> JSON {
    guard depth < Self.deepest else { throw problem("at most \(Self.deepest) levels of nesting") }
    skipSpace()
    guard let byte = current else { throw problem("a value") }
    switch Unicode.Scalar(byte) {
    case "{": return try object(depth: depth)
    case "[": return try array(depth: depth)
    case "\"": return .string(try string())
    case "t": return try word("true", .bool(true))
    case "f": return try word("false", .bool(false))
    case "n": return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ text: String, _ value: JSON) throws -> JSON {
    guard bytes[position...].starts(with: text.utf8) else { throw problem("a value") }
    position += text.utf8.count
    return value
  }

  private mutating func array(depth: Int) throws -> JSON {
    position += 1
    var elements: [JSON] = []
    skipSpace()
    if take("]") { return .array([]) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw problem("',' or ']'") }
    }
  }

  private mutating func object(depth: Int) throws -> JSON {
    position += 1
    var members: [JSON.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if take("}") { return .object([]) }
    while true {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw problem("a quoted key") }
      let key = try string()
      guard keys.insert(key).inserted else { throw Diagnostic("not JSON: the key '\(key)' appears twice") }
      skipSpace()
      guard take(":") else { throw problem("':'") }
      members.append(JSON.Member(key: key, value: try value(depth: depth + 1)))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw problem("',' or '}'") }
    }
  }

  private mutating func string() throws -> String {
    position += 1
    var text: [UInt8] = []
    while true {
      guard let byte = current, byte >= 0x20 else { throw problem("the end of a string") }
      position += 1
      switch Unicode.Scalar(byte) {
      case "\"":
        guard let result = String(validating: text, as: UTF8.self) else { throw problem("UTF-8 in a string") }
        return result
      case "\\": text.append(contentsOf: try escape())
      default: text.append(byte)
      }
    }
  }

  private mutating func escape() throws -> [UInt8] {
    guard let byte = current else { throw problem("an escape") }
    position += 1
    switch Unicode.Scalar(byte) {
    case "\"", "\\", "/": return [byte]
    case "b": return [0x08]
    case "f": return [0x0C]
    case "n": return [0x0A]
    case "r": return [0x0D]
    case "t": return [0x09]
    case "u":
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code) {
        guard take("\\"), take("u") else { throw problem("the second half of a surrogate pair") }
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw problem("the second half of a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw problem("a character") }
      return Array(String(Character(scalar)).utf8)
    default: throw problem("an escape")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard position + 4 <= bytes.count else { throw problem("four hexadecimal digits") }
    var code: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw problem("four hexadecimal digits") }
      code = code << 4 | UInt32(digit)
    }
    position += 4
    return code
  }

  private mutating func digits() -> Int {
    let start = position
    while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
    return position - start
  }

  private mutating func number() throws -> JSON {
    let start = position
    _ = take("-")
    let leadingZero = current == UInt8(ascii: "0")
    let count = digits()
    guard count > 0, !(leadingZero && count > 1) else { throw problem("a value") }
    var whole = true
    if take(".") {
      whole = false
      guard digits() > 0 else { throw problem("a digit") }
    }
    if take("e") || take("E") {
      whole = false
      if !take("+") { _ = take("-") }
      guard digits() > 0 else { throw problem("a digit") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if whole, let integer = Int(text) { return .integer(integer) }
    guard let double = Double(text) else { throw problem("a number") }
    return .number(double)
  }
}
