/// A word of the graph text.
struct GraphToken: Hashable {
  enum Kind: Hashable {
    /// A keyword, mnemonic or attribute name: letters, digits, `_`, `.` and `/`, not starting with a digit.
    case word(String)
    /// `%name` or `%"any name"`.
    case value(String)
    case string(String)
    case integer(Int)
    case float(Double)
    /// Extents with `x` between, like `1x56x56`.
    case extents([Int])
    case punctuation(String)
    case end
  }

  var kind: Kind
  var location: Diagnostic.Location

  /// The token as a message quotes it.
  var description: String {
    switch kind {
    case .word(let text): "'\(text)'"
    case .value(let name): "'%\(name)'"
    case .string(let text): "the string \"\(text)\""
    case .integer(let value): "\(value)"
    case .float(let value): "\(value)"
    case .extents(let values): values.map(String.init).joined(separator: "x")
    case .punctuation(let text): "'\(text)'"
    case .end: "the end of the text"
    }
  }
}

/// Splits graph text into tokens; `//` starts a comment that runs to the end of the line.
struct GraphLexer {
  private let text: [Unicode.Scalar]
  private let file: String
  private var position = 0
  private var line = 1
  private var column = 1

  init(_ text: String, file: String) {
    self.text = Array(text.unicodeScalars)
    self.file = file
  }

  /// All tokens, ending with `end`.
  static func tokens(_ text: String, file: String) throws -> [GraphToken] {
    var lexer = GraphLexer(text, file: file)
    var tokens: [GraphToken] = []
    while true {
      let token = try lexer.next()
      tokens.append(token)
      if token.kind == .end { return tokens }
    }
  }

  private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
    position + ahead < text.count ? text[position + ahead] : nil
  }

  @discardableResult
  private mutating func advance() -> Unicode.Scalar {
    let scalar = text[position]
    position += 1
    if scalar == "\n" {
      line += 1
      column = 1
    } else {
      column += 1
    }
    return scalar
  }

  private var location: Diagnostic.Location { Diagnostic.Location(file: file, line: line, column: column) }

  private mutating func skipBlanks() {
    while let scalar = peek() {
      if scalar == "/" && peek(1) == "/" {
        while let other = peek(), other != "\n" { advance() }
      } else if scalar.properties.isWhitespace {
        advance()
      } else {
        return
      }
    }
  }

  private mutating func next() throws -> GraphToken {
    skipBlanks()
    let start = location
    guard let scalar = peek() else { return GraphToken(kind: .end, location: start) }
    if scalar == "\"" { return GraphToken(kind: .string(try string()), location: start) }
    if scalar == "%" {
      advance()
      if peek() == "\"" { return GraphToken(kind: .value(try string()), location: start) }
      let name = nameText()
      if name.isEmpty { throw Diagnostic("a '%' must be followed by the name of a value", at: start) }
      return GraphToken(kind: .value(name), location: start)
    }
    if isDigit(scalar) || (scalar == "-" && peek(1).map(isDigit) == true) {
      return GraphToken(kind: try number(at: start), location: start)
    }
    if isNamePart(scalar), scalar != ".", scalar != "/" {
      return GraphToken(kind: .word(nameText()), location: start)
    }
    if scalar == "-" && peek(1) == "i" {
      advance()
      let word = nameText()
      if word == "inf" { return GraphToken(kind: .float(-.infinity), location: start) }
      throw Diagnostic("'-\(word)' is not a number", at: start)
    }
    for pair in ["->", ".."] where peek(1) != nil && String(text[position...(position + 1)].map(Character.init)) == pair
    {
      advance()
      advance()
      return GraphToken(kind: .punctuation(pair), location: start)
    }
    if "(){}[]<>,:=".unicodeScalars.contains(scalar) {
      advance()
      return GraphToken(kind: .punctuation(String(scalar)), location: start)
    }
    throw Diagnostic("the character '\(scalar)' has no meaning here", at: start)
  }

  private func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private func isNamePart(_ scalar: Unicode.Scalar) -> Bool { isBareNameScalar(scalar) }

  /// A run of name characters; stops before `//` and before `..`.
  private mutating func nameText() -> String {
    var name = String.UnicodeScalarView()
    while let scalar = peek(), isNamePart(scalar) {
      if (scalar == "/" || scalar == ".") && peek(1) == scalar { break }
      name.append(advance())
    }
    return String(name)
  }

  private mutating func digits() -> String {
    var digits = String.UnicodeScalarView()
    while let scalar = peek(), isDigit(scalar) { digits.append(advance()) }
    return String(digits)
  }

  private mutating func number(at start: Diagnostic.Location) throws -> GraphToken.Kind {
    var spelling = peek() == "-" ? String(advance()) : ""
    spelling += digits()
    if peek() == "x", peek(1).map(isDigit) == true {
      var parts = [spelling]
      while peek() == "x", peek(1).map(isDigit) == true {
        advance()
        parts.append(digits())
      }
      return .extents(try parts.map { try integer($0, at: start) })
    }
    var isFloat = false
    if peek() == ".", peek(1).map(isDigit) == true {
      isFloat = true
      advance()
      spelling += "." + digits()
    }
    if peek() == "e" || peek() == "E" {
      let sign = peek(1) == "-" || peek(1) == "+"
      if peek(sign ? 2 : 1).map(isDigit) == true {
        isFloat = true
        spelling += String(advance())
        if sign { spelling += String(advance()) }
        spelling += digits()
      }
    }
    if let scalar = peek(), isNamePart(scalar), scalar != "." {
      throw Diagnostic("'\(spelling)\(nameText())' is not a number", at: start)
    }
    if !isFloat { return .integer(try integer(spelling, at: start)) }
    guard let value = Double(spelling) else { throw Diagnostic("'\(spelling)' is not a number", at: start) }
    return .float(value)
  }

  private func integer(_ spelling: String, at start: Diagnostic.Location) throws -> Int {
    guard let value = Int(spelling) else { throw Diagnostic("the integer \(spelling) is too large", at: start) }
    return value
  }

  private mutating func string() throws -> String {
    let start = location
    advance()
    var value = String.UnicodeScalarView()
    while let scalar = peek(), scalar != "\n" {
      let place = location
      advance()
      if scalar == "\"" { return String(value) }
      guard scalar == "\\" else {
        value.append(scalar)
        continue
      }
      switch peek() {
      case "n": value.append("\n")
      case "t": value.append("\t")
      case "r": value.append("\r")
      case "0": value.append("\0")
      case "\"": value.append("\"")
      case "\\": value.append("\\")
      default: throw Diagnostic("strings know the escapes \\n, \\t, \\r, \\0, \\\" and \\\\ only", at: place)
      }
      advance()
    }
    throw Diagnostic("the string that starts here has no end on its line", at: start)
  }
}

/// Whether a name may hold the character without being quoted.
func isBareNameScalar(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar {
  case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "/": true
  default: false
  }
}
