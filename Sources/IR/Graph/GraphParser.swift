// The graph language, whole:
//
//   graph      = "graph" name attributes? "(" (value ":" type) list ")" "->" "(" value list ")" "{" node* "}"
//   node       = value list "=" op ("(" value list ")")? attributes? ":" type list ("layer" string)? graph?
//   op         = a mnemonic | "fuse" string                        the kernel's name; the nested graph follows the node
//   attributes = "{" (name "=" attribute) list "}"                 a graph knows one: weights
//   attribute  = "true" | "false" | integer | float | string | "[" integer list "]" | "[" float list "]"
//   type       = tensor | neighborhood
//   tensor     = element "[" integer list "]" ("channels_last" "(" integer ")")? quantized?
//   quantized  = "quantized" "(" "scales" "[" float list "]" "," "zero_points" "[" integer list "]"
//                ("," "axis" integer)? ")"
//   neighborhood = "neighborhood" "<" form "," N "x" H "x" W ">"
//   form       = ("offsets" | "gated_offsets") run*  |  "indices" count "of" candidates  |  "incidence" hyperedges
//   run        = offset (".." offset "by" offset)?                 first, last, step between neighbours
//   offset     = "(" dy "," dx ")"
//   value      = "%" name, "%" string
//   name       = letters, digits, "_", ".", "/"; anything else in a string
//
// Lists are separated by commas and may be empty. `//` starts a comment. Floats hold a point or an exponent, or are
// `inf`, `-inf`, `nan`. Values are defined before they are used; result types are checked against the op's typing.

/// Reads the text form of a graph.
public struct GraphParser {
  var tokens: [GraphToken]
  var position = 0
  private var depth = 0

  /// The graph in `text`; `file` is what errors call it. Named constants have no contents yet.
  ///
  /// - Throws: A `Diagnostic` with file, line and column that says what was found and what would be accepted.
  public static func parse(_ text: String, file: String = "<text>") throws -> Graph {
    var parser = GraphParser(tokens: try GraphLexer.tokens(text, file: file))
    let graph = try parser.graph()
    if parser.current.kind != .end { throw parser.unexpected("the end of the text") }
    return graph
  }

  private init(tokens: [GraphToken]) {
    self.tokens = tokens
  }

  // MARK: Tokens

  var current: GraphToken { tokens[position] }

  mutating func advance() {
    if position < tokens.count - 1 { position += 1 }
  }

  func unexpected(_ expected: String) -> Diagnostic {
    Diagnostic("found \(current.description), expected \(expected)", at: current.location)
  }

  mutating func accept(_ punctuation: String) -> Bool {
    guard current.kind == .punctuation(punctuation) else { return false }
    advance()
    return true
  }

  mutating func expect(_ punctuation: String, _ context: String) throws {
    if !accept(punctuation) { throw unexpected("'\(punctuation)' \(context)") }
  }

  mutating func acceptWord(_ word: String) -> Bool {
    guard current.kind == .word(word) else { return false }
    advance()
    return true
  }

  mutating func expectWord(_ word: String, _ context: String) throws {
    if !acceptWord(word) { throw unexpected("'\(word)' \(context)") }
  }

  mutating func integer(_ expected: String) throws -> Int {
    guard case .integer(let value) = current.kind else { throw unexpected(expected) }
    advance()
    return value
  }

  /// Items with commas between, up to and with the closing mark.
  mutating func list(until close: String, _ item: (inout GraphParser) throws -> Void) throws {
    if accept(close) { return }
    while true {
      try item(&self)
      if accept(close) { return }
      if !accept(",") { throw unexpected("',' or '\(close)'") }
    }
  }

  private mutating func name(_ expected: String) throws -> String {
    switch current.kind {
    case .word(let text), .string(let text):
      advance()
      return text
    case .value, .integer, .float, .extents, .punctuation, .end:
      throw unexpected(expected)
    }
  }

  private mutating func string(_ expected: String) throws -> String {
    guard case .string(let text) = current.kind else { throw unexpected(expected) }
    advance()
    return text
  }

  /// A name after `%`, with its place.
  private mutating func valueName(_ expected: String) throws -> (name: String, location: Diagnostic.Location) {
    let location = current.location
    guard case .value(let name) = current.kind else { throw unexpected(expected) }
    advance()
    return (name, location)
  }

  // MARK: Graphs and nodes

  /// Values of the graph being read, by name.
  private typealias Scope = [String: ValueID]

  private mutating func graph() throws -> Graph {
    depth += 1
    defer { depth -= 1 }
    if depth > 32 { throw Diagnostic("graphs are nested more than 32 deep", at: current.location) }
    try expectWord("graph", "at the start of a graph")
    var graph = Graph(name: try name("the name of the graph"))
    if current.kind == .punctuation("{") {
      let place = current.location
      var reader = AttributeReader(try attributes(), owner: "graph")
      graph.weightSource = try located(place) { try reader.string("weights") }
      try located(place) { try reader.finish() }
    }
    var scope: Scope = [:]
    try expect("(", "before the inputs")
    try list(until: ")") { parser in
      let (name, location) = try parser.valueName("an input, like %x")
      try parser.expect(":", "and the type of the input")
      let type = try parser.type()
      try parser.define(name, type, at: location, in: &graph, &scope)
      graph.inputs.append(ValueID(graph.values.count - 1))
    }
    try expect("->", "before the outputs")
    try expect("(", "before the outputs")
    var outputs: [(name: String, location: Diagnostic.Location)] = []
    try list(until: ")") { outputs.append(try $0.valueName("an output, like %y")) }
    try expect("{", "before the nodes")
    while !accept("}") {
      guard case .value = current.kind else { throw unexpected("a node, like %y = relu(%x) : f32[1], or '}'") }
      try node(&graph, &scope)
    }
    graph.outputs = try outputs.map { try lookUp($0.name, at: $0.location, in: scope) }
    return graph
  }

