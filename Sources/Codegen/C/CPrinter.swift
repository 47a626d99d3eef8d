// Prints the C tree: takes declarations and gives text. Indentation is two spaces. Lines have at most 100 columns if an
// expression can be broken. Parentheses are written only where C or its compilers' warnings need them.

enum CPrinter {
  static let width = 100

  static func print(_ declarations: [CDeclaration]) -> String {
    var lines: [String] = []
    for declaration in declarations { append(declaration, to: &lines) }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func append(_ declaration: CDeclaration, to lines: inout [String]) {
    switch declaration {
    case .comment(let text): lines += comment(text, indent: "")
    case .include(let name, let system): lines.append(system ? "#include <\(name)>" : "#include \"\(name)\"")
    case .define(let name, let value): lines.append(value.isEmpty ? "#define \(name)" : "#define \(name) \(value)")
    case .function(let function): lines += self.function(function)
    case .prototype(let note, let result, let name, let parameters):
      if let note { lines += comment(note, indent: "") }
      lines += signature("", result, name, parameters, end: ";")
    case .structure(let note, let name, let members):
      if let note { lines += comment(note, indent: "") }
      lines.append("typedef struct \(name) {")
      for (member, note) in members {
        if let note { lines += comment(note, indent: "  ") }
        lines += self.member(member)
      }
      lines.append("} \(name);")
    case .condition(let condition, let then, let otherwise):
      lines.append("#if \(condition)")
      for declaration in then { append(declaration, to: &lines) }
      if !otherwise.isEmpty { lines.append("#else") }
      for declaration in otherwise { append(declaration, to: &lines) }
      lines.append("#endif")
    case .verbatim(let text): lines += text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    case .blank: lines.append("")
    }
  }

  private static func member(_ member: CMember) -> [String] {
    switch member {
    case .value(let type, let name): ["  " + declarator(type, name) + ";"]
    case .function(let result, let name, let parameters):
      [
        "  " + declarator(result, "(*\(name))(")
          + parameters.map { declarator($0.type, $0.name) }.joined(separator: ", ") + ");"
      ]
    }
  }

  /// A comment of one or more lines, wrapped; `*/` and `//` in names are disarmed.
  static func comment(_ text: String, indent: String) -> [String] {
    let safe = text.replacing("*/", with: "* /").replacing("/*", with: "/ *")
    var lines: [String] = []
    for paragraph in safe.split(separator: "\n", omittingEmptySubsequences: false) {
      var line = ""
      for word in paragraph.split(separator: " ") {
        if !line.isEmpty && line.count + word.count + indent.count + 5 > width {
          lines.append(line)
          line = ""
        }
        line += line.isEmpty ? String(word) : " " + word
      }
      lines.append(line)
    }
    if lines.count == 1 { return ["\(indent)/* \(lines[0]) */"] }
    let body = lines.dropFirst().map { $0.isEmpty ? "\(indent) *" : "\(indent) * \($0)" }
    return ["\(indent)/* \(lines[0])"] + body.dropLast() + [(body.last ?? "") + " */"]
  }

  /// `const float *restrict name`.
  static func declarator(_ type: CType, _ name: String) -> String {
    switch type {
    case .named(let base): return name.isEmpty ? base : "\(base) \(name)"
    case .constant(.pointer(let to, let restrict)):
      return declarator(to, (restrict ? "*restrict const " : "*const ") + name)
    case .constant(let inner): return "const " + declarator(inner, name)
    case .pointer(let to, let restrict): return declarator(to, (restrict ? "*restrict " : "*") + name)
    }
  }

  private static func function(_ function: CFunction) -> [String] {
    var lines = function.comment.map { comment($0, indent: "") } ?? []
    lines += signature(function.linkage, function.result, function.name, function.parameters, end: "")
    lines.append("{")
    for statement in function.body { append(statement, "  ", &lines) }
    lines.append("}")
    return lines
  }

  private static func signature(
    _ linkage: String, _ result: CType, _ name: String, _ parameters: [CParameter], end: String
  ) -> [String] {
    let head = (linkage.isEmpty ? "" : linkage + " ") + declarator(result, name) + "("
    let list = parameters.isEmpty ? ["void"] : parameters.map { declarator($0.type, $0.name) }
    return fill(head, list, ")" + end, indent: "")
  }

  /// `head a, b, c tail`, broken between items if it is too long.
  private static func fill(_ head: String, _ items: [String], _ tail: String, indent: String) -> [String] {
    let whole = head + items.joined(separator: ", ") + tail
    if whole.count <= width { return [whole] }
    var lines = [head]
    var line = indent + "    "
    for (position, item) in items.enumerated() {
      let piece = item + (position + 1 < items.count ? "," : tail)
      if line.count + 1 + piece.count > width && line.count > indent.count + 4 {
        lines.append(line)
        line = indent + "    "
      }
      line += line.count > indent.count + 4 ? " " + piece : piece
    }
    return lines + [line]
  }

  // MARK: Statements

  static func append(_ statement: CStatement, _ indent: String, _ lines: inout [String]) {
    switch statement {
    case .comment(let text): lines += comment(text, indent: indent)
    case .declare(let type, let name, let count, let value):
      let head = indent + declarator(type, name) + (count.map { "[\($0)]" } ?? "")
      if let value { lines += line(head + " = ", value, ";", indent) } else { lines.append(head + ";") }
    case .initialise(let type, let name, let count, let values):
      let head = indent + declarator(type, name) + (count.map { "[\($0)]" } ?? "") + " = {"
      lines += fill(head, values.map { text($0) }, "};", indent: indent)
    case .assign(let place, let value): lines += line(indent + text(place) + " = ", value, ";", indent)
    case .expression(let value): lines += line(indent, value, ";", indent)
    case .branch(let condition, let then, let otherwise):
      lines += line(indent + "if (", condition, ") {", indent)
      for inner in then { append(inner, indent + "  ", &lines) }
      if !otherwise.isEmpty {
        lines.append(indent + "} else {")
        for inner in otherwise { append(inner, indent + "  ", &lines) }
      }
      lines.append(indent + "}")
    case .loop(let name, let from, let to, let step, let body):
      let advance = step == 1 ? "\(name)++" : "\(name) += \(step)"
      let condition = text(.infix("<", .name(name), to))
      lines.append("\(indent)for (ptrdiff_t \(name) = \(text(from)); \(condition); \(advance)) {")
      for inner in body { append(inner, indent + "  ", &lines) }
      lines.append(indent + "}")
    case .leave: lines.append(indent + "break;")
    case .giveBack(let value):
      if let value { lines += line(indent + "return ", value, ";", indent) } else { lines.append(indent + "return;") }
    case .block(let body):
      lines.append(indent + "{")
      for inner in body { append(inner, indent + "  ", &lines) }
      lines.append(indent + "}")
    case .blank: lines.append("")
    }
  }

  /// One statement: on one line if it fits, else broken at the last space before the edge that is not in a string.
  private static func line(_ head: String, _ value: CExpression, _ tail: String, _ indent: String) -> [String] {
    var rest = head + text(value) + tail
    var lines: [String] = []
    let next = indent + "    "
    while rest.count > width {
      let characters = Array(rest)
      let least = lines.isEmpty ? head.count : next.count
      var edge = min(width, characters.count - 1)
      // A break after a comma is preferred, so that operands stay together.
      var comma: Int?
      var space: Int?
      var position = edge
      while position > max(least - 1, next.count) {
        if characters[position] == " " {
          if space == nil { space = position }
          if characters[position - 1] == "," {
            comma = position
            break
          }
        }
        position -= 1
      }
      guard !rest.contains("\""), let cut = comma ?? space else { break }
      edge = cut
      lines.append(String(characters[..<edge]))
      rest = next + String(characters[(edge + 1)...])
    }
    return lines + [rest]
  }
}
