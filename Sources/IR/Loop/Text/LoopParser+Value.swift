// Types, indices and values of the `.vil` text.

extension LoopParser {
  /// More than any machine's vectors have.
  private static let mostLanes = 1 << 12

  /// `f32`, `f32x8`, `mask`, `maskx8`.
  mutating func type() throws -> LoopType {
    guard let type = Self.type(token) else { throw unexpected("a type such as f32, i32x8 or maskx8") }
    advance()
    return type
  }

  private static func type(_ token: LoopToken) -> LoopType? {
    let parts = token.text.split(separator: "x", omittingEmptySubsequences: false)
    let lanes = parts.count == 1 ? 1 : parts.count == 2 ? Int(parts[1]) : nil
    guard token.kind == .name, let lanes, (0...mostLanes).contains(lanes), let head = parts.first else { return nil }
    if head == "mask" { return .mask(lanes: lanes) }
    return ElementType(rawValue: String(head)).map { LoopType($0, lanes: lanes) }
  }

  /// `mask value`, which a statement that assigns to a register called `mask` is not.
  mutating func optionalMask() throws -> LoopValue? {
    guard at("mask"), following.kind == .name else { return nil }
    advance()
    return try value()
  }

  /// A sum of products.
  mutating func index() throws -> LoopIndex { try nested { try $0.sum() } }

  private mutating func sum() throws -> LoopIndex {
    let place = token.location
    var sum = try product()
    var terms = 1
    while true {
      terms += 1
      if terms > Self.mostTerms { throw Diagnostic("an index of more than \(Self.mostTerms) terms", at: place) }
      if accept("+") {
        sum = .add(sum, try product())
      } else if accept("-") {
        sum = .subtract(sum, try product())
      } else {
        return sum
      }
    }
  }

  private mutating func product() throws -> LoopIndex {
    let start = token.location
    var product = try factor()
    var factors = 1
    while at("*") {
      factors += 1
      if factors > Self.mostTerms { throw Diagnostic("an index of more than \(Self.mostTerms) factors", at: start) }
      advance()
      let place = token
      let right = try factor()
      if case .constant(let n) = right {
        product = .multiply(product, n)
      } else if case .constant(let n) = product {
        product = .multiply(right, n)
      } else {
        throw Diagnostic("an index is multiplied by an integer, found '\(right)'", at: place.location)
      }
    }
    return product
  }

  private mutating func factor() throws -> LoopIndex {
    if token.kind == .integer || at("-") { return .constant(try integer()) }
    if accept("(") {
      let inner = try index()
      try expect(")")
      return inner
    }
    let isCall = isFollowed(by: "(")
    let place = token
    let word = try name("an index: an integer, a variable, '(', div, mod, min or max")
    guard isCall else { return .variable(word) }
    guard ["div", "mod", "min", "max"].contains(word) else {
      throw Diagnostic("found '\(word)(', expected one of div, mod, min and max", at: place.location)
    }
    try expect("(")
    let a = try index()
    try expect(",")
    defer { _ = accept(")") }
    if word == "div" || word == "mod" {
      let n = try integer()
      guard at(")") else { throw unexpected("')'") }
      return word == "div" ? .divide(a, n) : .modulo(a, n)
    }
    let b = try index()
    guard at(")") else { throw unexpected("')'") }
    return word == "min" ? .minimum(a, b) : .maximum(a, b)
  }

  /// Any value; see `LoopValue` for the spellings.
  mutating func value() throws -> LoopValue { try nested { try $0.flatValue() } }

