import IR

/// Turns what lies between integers and integers into ops on integers that mean the same.
///
///     %a = roll(dequantize(%x))                %r = roll(%x)
///     %y = quantize(gelu(%a))            =>    %y = lookup(%r, %table)
///
/// Two rules, each for one node whose operands are rewritten already:
/// - What is computed element by element out of one tensor of 8 bits is a table of 256 entries.
/// - Ops that move elements move the integers.
///
/// What no rule knows stays as it is, and is right.
public struct FormIntegers: Pass {
  public static let name = "form-integers"
  public static let summary = "turns regions between dequantize and quantize into ops on integers"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    guard graph.nodes.contains(where: { $0.op is Dequantize }) else { return graph }
    var tables = IntegerTables()
    return try GraphRewriter.rewrite(graph) { rewriter, node in
      if let quantize = node.op as? Quantize {
        return try tables.lookup(&rewriter, node, quantize) ?? joined(&rewriter, node, quantize, &tables)
      }
      return try moved(&rewriter, node)
    }
  }

  private func moved(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard node.results.count == 1, let (q, op) = node.operands.first.flatMap({ rewriter.integers(of: $0) }) else {
      return nil
    }
    let integers: [ValueID]
    switch node.op {
    case is Reshape, is Transpose, is IR.Roll, is Slice, is Broadcast, is Gather, is GatherElements, is GatherND:
      integers = try rewriter.add(node.op, [q] + node.operands.dropFirst(), like: node)
    case var pad as Pad:
      // A border of zeros is one of zero points.
      guard pad.mode != .constant || pad.value == 0 else { return nil }
      pad.value = pad.mode == .constant ? Double(op.quantization.zeroPoints[0]) : pad.value
      integers = try rewriter.add(pad, [q], like: node)
    case is Concat:
      let parts = node.operands.compactMap { rewriter.integers(of: $0) }
      let element = rewriter.graph.tensorType(of: q).element
      guard parts.count == node.operands.count,
        parts.allSatisfy({
          $0.1.quantization == op.quantization && rewriter.graph.tensorType(of: $0.q).element == element
            && rewriter.graph.tensorType(of: $0.q).quantization == rewriter.graph.tensorType(of: q).quantization
        })
      else { return nil }
      integers = try rewriter.add(node.op, parts.map(\.q), like: node)
    default: return nil
    }
    return try rewriter.add(op, integers, name: rewriter.name(of: node), like: node)
  }

  /// Parts of a concatenation that are quantised after it are quantised before it.
  private func joined(
    _ rewriter: inout GraphRewriter, _ node: Node, _ quantize: Quantize, _ tables: inout IntegerTables
  ) throws -> [ValueID]? {
    guard quantize.quantization.axis == nil, let (concat, join) = rewriter.single(Concat.self, node.operands[0]),
      join.operands.allSatisfy({ rewriter.integers(of: $0) != nil })
    else { return nil }
    let parts = try join.operands.map { part -> ValueID in
      try tables.table(&rewriter, of: part, quantize, name: rewriter.name(of: node), like: node) ?? part
    }
    return try rewriter.add(concat, parts, name: rewriter.name(of: node), like: node)
  }
}

extension GraphRewriter {
  /// The computed tensor of 8 bits, of one scale, that a value is dequantised from. A constant one is not meant: it is
  /// folded with what is computed of it.
  func integers(of value: ValueID) -> (q: ValueID, op: Dequantize)? {
    guard let node = definition(of: value), let op = node.op as? Dequantize, op.quantization.axis == nil,
      [.i8, .u8].contains(graph.tensorType(of: node.operands[0]).element),
      !(definition(of: node.operands[0])?.op is Constant)
    else { return nil }
    return (node.operands[0], op)
  }
}
