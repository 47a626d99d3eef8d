// Expressions, with as few parentheses as precedence allows and as many as compilers ask for: a shift or a bitwise
// operator beside another operator is always spelled out.

extension CPrinter {
  /// How tightly an expression holds together; larger is tighter.
  enum Precedence: Int, Comparable {
    case conditional, or, and, bitOr, bitXor, bitAnd, equality, relation, shift, sum, product, prefix, primary

    static func < (a: Precedence, b: Precedence) -> Bool { a.rawValue < b.rawValue }

    static func of(infix: String) -> Precedence? {
      switch infix {
      case "||": .or
      case "&&": .and
      case "|": .bitOr
      case "^": .bitXor
      case "&": .bitAnd
      case "==", "!=": .equality
      case "<", "<=", ">", ">=": .relation
      case "<<", ">>": .shift
      case "+", "-": .sum
      case "*", "/", "%": .product
      default: nil
      }
    }

    /// Operators that people (and `-Wparentheses`) want to see apart from others.
    var isDelicate: Bool {
      switch self {
      case .bitOr, .bitXor, .bitAnd, .shift, .or, .and, .equality, .relation: true
      case .conditional, .sum, .product, .prefix, .primary: false
      }
    }
  }

  static func text(_ expression: CExpression) -> String { rendered(expression).text }

  static func rendered(_ expression: CExpression) -> (text: String, precedence: Precedence) {
    switch expression {
    case .name(let name): return (name, .primary)
    case .literal(let text): return (text, text.hasPrefix("-") ? .prefix : .primary)
    case .call(let function, let arguments):
      return ("\(function)(\(arguments.map { text($0) }.joined(separator: ", ")))", .primary)
    case .subscripted(let base, let index): return ("\(operand(base, .primary))[\(text(index))]", .primary)
    case .member(let base, let name, let arrow):
      return (operand(base, .primary) + (arrow ? "->" : ".") + name, .primary)
    case .prefix(let symbol, let value):
      let inner = operand(value, .prefix)
      return (symbol + (inner.hasPrefix(symbol) ? "(\(inner))" : inner), .prefix)
    case .cast(let type, let value): return ("(\(declarator(type, "").trimmed))" + operand(value, .prefix), .prefix)
    case .sizeOf(let type): return ("sizeof(\(declarator(type, "").trimmed))", .primary)
    case .conditional(let condition, let then, let otherwise):
      let chosen = "\(operand(then, .or)) : \(operand(otherwise, .conditional))"
      return ("\(tested(condition)) ? \(chosen)", .conditional)
    case .infix(let symbol, let a, let b): return infix(symbol, a, b)
    case .spelled(let template, let operands): return spelled(template, operands)
    }
  }

  private static func operand(_ expression: CExpression, _ least: Precedence) -> String {
    let (text, precedence) = rendered(expression)
    return precedence < least ? "(\(text))" : text
  }

  /// The condition of a conditional. Clang doubts that `a | (b < c) ? d : e` means what it says.
  private static func tested(_ condition: CExpression) -> String {
    let (text, precedence) = rendered(condition)
    let isDoubted = precedence.isBitwise && operands(condition).map { isTruth($0.b) } ?? false
    return precedence < .or || isDoubted ? "(\(text))" : text
  }

  /// The operands of an infix operator, however it is written.
  private static func operands(_ expression: CExpression) -> (symbol: String, a: CExpression, b: CExpression)? {
    switch expression {
    case .infix(let symbol, let a, let b): return (symbol, a, b)
    case .spelled("{0}", let operands): return operands.first.flatMap { self.operands($0) }
    case .spelled(let template, let operands):
      let parts = template.split(separator: " ").map(String.init)
      guard parts.count == 3, parts[0] == "{0}", parts[2] == "{1}", operands.count == 2 else { return nil }
      return (parts[1], operands[0], operands[1])
    case .name, .literal, .call, .subscripted, .member, .prefix, .cast, .sizeOf, .conditional: return nil
    }
  }

