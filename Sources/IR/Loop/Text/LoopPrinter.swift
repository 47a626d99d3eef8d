// A loop program as text, in the grammar of `LoopIR.swift`: one statement a line, floats exact in hexadecimal, so that
// parsing what was printed gives the same program (the contents of weights aside).

extension LoopProgram {
  /// The `.vil` text of the program.
  public var text: String {
    var printer = LoopPrinter()
    printer.print(self)
    return printer.output
  }
}

extension LoopFunction: CustomStringConvertible {
  public var description: String {
    var printer = LoopPrinter()
    printer.print(self)
    return printer.output
  }
}

extension LoopValueFunction: CustomStringConvertible {
  public var description: String {
    var printer = LoopPrinter()
    printer.print(self)
    return printer.output
  }
}

extension LoopStatement: CustomStringConvertible {
  public var description: String {
    var printer = LoopPrinter()
    printer.print(self)
    return String(printer.output.dropLast())
  }

  /// The first line only, as messages about a place in a program quote it.
  var headline: String {
    var line = withoutBlocks.description.split(separator: "\n").first.map(String.init) ?? ""
    if line.hasSuffix(" {") { line.removeLast(2) }
    return line.count > 90 ? line.prefix(87) + "..." : line
  }

  private var withoutBlocks: LoopStatement {
    switch self {
    case .forLoop(let name, let from, let to, let step, let order, _):
      .forLoop(name, from: from, to: to, step: step, order: order, [])
    case .forWhile(let name, let maximum, let condition, _): .forWhile(name, maximum: maximum, condition: condition, [])
    case .ifIndex(let comparisons, _, _): .ifIndex(comparisons, then: [], else: [])
    case .ifValue(let value, _, _): .ifValue(value, then: [], else: [])
    case .layer(let name, _): .layer(name, [])
    case .letValue, .letIndex, .register, .assign, .store, .prefetch, .call: self
    }
  }
}

private struct LoopPrinter {
  var output = ""
  var depth = 0

  mutating func line(_ text: String) {
    output += String(repeating: "  ", count: depth) + text + "\n"
  }

  mutating func block(_ head: String, _ body: [LoopStatement], tail: String = "}") {
    line("\(head) {")
    depth += 1
    for statement in body { print(statement) }
    depth -= 1
    line(tail)
  }

  mutating func print(_ program: LoopProgram) {
    line("program \(program.name) {")
    depth += 1
    for buffer in program.buffers {
      let alignment = buffer.alignment == 64 ? "" : " align \(buffer.alignment)"
      let type = "\(buffer.element.rawValue)[\(buffer.count)]"
      line("buffer \(buffer.storage.rawValue) \(buffer.name): \(type)\(range(buffer.range))\(alignment)")
    }
    for function in program.valueFunctions { print(function) }
    for function in program.functions { print(function) }
    block("entry", program.entry)
    depth -= 1
    line("}")
  }

  mutating func print(_ function: LoopFunction) {
    let parameters = function.parameters.map { parameter in
      switch parameter.kind {
      case .view(let access, let element, let count, let elements):
        "\(parameter.name): \(access.rawValue) \(element.rawValue)[\(count)]\(range(elements))"
      case .index(let values): "\(parameter.name): index \(values.lowerBound)..\(values.upperBound)"
      }
    }
    block("func \(function.name)(\(parameters.joined(separator: ", ")))", function.body)
  }

  mutating func print(_ function: LoopValueFunction) {
    let parameters = function.parameters.map { "\($0.name): \($0.type)" }.joined(separator: ", ")
    line("value \(function.name)(\(parameters)): \(function.type) {")
    depth += 1
    for statement in function.body { print(statement) }
    line("return \(function.result)")
    depth -= 1
    line("}")
  }

  func range(_ range: ClosedRange<Int>?) -> String {
    range.map { " range \($0.lowerBound)..\($0.upperBound)" } ?? ""
  }

  func mask(_ mask: LoopValue?) -> String {
    mask.map { " mask \($0)" } ?? ""
  }

  mutating func print(_ statement: LoopStatement) {
    switch statement {
    case .forLoop(let name, let from, let to, let step, let order, let body):
      let suffix = (step == 1 ? "" : " step \(step)") + (order == .serial ? "" : " \(order.rawValue)")
      block("for \(name) in \(from) ..< \(to)\(suffix)", body)
    case .forWhile(let name, let maximum, let condition, let body):
      block("for \(name) in 0 ..< \(maximum) while \(condition)", body)
    case .ifIndex(let comparisons, let then, let otherwise):
      printIf(comparisons.map(\.description).joined(separator: " and "), then, otherwise)
    case .ifValue(let value, let then, let otherwise): printIf("value \(value)", then, otherwise)
    case .letValue(let name, let type, let value): line("let \(name): \(type) = \(value)")
    case .letIndex(let name, let values, let value):
      line("let \(name): index \(values.lowerBound)..\(values.upperBound) = \(value)")
    case .register(let name, let type, let count, let values, let value):
      line("var \(name): \(type)\(count.map { "[\($0)]" } ?? "")\(range(values)) = \(value)")
    case .assign(let name, let element, let value): line("\(name)\(element.map { "[\($0)]" } ?? "") = \(value)")
    case .store(let buffer, let index, let value, let lanes):
      line("store \(buffer)[\(index)]\(mask(lanes)) = \(value)")
    case .prefetch(let buffer, let index): line("prefetch \(buffer)[\(index)]")
    case .call(let function, let arguments):
      line("call \(function)(\(arguments.map(\.description).joined(separator: ", ")))")
    case .layer(let name, let body): block("layer \(quote(name))", body)
    }
  }

