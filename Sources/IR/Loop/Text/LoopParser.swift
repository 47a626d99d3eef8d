// Reads the `.vil` text: buffers, functions and statements here, values and indices in `LoopParser+Value.swift`.
// The grammar is at the top of `LoopIR.swift`. It stops at the first mistake with a `Diagnostic` that says what was
// found, where, and what would be accepted. Names and types are the verifier's business.

extension LoopProgram {
  /// Parses `.vil` text; `file` is only for messages. Throws a `Diagnostic`.
  public init(parsing text: String, file: String) throws {
    var parser = LoopParser(tokens: try LoopLexer.tokens(of: text, file: file))
    self = try parser.program()
  }
}

struct LoopParser {
  private let tokens: [LoopToken]
  private var position = 0
  /// Blocks, indices and values around the one that is being read.
  private var depth = 0

  /// Deeper than anything that people or kernels write, and not so deep that the stack overflows.
  private static let deepest = 256
  /// The most terms that an index may have: a sum is as deep as it is long.
  static let mostTerms = 1024

  init(tokens: [LoopToken]) {
    self.tokens = tokens
  }

  var token: LoopToken { tokens[position] }

  /// Reads something that may hold others of its kind.
  mutating func nested<Result>(_ read: (inout LoopParser) throws -> Result) throws -> Result {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw Diagnostic("nested more than \(Self.deepest) deep", at: token.location) }
    return try read(&self)
  }

  /// An integer of a range.
  mutating func integer(in range: ClosedRange<Int>, _ what: String) throws -> Int {
    let place = token.location
    let value = try integer()
    guard range.contains(value) else {
      throw Diagnostic("\(what) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)", at: place)
    }
    return value
  }

  /// Whether the token after this one is `symbol`.
  func isFollowed(by symbol: String) -> Bool {
    position + 1 < tokens.count && tokens[position + 1].kind == .symbol && tokens[position + 1].text == symbol
  }

  /// The token after this one.
  var following: LoopToken { tokens[min(position + 1, tokens.count - 1)] }

  func unexpected(_ wanted: String) -> Diagnostic {
    Diagnostic("found \(token.description), expected \(wanted)", at: token.location)
  }

  mutating func advance() {
    if position + 1 < tokens.count { position += 1 }
  }

  func at(_ text: String) -> Bool {
    (token.kind == .symbol || token.kind == .name) && token.text == text
  }

  mutating func accept(_ text: String) -> Bool {
    guard at(text) else { return false }
    advance()
    return true
  }

  mutating func expect(_ text: String) throws {
    guard accept(text) else { throw unexpected("'\(text)'") }
  }

  mutating func name(_ what: String) throws -> String {
    guard token.kind == .name else { throw unexpected(what) }
    defer { advance() }
    return token.text
  }

  mutating func string() throws -> String {
    guard token.kind == .string else { throw unexpected("a name in quotes") }
    defer { advance() }
    return token.text
  }

  mutating func integer() throws -> Int {
    let start = token
    let sign = accept("-") ? "-" : ""
    guard token.kind == .integer else { throw unexpected("an integer") }
    guard let value = Int(sign + token.text) else {
      throw Diagnostic("\(sign)\(token.text) is not a 64-bit decimal integer", at: start.location)
    }
    advance()
    return value
  }

  /// The word at this place as one of an enum's raw values.
  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ type: Choice.Type, _ what: String
  ) throws -> Choice where Choice.RawValue == String {
    guard token.kind == .name, let choice = Choice(rawValue: token.text) else {
      throw unexpected("\(what): \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    advance()
    return choice
  }

  mutating func bounds() throws -> ClosedRange<Int> {
    let start = token
    let low = try integer()
    try expect("..")
    let high = try integer()
    guard low <= high else { throw Diagnostic("the range \(low)..\(high) is empty", at: start.location) }
    return low...high
  }

  mutating func optionalRange() throws -> ClosedRange<Int>? {
    accept("range") ? try bounds() : nil
  }

  mutating func list<Item>(_ item: (inout LoopParser) throws -> Item) throws -> [Item] {
    try expect("(")
    if accept(")") { return [] }
    var items: [Item] = []
    repeat { items.append(try item(&self)) } while accept(",")
    guard accept(")") else { throw unexpected("',' or ')'") }
    return items
  }

  mutating func program() throws -> LoopProgram {
    try expect("program")
    var program = LoopProgram(name: try name("the program's name"))
    try expect("{")
    while !at("entry") {
      if accept("buffer") {
        program.buffers.append(try buffer())
      } else if accept("value") {
        program.valueFunctions.append(try valueFunction())
      } else if accept("func") {
        let name = try name("the function's name")
        let parameters = try list { try $0.parameter() }
        program.functions.append(LoopFunction(name, parameters, try block()))
      } else {
        throw unexpected("'buffer', 'value', 'func' or 'entry'")
      }
    }
    try expect("entry")
    program.entry = try block()
    try expect("}")
    guard token.kind == .end else { throw unexpected("the end of the file") }
    return program
  }

  private mutating func buffer() throws -> LoopBuffer {
    let storage = try choice(LoopBuffer.Storage.self, "a buffer's class")
    let name = try name("the buffer's name")
    try expect(":")
    let (element, count) = try array()
    let range = try optionalRange()
    let alignment = accept("align") ? try integer(in: 1...1 << 20, "the alignment") : 64
    return LoopBuffer(name, storage, element, count: count, range: range, alignment: alignment)
  }

  private mutating func array() throws -> (ElementType, Int) {
    let element = try choice(ElementType.self, "an element type")
    try expect("[")
    let count = try integer(in: 0...1 << 48, "the number of elements")
    try expect("]")
    return (element, count)
  }

  private mutating func parameter() throws -> LoopParameter {
    let name = try name("a parameter's name")
    try expect(":")
    if accept("index") { return LoopParameter(name, .index(try bounds())) }
    guard let access = LoopParameter.Access(rawValue: token.text), token.kind == .name else {
      throw unexpected("'in', 'out', 'inout' or 'index'")
    }
    advance()
    let (element, count) = try array()
    return LoopParameter(name, .view(access, element, count: count, range: try optionalRange()))
  }

  private mutating func valueFunction() throws -> LoopValueFunction {
    let name = try name("the value function's name")
    let parameters = try list { parser in
      let name = try parser.name("a parameter's name")
      try parser.expect(":")
      return LoopValueFunction.Parameter(name, try parser.type())
    }
    try expect(":")
    let type = try type()
    try expect("{")
    var body: [LoopStatement] = []
    while accept("let") { body.append(try constant()) }
    guard accept("return") else { throw unexpected("'let' or 'return'") }
    let result = try value()
    try expect("}")
    return LoopValueFunction(name, parameters, type, body, result)
  }

  mutating func block() throws -> [LoopStatement] { try nested { try $0.flatBlock() } }

  private mutating func flatBlock() throws -> [LoopStatement] {
    try expect("{")
    var statements: [LoopStatement] = []
    while !accept("}") {
      if token.kind == .end { throw unexpected("a statement or '}'") }
      statements.append(try statement())
    }
    return statements
  }

  private mutating func statement() throws -> LoopStatement {
    guard token.kind == .name else { throw unexpected("a statement or '}'") }
    // A name before '=' or '[' is a register, whatever it is called.
    if isFollowed(by: "=") || isFollowed(by: "[") { return try assignment() }
    if accept("for") { return try loop() }
    if accept("if") { return try conditional() }
    if accept("let") { return try constant() }
    if accept("var") { return try register() }
    if accept("layer") { return .layer(try string(), try block()) }
    if accept("store") {
      let (buffer, index) = try place()
      let mask = try optionalMask()
      try expect("=")
      return .store(buffer: buffer, index, try value(), mask: mask)
    }
    if accept("prefetch") {
      let (buffer, index) = try place()
      return .prefetch(buffer: buffer, index)
    }
    if accept("call") {
      let function = try name("a function's name")
      let arguments = try list { parser in
        guard parser.accept("&") else { return LoopArgument.index(try parser.index()) }
        let (buffer, index) = try parser.place()
        return LoopArgument.view(buffer: buffer, index)
      }
      return .call(function, arguments)
    }
    throw unexpected("a statement: for, if, let, var, store, prefetch, call, layer, or an assignment to a register")
  }

  mutating func place() throws -> (String, LoopIndex) {
    let buffer = try name("a buffer's name")
    try expect("[")
    let index = try index()
    try expect("]")
    return (buffer, index)
  }

  private mutating func assignment() throws -> LoopStatement {
    let target = try name("a register's name")
    var element: LoopIndex?
    if accept("[") {
      element = try index()
      try expect("]")
    }
    try expect("=")
    return .assign(target, element: element, try value())
  }

  private mutating func loop() throws -> LoopStatement {
    let variable = try name("the loop's variable")
    try expect("in")
    let start = token
    let from = try index()
    try expect("..<")
    let to = try index()
    if accept("while") {
      guard from == .constant(0), case .constant(let maximum) = to else {
        throw Diagnostic("a loop with 'while' runs from 0 to a constant number of rounds", at: start.location)
      }
      return .forWhile(variable, maximum: maximum, condition: try value(), try block())
    }
    let step = accept("step") ? try integer() : 1
    let order: LoopStatement.Order = accept("unrolled") ? .unrolled : accept("parallel") ? .parallel : .serial
    guard at("{") else { throw unexpected("'step', 'unrolled', 'parallel', 'while' or '{'") }
    return .forLoop(variable, from: from, to: to, step: step, order: order, try block())
  }

  private mutating func conditional() throws -> LoopStatement {
    // `if value` and a value, which begins with a name. An index called `value` has an operator after it.
    if at("value"), following.kind == .name {
      advance()
      let condition = try value()
      return .ifValue(condition, then: try block(), else: accept("else") ? try block() : [])
    }
    var comparisons: [LoopComparison] = []
    repeat {
      let left = try index()
      guard token.kind == .symbol, let relation = LoopComparison.Relation(rawValue: token.text) else {
        throw unexpected("a comparison: <, <=, ==, >= or >")
      }
      advance()
      comparisons.append(LoopComparison(left, relation, try index()))
    } while accept("and")
    guard at("{") else { throw unexpected("'and' or '{'") }
    return .ifIndex(comparisons, then: try block(), else: accept("else") ? try block() : [])
  }

  private mutating func constant() throws -> LoopStatement {
    let name = try name("a name")
    try expect(":")
    if accept("index") {
      let range = try bounds()
      try expect("=")
      return .letIndex(name, range: range, try value())
    }
    let type = try type()
    try expect("=")
    return .letValue(name, type, try value())
  }

  private mutating func register() throws -> LoopStatement {
    let name = try name("a register's name")
    try expect(":")
    let type = try type()
    var count: Int?
    if accept("[") {
      count = try integer(in: 0...1 << 20, "the number of registers")
      try expect("]")
    }
    let range = try optionalRange()
    try expect("=")
    return .register(name, type, count: count, range: range, try value())
  }
}
