/// Writes a graph as text that `GraphParser` reads back to an identical graph; the grammar stands there. Contents of
/// named constants are not part of the text.
public struct GraphPrinter {
  private var lines: [String] = []

  private init() {}

  /// The text of a graph, with a newline at its end.
  public static func print(_ graph: Graph) -> String {
    var printer = GraphPrinter()
    printer.write(graph, prefix: "", indent: "")
    return printer.lines.joined(separator: "\n") + "\n"
  }

  private mutating func write(_ graph: Graph, prefix: String, indent: String) {
    let weights =
      graph.weightSource.isEmpty ? "" : " " + Self.text([Attribute("weights", .string(graph.weightSource))])
    let inputs = graph.inputs.map { "\(Self.name(graph, $0)): \(graph.type(of: $0))" }.joined(separator: ", ")
    let outputs = graph.outputs.map { Self.name(graph, $0) }.joined(separator: ", ")
    lines.append("\(indent)\(prefix)graph \(Self.graphName(graph.name))\(weights)(\(inputs)) -> (\(outputs)) {")
    for node in graph.nodes { write(node, of: graph, indent: indent + "  ") }
    lines.append(indent + "}")
  }

  private mutating func write(_ node: Node, of graph: Graph, indent: String) {
    var line = node.results.map { Self.name(graph, $0) }.joined(separator: ", ") + " = \(node.op.mnemonic)"
    if let fuse = node.op as? Fuse { line += " " + Self.quoted(fuse.kernel.description) + " " }
    if !(node.op is Constant) || !node.operands.isEmpty {
      line += "(" + node.operands.map { Self.name(graph, $0) }.joined(separator: ", ") + ")"
    }
    if !node.op.attributes.isEmpty { line += " " + Self.text(node.op.attributes) }
    line += " : " + node.results.map { graph.type(of: $0).description }.joined(separator: ", ")
    if !node.layer.isEmpty { line += " layer " + Self.quoted(node.layer) }
    if let region = node.op.region {
      write(region, prefix: line + " ", indent: indent)
    } else {
      lines.append(indent + line)
    }
  }

  static func text(_ attributes: [Attribute]) -> String {
    "{" + attributes.map { "\(attributeName($0.name)) = \(text($0.value))" }.joined(separator: ", ") + "}"
  }

  private static func text(_ value: AttributeValue) -> String {
    switch value {
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .float(let value): spelling(of: value)
    case .string(let value): quoted(value)
    case .integers(let values): "[" + values.map(String.init).joined(separator: ", ") + "]"
    case .floats(let values): "[" + values.map(spelling(of:)).joined(separator: ", ") + "]"
    }
  }

  private static func name(_ graph: Graph, _ value: ValueID) -> String {
    let name = graph.values[value.index].name
    return "%" + (isBare(name) ? name : quoted(name))
  }

  private static func isBare(_ name: String) -> Bool {
    !name.isEmpty && !name.contains("//") && !name.contains("..") && name.unicodeScalars.allSatisfy(isBareNameScalar)
  }

  /// Graphs and attributes are named by a word or, if the name is not a word, by a string.
  private static func graphName(_ name: String) -> String {
    guard isBare(name), let first = name.unicodeScalars.first else { return quoted(name) }
    return first.properties.isAlphabetic || first == "_" ? name : quoted(name)
  }

  private static func attributeName(_ name: String) -> String { graphName(name) }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case "\0": result += "\\0"
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