  private func define(
    _ name: String, _ type: ValueType, at location: Diagnostic.Location, in graph: inout Graph, _ scope: inout Scope
  ) throws {
    if scope[name] != nil { throw Diagnostic("%\(name) is defined twice", at: location) }
    scope[name] = graph.addValue(type, name: name)
  }

  private func lookUp(_ name: String, at location: Diagnostic.Location, in scope: Scope) throws -> ValueID {
    if let value = scope[name] { return value }
    let close = nearest(to: name, among: scope.keys).map { "%\($0)" }
    let notes = close.isEmpty ? [] : ["values of a name like it: \(close.joined(separator: ", "))"]
    throw Diagnostic("%\(name) is used but not defined before", at: location, notes: notes)
  }

  private mutating func node(_ graph: inout Graph, _ scope: inout Scope) throws {
    var results = [try valueName("a result")]
    while accept(",") { results.append(try valueName("a result, like %y")) }
    try expect("=", "after the results")
    let place = current.location
    guard case .word(let mnemonic) = current.kind else { throw unexpected("the name of an op") }
    _ = try located(place) { try OpRegistry.type(named: mnemonic) }
    advance()
    let isFuse = mnemonic == Fuse.mnemonic
    let kernel = isFuse ? try string("the name of the fuse's kernel, in quotes") : ""
    var operands: [ValueID] = []
    if accept("(") {
      try list(until: ")") { parser in
        let (name, location) = try parser.valueName("an operand, like %x")
        operands.append(try parser.lookUp(name, at: location, in: scope))
      }
    }
    let attributePlace = current.location
    let attributes = current.kind == .punctuation("{") ? try attributes() : []
    try expect(":", "and the types of the results")
    let typePlace = current.location
    var types = [try type()]
    while accept(",") { types.append(try type()) }
    let layer = acceptWord("layer") ? try string("the name of the layer, in quotes") : ""

    let op: any Op
    if isFuse {
      op = Fuse(kernel: KernelName(kernel), schedule: attributes, body: try self.graph())
    } else {
      op = try located(attributes.isEmpty ? place : attributePlace) {
        guard mnemonic == Constant.mnemonic else { return try OpRegistry.make(mnemonic, attributes) }
        guard let type = types[0].tensor else { throw Diagnostic("a constant is a tensor") }
        var reader = AttributeReader(attributes, owner: mnemonic)
        let constant = try Constant(type: type, &reader)
        try reader.finish()
        return constant
      }
    }
    let inferred = try located(place) { try op.checkedResultTypes(operands.map(graph.type(of:))) }
    if inferred.count != results.count {
      throw Diagnostic("\(mnemonic) has \(inferred.count) results, not \(results.count)", at: place)
    }
    if inferred != types {
      let list = inferred.map(\.description).joined(separator: ", ")
      throw Diagnostic("the result of this \(mnemonic) is \(list), not what is written here", at: typePlace)
    }
    let first = graph.values.count
    for ((name, location), type) in zip(results, types) { try define(name, type, at: location, in: &graph, &scope) }
    let ids = (first..<graph.values.count).map { ValueID($0) }
    graph.nodes.append(Node(op: op, operands: operands, results: ids, layer: layer, location: place))
  }

  /// Gives what `body` throws a place, if it has none.
  private func located<Result>(_ location: Diagnostic.Location, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch var diagnostic as Diagnostic {
      if diagnostic.location == nil { diagnostic.location = location }
      throw diagnostic
    }
  }

  // MARK: Attributes

  private mutating func attributes() throws -> [Attribute] {
    try expect("{", "before attributes")
    var attributes: [Attribute] = []
    try list(until: "}") { parser in
      let location = parser.current.location
      let name = try parser.name("the name of an attribute")
      if attributes.contains(where: { $0.name == name }) {
        throw Diagnostic("the attribute '\(name)' is given twice", at: location)
      }
      try parser.expect("=", "and the value of '\(name)'")
      attributes.append(Attribute(name, try parser.attributeValue()))
    }
    return attributes
  }

  private mutating func attributeValue() throws -> AttributeValue {
    if accept("[") { return try numbers() }
    let value: AttributeValue
    switch current.kind {
    case .string(let text): value = .string(text)
    case .integer(let number): value = .integer(number)
    case .float(let number): value = .float(number)
    case .word("true"): value = .bool(true)
    case .word("false"): value = .bool(false)
    case .word("inf"): value = .float(.infinity)
    case .word("nan"): value = .float(.nan)
    case .word, .value, .extents, .punctuation, .end:
      throw unexpected("a value: true, false, a number, a \"string\" or a list of numbers in brackets")
    }
    advance()
    return value
  }

  /// Numbers up to `]`: integers if all of them are.
  private mutating func numbers() throws -> AttributeValue {
    var integers: [Int] = []
    var floats: [Double] = []
    try list(until: "]") { parser in
      if case .integer(let number) = parser.current.kind { integers.append(number) }
      floats.append(try parser.number())
    }
    return integers.count == floats.count ? .integers(integers) : .floats(floats)
  }

  mutating func number() throws -> Double {
    let value: Double
    switch current.kind {
    case .integer(let number): value = Double(number)
    case .float(let number): value = number
    case .word("inf"): value = .infinity
    case .word("nan"): value = .nan
    case .word, .value, .string, .extents, .punctuation, .end: throw unexpected("a number")
    }
    advance()
    return value
  }
}
