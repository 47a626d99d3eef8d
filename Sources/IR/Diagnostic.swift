/// What a user did wrong, and where. A bug of ours is never a diagnostic, but a `preconditionFailure`.
///
/// The first line says what was found and what would be right; `notes` carry the details below it.
public struct Diagnostic: Error, Hashable, Sendable, CustomStringConvertible {
  /// A place in a file the user wrote. Lines and columns count from 1.
  public struct Location: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var line: Int?
    public var column: Int?

    public init(file: String, line: Int? = nil, column: Int? = nil) {
      self.file = file
      self.line = line
      self.column = column
    }

    public var description: String {
      ([file] + [line, column].compactMap { $0.map(String.init) }).joined(separator: ":")
    }
  }

  public var message: String
  public var location: Location?
  public var notes: [String]

  public init(_ message: String, at location: Location? = nil, notes: [String] = []) {
    self.message = message
    self.location = location
    self.notes = notes
  }

  public var description: String {
    let head = location.map { "\($0): \(message)" } ?? message
    return ([head] + notes.map { "  \($0)" }).joined(separator: "\n")
  }
}

/// Several diagnostics at once: verifiers and loaders report everything they find, not the first.
public struct DiagnosticList: Error, Sendable, CustomStringConvertible {
  public var diagnostics: [Diagnostic]

  public init(_ diagnostics: [Diagnostic]) {
    self.diagnostics = diagnostics
  }

  public var description: String {
    diagnostics.map(\.description).joined(separator: "\n")
  }

  /// Throws the list unless it is empty.
  public func throwIfAny() throws {
    if !diagnostics.isEmpty { throw self }
  }
}

/// The closest of `candidates` to a mistyped `word` by edit distance, nearest first, at most `limit`.
public func nearest(to word: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
  // A distance takes time in the product of two lengths, and a word this long is not mistyped.
  if word.utf8.count > 200 { return [] }
  let scored = candidates.filter { $0.utf8.count <= 200 }.map { (editDistance(word, $0), $0) }
    .filter { $0.0 <= max(2, max(word.count, $0.1.count) / 3) }
  return scored.sorted { $0 < $1 }.prefix(limit).map(\.1)
}

/// Levenshtein distance in characters.
func editDistance(_ first: String, _ second: String) -> Int {
  let a = Array(first)
  let b = Array(second)
  var row = Array(0...b.count)
  for i in 0..<a.count {
    var diagonal = row[0]
    row[0] = i + 1
    for j in 0..<b.count {
      let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
