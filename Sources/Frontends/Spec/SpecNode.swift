import IR
import Yams

/// A node of a YAML document that knows its place, so that every message can name file, line and column.
struct SpecNode {
  let node: Yams.Node
  let file: String
  let budget: SpecBudget

  /// Parses a document; syntax errors and duplicate keys become located diagnostics.
  static func parse(_ text: String, file: String) throws -> SpecNode {
    guard text.utf8.count <= 1 << 20 else {
      throw Diagnostic("a model spec of \(text.utf8.count) bytes; at most \(1 << 20) are read", at: .init(file: file))
    }
    // YAML's own depth is far smaller; the parser recurses, and its stack is finite.
    guard nestingBound(text) <= 256 else {
      throw Diagnostic("nested too deeply for a model spec", at: .init(file: file))
    }
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw Diagnostic("empty; expected a model spec", at: .init(file: file, line: 1, column: 1))
      }
      return SpecNode(node: node, file: file, budget: SpecBudget())
    } catch let error as YamlError {
      throw diagnostic(error, file: file)
    }
  }

  /// At least the depth of nesting: brackets, and list dashes that follow each other on a line or column.
  private static func nestingBound(_ text: String) -> Int {
    var deepest = 0
    var depth = 0
    var dashes = 0
    for byte in text.utf8 {
      switch Unicode.Scalar(byte) {
      case "[", "{": depth += 1
      case "]", "}": depth = max(0, depth - 1)
      case "-", "?", ":": dashes += 1
      case "\n": dashes = 0
      default: break
      }
      deepest = max(deepest, depth + dashes / 2)
    }
    return deepest
  }

  private static func diagnostic(_ error: YamlError, file: String) -> Diagnostic {
    func located(_ problem: String, _ mark: Mark) -> Diagnostic {
      Diagnostic("not YAML: \(problem)", at: .init(file: file, line: mark.line, column: mark.column))
    }
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return located(problem, mark)
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.sorted().map { "'\($0)'" }.joined(separator: ", ")
      return Diagnostic(
        "the key \(names) appears more than once in a mapping",
        at: .init(file: file, line: context.mark.line, column: context.mark.column))
    case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
      return Diagnostic("not YAML: \(problem)", at: .init(file: file))
    case .no, .memory, .dataCouldNotBeDecoded:
      return Diagnostic("not YAML: \(error)", at: .init(file: file))
    }
  }

  var location: Diagnostic.Location {
    Diagnostic.Location(file: file, line: node.mark?.line, column: node.mark?.column)
  }

  func child(_ node: Yams.Node) -> SpecNode { SpecNode(node: node, file: file, budget: budget) }

  /// The elements of a list; nil for anything else.
  var elements: [SpecNode]? { node.sequence.map { $0.map(child) } }

  /// The text of a scalar; nil for anything else.
  var text: String? { node.scalar?.string }

  /// The text of a scalar that was not quoted, and may therefore be a number or a truth value.
  var plainText: String? {
    guard let scalar = node.scalar else { return nil }
    switch scalar.style {
    case .any, .plain: return scalar.string
    case .singleQuoted, .doubleQuoted, .literal, .folded: return nil
    }
  }

  var integer: Int? { plainText.flatMap(Int.init) }

  /// A finite number; `Double` would also take `nan`, `inf` and hexadecimal.
  var number: Double? {
    guard let text = plainText, text.allSatisfy({ $0.isASCII && ($0.isNumber || "+-.eE".contains($0)) }),
      let value = Double(text), value.isFinite
    else { return nil }
    return value
  }

  var bool: Bool? {
    switch plainText {
    case "true": true
    case "false": false
    case .some, .none: nil
    }
  }

  /// What the node is, for a message: a quoted scalar or the kind of the node.
  var found: String {
    switch node {
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "'\(scalar.string.prefix(40))'"
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }

  func problem(_ message: String) -> Diagnostic { Diagnostic(message, at: location) }
}

/// How much a spec may describe: aliases can make a small file mean an enormous model.
final class SpecBudget {
  private var modules = 0
  static let most = 4096

  func spendModule(at node: SpecNode) throws {
    modules += 1
    if modules > Self.most { throw node.problem("more than \(Self.most) modules in one spec") }
  }
}