  /// Whether compilers regard an expression as a truth value.
  private static func isTruth(_ expression: CExpression) -> Bool {
    guard let symbol = operands(expression)?.symbol, let own = Precedence.of(infix: symbol) else {
      return text(expression).hasPrefix("!")
    }
    return [.equality, .relation, .and, .or].contains(own)
  }

  private static func infix(_ symbol: String, _ a: CExpression, _ b: CExpression) -> (String, Precedence) {
    guard let own = Precedence.of(infix: symbol) else { preconditionFailure("no C operator \(symbol)") }
    let left = rendered(a)
    let right = rendered(b)
    func needs(_ text: String, _ inner: Precedence, right: Bool) -> Bool {
      // GCC takes `!a | b` for a slip of `!a || b`, or of `~a | b`.
      if inner == .prefix, own.isBitwise, !right, text.hasPrefix("!") { return !isTruth(b) }
      if inner < own || (right && inner == own && !(own == .and || own == .or)) { return true }
      if inner >= .prefix { return false }
      // (a < b) && (c < d) reads well without; everything else mixed with a delicate operator is spelled out.
      if own == .and || own == .or { return inner == .and || inner == .or ? inner != own : inner.isBitwise }
      if own == .equality || own == .relation { return inner.isDelicate }
      if own.isDelicate { return inner != own || right }
      return inner.isDelicate
    }
    let leftText = needs(left.text, left.precedence, right: false) ? "(\(left.text))" : left.text
    let rightText = needs(right.text, right.precedence, right: true) ? "(\(right.text))" : right.text
    return ("\(leftText) \(symbol) \(rightText)", own)
  }

  /// Puts operands into a target's text: bare as arguments, in parentheses beside other operators.
  private static func spelled(_ template: String, _ operands: [CExpression]) -> (String, Precedence) {
    let parts = template.split(separator: " ").map(String.init)
    if parts.count == 3, parts[0] == "{0}", parts[2] == "{1}", Precedence.of(infix: parts[1]) != nil {
      return infix(parts[1], operands[0], operands[1])
    }
    if template == "{0}" { return rendered(operands[0]) }
    var result = ""
    let characters = Array(template)
    var position = 0
    while position < characters.count {
      guard characters[position] == "{", let close = characters[position...].firstIndex(of: "}") else {
        result.append(characters[position])
        position += 1
        continue
      }
      let key = String(characters[(position + 1)..<close])
      let before = position == 0 ? " " : characters[position - 1]
      let after = close + 1 == characters.count ? " " : characters[close + 1]
      let opens = before == "(" || (before == " " && position >= 2 && characters[position - 2] == ",")
      let isArgument = opens && (after == ")" || after == ",")
      if key == "*" {
        result += operands.map { text($0) }.joined(separator: ", ")
      } else if let number = Int(key), operands.indices.contains(number) {
        result += isArgument ? text(operands[number]) : operand(operands[number], .prefix)
      } else {
        preconditionFailure("the spelling \(template) has no operand \(key)")
      }
      position = close + 1
    }
    return (result, precedence(of: template))
  }

  /// The loosest operator outside parentheses.
  private static func precedence(of template: String) -> Precedence {
    var depth = 0
    var outer = ""
    for character in template {
      if character == "(" { depth += 1 }
      if depth == 0 { outer.append(character) }
      if character == ")" { depth -= 1 }
    }
    let words = outer.split(separator: " ").map(String.init)
    if words.contains("?") { return .conditional }
    if let loosest = words.compactMap(Precedence.of(infix:)).min() { return loosest }
    let startsWithPrefix = ["(", "-", "!", "~", "*"].contains(template.prefix(1))
    return startsWithPrefix ? .prefix : .primary
  }
}

extension CPrinter.Precedence {
  fileprivate var isBitwise: Bool {
    switch self {
    case .bitOr, .bitXor, .bitAnd, .shift: true
    case .conditional, .or, .and, .equality, .relation, .sum, .product, .prefix, .primary: false
    }
  }
}

extension String {
  fileprivate var trimmed: String { hasSuffix(" ") ? String(dropLast()) : self }
}
