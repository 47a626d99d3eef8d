/// The graph as a picture for Graphviz: `dot -Tsvg`.
extension Graph {
  /// DOT text: a box for each op but constants, an edge for each use, a cluster for each nested graph.
  public var dot: String {
    var lines = ["digraph \(quotedForDot(name)) {", "  node [shape=box, fontname=\"sans-serif\"];"]
    let anchors = dotLines(prefix: "v", indent: "  ", anchors: [:], into: &lines)
    for output in outputs {
      let id = "out\(output.index)"
      lines.append("  \(id) [shape=ellipse, label=\(quotedForDot(values[output.index].name))];")
      if let source = anchors[output] { lines.append("  \(source) -> \(id);") }
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  /// Writes the nodes and edges; `anchors` says which box stands for a value, and the result says so for all values.
  private func dotLines(
    prefix: String, indent: String, anchors outer: [ValueID: String], into lines: inout [String]
  ) -> [ValueID: String] {
    var anchors = outer
    for input in inputs where anchors[input] == nil {
      let id = "\(prefix)\(input.index)"
      anchors[input] = id
      let label = "\(values[input.index].name)\n\(type(of: input))"
      lines.append("\(indent)\(id) [shape=ellipse, label=\(quotedForDot(label))];")
    }
    for (position, node) in nodes.enumerated() {
      // Constants would hide everything else: there are hundreds, each with one user.
      if node.op is Constant { continue }
      let id = "\(prefix)n\(position)"
      if let fuse = node.op as? Fuse {
        lines.append("\(indent)subgraph cluster_\(id) {")
        lines.append("\(indent)  label=\(quotedForDot("fuse \(fuse.kernel) \(node.layer)"));")
        var inner: [ValueID: String] = [:]
        for (place, input) in fuse.body.inputs.enumerated() where place < node.operands.count {
          inner[input] = anchors[node.operands[place]]
        }
        inner = fuse.body.dotLines(prefix: id, indent: indent + "  ", anchors: inner, into: &lines)
        lines.append("\(indent)}")
        for (result, output) in zip(node.results, fuse.body.outputs) { anchors[result] = inner[output] }
        continue
      }
      let types = node.results.map { "\(type(of: $0))" }.joined(separator: ", ")
      let label = [node.op.mnemonic, node.layer, types].filter { !$0.isEmpty }.joined(separator: "\n")
      lines.append("\(indent)\(id) [label=\(quotedForDot(label))];")
      for operand in node.operands {
        if let source = anchors[operand] { lines.append("\(indent)\(source) -> \(id);") }
      }
      for result in node.results { anchors[result] = id }
    }
    return anchors
  }
}

private func quotedForDot(_ text: String) -> String {
  let escaped = text.map { character -> String in
    switch character {
    case "\"": "\\\""
    case "\\": "\\\\"
    case "\n": "\\n"
    default: String(character)
    }
  }
  return "\"" + escaped.joined() + "\""
}