  private mutating func flatValue() throws -> LoopValue {
    let place = token
    let isCall = isFollowed(by: "(")
    let word = try name("a value")
    if isCall { return try call(word, at: place) }
    // Words that a type or a lane count follows; if none does, the word is a variable's name.
    let beginsTyped = Self.type(token) != nil
    let beginsCounted = token.kind == .integer
    switch word {
    case "const" where beginsTyped: return try literal()
    case "load" where beginsTyped:
      let type = try type()
      let (buffer, index) = try self.place()
      return .load(buffer: buffer, index, type, mask: try optionalMask())
    case "gather" where beginsTyped:
      let type = try type()
      let buffer = try name("a buffer's name")
      try expect("[")
      let offsets = try value()
      try expect("]")
      return .gather(buffer: buffer, offsets, type, mask: try optionalMask())
    case "splat" where beginsCounted:
      let lanes = try integer(in: 1...Self.mostLanes, "the number of lanes")
      return .splat(try value(), lanes: lanes)
    case "index" where beginsTyped, "iota" where beginsTyped:
      let type = try type()
      return .index(try index(), type, step: word == "iota" ? 1 : 0)
    case "lanemask" where beginsCounted:
      let lanes = try integer(in: 1...Self.mostLanes, "the number of lanes")
      return .firstLanes(try index(), lanes: lanes)
    case "convert" where beginsTyped, "saturate" where beginsTyped:
      let type = try type()
      return .convert(try value(), type, saturating: word == "saturate")
    case "bits" where beginsTyped:
      let type = try type()
      return .reinterpret(try value(), type)
    case "shuffle": return try shuffle()
    case "reduce":
      let reduction = try choice(LoopReduction.self, "a reduction")
      return .reduce(reduction, try value())
    case "instr":
      let instruction = try name("an instruction's name")
      return .instruction(instruction, try list { try $0.value() })
    case "apply":
      let function = try name("a value function's name")
      return .apply(function, try list { try $0.value() })
    default:
      guard accept("[") else { return .variable(word) }
      let index = try index()
      try expect("]")
      return .element(word, index)
    }
  }

  private mutating func literal() throws -> LoopValue {
    let type = try type()
    let sign = accept("-") ? "-" : ""
    let isNamed = token.kind == .name && (token.text == "inf" || token.text == "nan")
    guard token.kind == .integer || token.kind == .float || isNamed, let number = Double(sign + token.text) else {
      throw unexpected("a number, inf or nan")
    }
    advance()
    return .constant(number, type)
  }

  private mutating func shuffle() throws -> LoopValue {
    try expect("[")
    var lanes = [try integer()]
    while accept(",") { lanes.append(try integer()) }
    try expect("]")
    let place = token
    let operands = try list { try $0.value() }
    guard operands.count == 1 || operands.count == 2 else {
      throw Diagnostic("shuffle takes one or two vectors, found \(operands.count)", at: place.location)
    }
    return .shuffle(operands[0], operands.count == 2 ? operands[1] : nil, lanes)
  }

  private mutating func call(_ word: String, at place: LoopToken) throws -> LoopValue {
    let operands = try list { try $0.value() }
    func need(_ count: Int) throws {
      guard operands.count == count else {
        throw Diagnostic("\(word) takes \(count) operands, found \(operands.count)", at: place.location)
      }
    }
    if let operation = LoopUnary(rawValue: word) {
      try need(1)
      return .unary(operation, operands[0])
    }
    if let operation = LoopBinary(rawValue: word) {
      try need(2)
      return .binary(operation, operands[0], operands[1])
    }
    if let operation = LoopCompare(rawValue: word) {
      try need(2)
      return .compare(operation, operands[0], operands[1])
    }
    switch word {
    case "permute":
      try need(2)
      return .permute(operands[0], operands[1])
    case "compress":
      try need(2)
      return .compress(operands[0], operands[1])
    case "fma":
      try need(3)
      return .fma(operands[0], operands[1], operands[2])
    case "select":
      try need(3)
      return .select(operands[0], operands[1], operands[2])
    default:
      let known =
        LoopUnary.allCases.map(\.rawValue) + LoopBinary.allCases.map(\.rawValue) + LoopCompare.allCases.map(\.rawValue)
      let close = nearest(to: word, among: known + ["permute", "compress", "fma", "select"])
      throw Diagnostic(
        "no operation is called \(word)", at: place.location,
        notes: close.isEmpty ? [] : ["did you mean \(close.joined(separator: " or "))?"])
    }
  }
}

extension LoopParser {
  /// Words that begin a statement, or a value that could be mistaken for a variable: they may not be names. The other
  /// words of the language are keywords only where no name can stand.
  static let reserved: Set<String> = [
    "program", "buffer", "func", "entry", "for", "if", "else", "let", "var", "store", "prefetch", "call", "layer",
    "reduce", "instr", "shuffle", "apply", "return",
  ]
}