  mutating func printIf(_ condition: String, _ then: [LoopStatement], _ otherwise: [LoopStatement]) {
    if otherwise.isEmpty {
      block("if \(condition)", then)
    } else {
      block("if \(condition)", then, tail: "} else {")
      depth += 1
      for statement in otherwise { print(statement) }
      depth -= 1
      line("}")
    }
  }

  func quote(_ text: String) -> String {
    var quoted = "\""
    for character in text {
      switch character {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      default: quoted.append(character)
      }
    }
    return quoted + "\""
  }
}

extension LoopArgument: CustomStringConvertible {
  public var description: String {
    switch self {
    case .view(let buffer, let index): "&\(buffer)[\(index)]"
    case .index(let index): index.description
    }
  }
}

extension LoopComparison: CustomStringConvertible {
  public var description: String { "\(left) \(relation.rawValue) \(right)" }
}

extension LoopIndex: CustomStringConvertible {
  public var description: String {
    switch self {
    case .constant(let value): "\(value)"
    case .variable(let name): name
    case .add(let a, let b): "\(a) + \(b.isSum ? "(\(b))" : "\(b)")"
    case .subtract(let a, let b): "\(a) - \(b.isSum ? "(\(b))" : "\(b)")"
    case .multiply(let a, let factor): "\(a.isSum ? "(\(a))" : "\(a)") * \(factor)"
    case .divide(let a, let n): "div(\(a), \(n))"
    case .modulo(let a, let n): "mod(\(a), \(n))"
    case .minimum(let a, let b): "min(\(a), \(b))"
    case .maximum(let a, let b): "max(\(a), \(b))"
    }
  }

  private var isSum: Bool {
    switch self {
    case .add, .subtract: true
    case .constant, .variable, .multiply, .divide, .modulo, .minimum, .maximum: false
    }
  }
}

extension LoopValue: CustomStringConvertible {
  public var description: String {
    switch self {
    case .constant(let number, let type): "const \(type) \(literal(number, type))"
    case .variable(let name): name
    case .element(let name, let index): "\(name)[\(index)]"
    case .load(let buffer, let index, let type, let mask): "load \(type) \(buffer)[\(index)]\(suffix(mask))"
    case .splat(let value, let lanes): "splat \(lanes) \(value)"
    case .index(let index, let type, let step): "\(step == 0 ? "index" : "iota") \(type) \(index)"
    case .firstLanes(let index, let lanes): "lanemask \(lanes) \(index)"
    case .unary(let operation, let value): "\(operation.rawValue)(\(value))"
    case .binary(let operation, let a, let b): "\(operation.rawValue)(\(a), \(b))"
    case .fma(let a, let b, let c): "fma(\(a), \(b), \(c))"
    case .compare(let operation, let a, let b): "\(operation.rawValue)(\(a), \(b))"
    case .select(let mask, let a, let b): "select(\(mask), \(a), \(b))"
    case .convert(let value, let type, let saturating): "\(saturating ? "saturate" : "convert") \(type) \(value)"
    case .reinterpret(let value, let type): "bits \(type) \(value)"
    case .shuffle(let a, let b, let lanes): "shuffle \(lanes)(\(a)\(b.map { ", \($0)" } ?? ""))"
    case .permute(let value, let indices): "permute(\(value), \(indices))"
    case .compress(let mask, let value): "compress(\(mask), \(value))"
    case .gather(let buffer, let offsets, let type, let mask): "gather \(type) \(buffer)[\(offsets)]\(suffix(mask))"
    case .reduce(let operation, let value): "reduce \(operation.rawValue) \(value)"
    case .instruction(let name, let operands):
      "instr \(name)(\(operands.map(\.description).joined(separator: ", ")))"
    case .apply(let name, let operands):
      "apply \(name)(\(operands.map(\.description).joined(separator: ", ")))"
    }
  }

  private func suffix(_ mask: LoopValue?) -> String { mask.map { " mask \($0)" } ?? "" }

  private func literal(_ number: Double, _ type: LoopType) -> String {
    if let element = type.element, !element.isFloat, let integer = Int(exactly: number) { return "\(integer)" }
    return number.hexadecimal
  }
}

extension Double {
  /// The value exactly, as C and Swift both read it: `0x1.8p-3`, `-inf`, `nan`.
  public var hexadecimal: String {
    if isNaN { return "nan" }
    let sign = self.sign == .minus ? "-" : ""
    if isInfinite { return sign + "inf" }
    if isZero { return sign + "0x0p0" }
    let bits = String(significand.significandBitPattern, radix: 16)
    var digits = String(repeating: "0", count: 13 - bits.count) + bits
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(sign)0x1\(digits.isEmpty ? "" : ".\(digits)")p\(exponent)"
  }
}
