import IR

/// A mapping of a model spec, read key by key.
///
/// The accepted keys are given first, so that a typo is reported as an unknown key and not as a missing one.
struct SpecReader {
  let node: SpecNode
  /// What the mapping describes, with its article: `an inverted_residual`.
  let owner: String
  private var values: [String: SpecNode] = [:]
  private let accepted: [String]

  init(_ node: SpecNode, owner: String, keys: [String]) throws {
    guard let mapping = node.node.mapping else {
      let list = keys.joined(separator: ", ")
      throw node.problem("expected \(owner), a mapping with the keys \(list); found \(node.found)")
    }
    self.node = node
    self.owner = owner
    self.accepted = keys
    var problems: [Diagnostic] = []
    for (key, value) in mapping {
      let place = node.child(key)
      guard let name = place.text, keys.contains(name) else {
        let near = place.text.map { nearest(to: $0, among: keys, limit: 1) } ?? []
        let hint = near.first.map { "; did you mean '\($0)'?" } ?? ";"
        problems.append(
          place.problem("unknown key \(place.found) in \(owner)\(hint) accepted: \(keys.joined(separator: ", "))"))
        continue
      }
      values[name] = node.child(value)
    }
    try Self.throwAll(problems)
  }

  /// Throws one diagnostic as itself and several as a list.
  static func throwAll(_ problems: [Diagnostic]) throws {
    if problems.count == 1 { throw problems[0] }
    try DiagnosticList(problems).throwIfAny()
  }

  func value(_ key: String) -> SpecNode? {
    precondition(accepted.contains(key), "the key '\(key)' is not declared")
    return values[key]
  }

  private func required<Value>(
    _ key: String, default fallback: Value?, _ expected: String, _ convert: (SpecNode) throws -> Value?
  ) throws -> Value {
    guard let value = value(key) else {
      if let fallback { return fallback }
      throw node.problem("\(owner) needs the key '\(key)': \(expected)")
    }
    guard let converted = try convert(value) else {
      throw value.problem("'\(key)' must be \(expected), not \(value.found)")
    }
    return converted
  }

  func node(_ key: String, _ expected: String) throws -> SpecNode { try required(key, default: nil, expected) { $0 } }

  func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
    try required(key, default: fallback, "a whole number from \(range.lowerBound) to \(range.upperBound)") {
      $0.integer.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// One whole number or a list of them.
  func integers(_ key: String, in range: ClosedRange<Int>, default fallback: [Int]? = nil) throws -> [Int] {
    let each = "from \(range.lowerBound) to \(range.upperBound)"
    return try required(key, default: fallback, "a whole number \(each) or a list of them") { value in
      guard let elements = value.elements else {
        return value.integer.flatMap { range.contains($0) ? [$0] : nil }
      }
      if elements.isEmpty { return nil }
      return try elements.map { element in
        guard let number = element.integer, range.contains(number) else {
          throw element.problem("'\(key)' must hold whole numbers \(each), not \(element.found)")
        }
        return number
      }
    }
  }

  /// A number above zero.
  func positive(_ key: String, atMost most: Double, default fallback: Double? = nil) throws -> Double {
    try required(key, default: fallback, "a number above 0 and at most \(most)") {
      $0.number.flatMap { $0 > 0 && $0 <= most ? $0 : nil }
    }
  }

  func numbers(_ key: String, count: Int, in range: ClosedRange<Double>) throws -> [Double] {
    try required(key, default: nil, "a list of \(count) numbers from \(range.lowerBound) to \(range.upperBound)") {
      guard let elements = $0.elements, elements.count == count else { return nil }
      let numbers = elements.compactMap(\.number).filter(range.contains)
      return numbers.count == count ? numbers : nil
    }
  }

  func bool(_ key: String, default fallback: Bool? = nil) throws -> Bool {
    try required(key, default: fallback, "true or false") { $0.bool }
  }

  func string(_ key: String, default fallback: String? = nil) throws -> String {
    try required(key, default: fallback, "a string") { $0.text.flatMap { $0.isEmpty ? nil : $0 } }
  }

  /// A module's path in the state dict: names of letters, digits and underscores, joined by dots.
  func path(_ key: String, default fallback: String? = nil) throws -> String {
    try required(key, default: fallback, "a state-dict path like backbone.0") { $0.text.flatMap(Self.asPath) }
  }

  func paths(_ key: String) throws -> [String] {
    try required(key, default: nil, "a list of state-dict paths like [head, dist_head]") {
      guard let elements = $0.elements, !elements.isEmpty else { return nil }
      let paths = elements.compactMap { $0.text.flatMap(Self.asPath) }
      return paths.count == elements.count ? paths : nil
    }
  }

  /// One of an enumeration's cases by its raw value.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default fallback: Choice? = nil
  ) throws -> Choice where Choice.RawValue == String {
    let names = Choice.allCases.map(\.rawValue)
    return try required(key, default: fallback, "one of \(names.joined(separator: ", "))") { value in
      guard let text = value.text else { return nil }
      if let choice = Choice(rawValue: text) { return choice }
      guard let near = nearest(to: text, among: names, limit: 1).first else { return nil }
      throw value.problem(
        "'\(key)' must be one of \(names.joined(separator: ", ")), not '\(text)'; did you mean '\(near)'?")
    }
  }

  /// A nested mapping as an op's attributes: the op itself says which it has.
  func attributes(_ key: String) throws -> [Attribute] {
    let value = try node(key, "a mapping")
    guard let mapping = value.node.mapping else {
      throw value.problem("'\(key)' must be a mapping, not \(value.found)")
    }
    return try mapping.map { name, content in
      guard let text = value.child(name).text else { throw value.child(name).problem("a key must be a word") }
      return Attribute(text, try Self.attribute(value.child(content), key: text))
    }
  }

  /// Reads an op's own attributes from a nested mapping, so that a new kind of graph needs nothing here. The op says
  /// what is wrong with them; the mapping says where.
  func op<Result>(_ key: String, _ make: (inout AttributeReader) throws -> Result) throws -> Result {
    var reader = AttributeReader(try attributes(key), owner: "'\(key)'")
    do {
      let op = try make(&reader)
      try reader.finish()
      return op
    } catch var error as Diagnostic {
      if error.location == nil { error.location = value(key)?.location }
      throw error
    }
  }

  private static func attribute(_ value: SpecNode, key: String) throws -> AttributeValue {
    if let bool = value.bool { return .bool(bool) }
    if let integer = value.integer { return .integer(integer) }
    if let number = value.number { return .float(number) }
    if let text = value.text { return .string(text) }
    if let elements = value.elements {
      let integers = elements.compactMap(\.integer)
      if integers.count == elements.count { return .integers(integers) }
      let numbers = elements.compactMap(\.number)
      if numbers.count == elements.count { return .floats(numbers) }
    }
    throw value.problem("'\(key)' must be a number, a word or a list of numbers, not \(value.found)")
  }

  private static func asPath(_ text: String) -> String? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let good = parts.allSatisfy { part in
      !part.isEmpty && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }
    return good && text.utf8.count <= 200 ? text : nil
  }
}
