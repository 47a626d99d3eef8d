// The words of the `.vil` text with their places: names, numbers, quoted strings and punctuation; `//` comments go.

struct LoopToken {
  enum Kind: Hashable {
    case name
    case integer
    case float
    case string
    case symbol
    case end
  }

  var kind: Kind
  var text: String
  var location: Diagnostic.Location

  /// For messages: what was found.
  var description: String {
    switch kind {
    case .end: "the end of the file"
    case .string: "\"\(text)\""
    case .name, .integer, .float, .symbol: "'\(text)'"
    }
  }
}

struct LoopLexer {
  private let bytes: [UInt8]
  private let file: String
  private var position = 0
  private var line = 1
  private var lineStart = 0

  init(_ text: String, file: String) {
    bytes = Array(text.utf8)
    self.file = file
  }

  static func tokens(of text: String, file: String) throws -> [LoopToken] {
    var lexer = LoopLexer(text, file: file)
    var tokens: [LoopToken] = []
    repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
    return tokens
  }

  private var location: Diagnostic.Location {
    Diagnostic.Location(file: file, line: line, column: position - lineStart + 1)
  }

  private func peek(_ offset: Int = 0) -> UInt8? {
    position + offset < bytes.count ? bytes[position + offset] : nil
  }

  private mutating func skipBlanks() {
    while let byte = peek() {
      if byte == UInt8(ascii: "\n") {
        position += 1
        line += 1
        lineStart = position
      } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") {
        position += 1
      } else if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "/") {
        while let byte = peek(), byte != UInt8(ascii: "\n") { position += 1 }
      } else {
        return
      }
    }
  }

  private mutating func next() throws -> LoopToken {
    skipBlanks()
    let place = location
    guard let byte = peek() else { return LoopToken(kind: .end, text: "", location: place) }
    let start = position
    if byte.isNameStart {
      while let byte = peek(), byte.isNameStart || byte.isDigit { position += 1 }
      return LoopToken(kind: .name, text: text(from: start), location: place)
    }
    if byte.isDigit { return number(at: place) }
    if byte == UInt8(ascii: "\"") { return try string(at: place) }
    for symbol in ["..<", "..", "<=", "==", ">="] where bytes[position...].starts(with: symbol.utf8) {
      position += symbol.utf8.count
      return LoopToken(kind: .symbol, text: symbol, location: place)
    }
    guard "{}()[],:=<>&+-*".utf8.contains(byte) else {
      throw Diagnostic("'\(Unicode.Scalar(byte))' begins no word of the loop language", at: place)
    }
    position += 1
    return LoopToken(kind: .symbol, text: text(from: start), location: place)
  }

  /// Decimal or hexadecimal, with a fraction only if a digit follows the point: `0..<4` has none.
  private mutating func number(at place: Diagnostic.Location) -> LoopToken {
    let start = position
    var isFloat = false
    let isHexadecimal = peek() == UInt8(ascii: "0") && peek(1) == UInt8(ascii: "x")
    if isHexadecimal { position += 2 }
    while let byte = peek() {
      let exponents = isHexadecimal ? "pP" : "eE"
      if byte.isDigit || (isHexadecimal && isHexadecimalLetter(0)) {
        position += 1
      } else if byte == UInt8(ascii: "."), peek(1)?.isDigit == true || (isHexadecimal && isHexadecimalLetter(1)) {
        isFloat = true
        position += 1
      } else if exponents.utf8.contains(byte) {
        isFloat = true
        position += peek(1) == UInt8(ascii: "-") || peek(1) == UInt8(ascii: "+") ? 2 : 1
      } else {
        break
      }
    }
    return LoopToken(kind: isFloat ? .float : .integer, text: text(from: start), location: place)
  }

  private func isHexadecimalLetter(_ offset: Int) -> Bool { peek(offset)?.isHexadecimalLetter == true }

  private mutating func string(at place: Diagnostic.Location) throws -> LoopToken {
    position += 1
    var content: [UInt8] = []
    while let byte = peek(), byte != UInt8(ascii: "\n") {
      position += 1
      if byte == UInt8(ascii: "\"") {
        return LoopToken(kind: .string, text: String(decoding: content, as: UTF8.self), location: place)
      }
      if byte == UInt8(ascii: "\\"), let escaped = peek() {
        position += 1
        content.append(escaped == UInt8(ascii: "n") ? UInt8(ascii: "\n") : escaped)
      } else {
        content.append(byte)
      }
    }
    throw Diagnostic("the string has no closing quote on its line", at: place)
  }

  private func text(from start: Int) -> String { String(decoding: bytes[start..<position], as: UTF8.self) }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  fileprivate var isHexadecimalLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20) }
  fileprivate var isNameStart: Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) || self == UInt8(ascii: "_")
  }
}
