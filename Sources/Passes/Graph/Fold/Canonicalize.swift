import IR

/// Writes in one form what exporters write in several.
///
///     divide(%x, 2.0)                                      =>   multiply(%x, 0.5), where that is exact
///     reduce(%x) {kind = "mean", axes = [2, 3]}            =>   global_average_pool(%x)
///     reshape(reshape(%x))                                 =>   reshape(%x)
///     add(reshape(%a), reshape(%b))                        =>   reshape(add(%a, %b))
///     multiply(reshape(%a), 0.5)                           =>   reshape(multiply(%a, 0.5))
///
/// Reshapes move towards the outputs, so that convolutions and the ops on their results are neighbours.
public struct Canonicalize: Pass {
  public static let name = "canonicalize"
  public static let summary = "writes in one way what exporters write in several"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      switch node.op {
      case is Divide: return try multiplied(&rewriter, node)
      case let reduce as Reduce: return try pooled(&rewriter, reduce, node)
      case let reshape as Reshape:
        guard let before = rewriter.definition(of: node.operands[0]), before.op is Reshape else { return nil }
        return try rewriter.add(reshape, before.operands, name: rewriter.name(of: node), like: node)
      case is Add, is Multiply: return try sunk(&rewriter, node.op, node, node.operands)
      default: return nil
      }
    }
  }

  /// A division by a power of two as a multiplication, which has the same bits.
  private func multiplied(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard let values = rewriter.constant(node.operands[1]), values.count == 1, let divisor = values.first,
      divisor.isNormal, divisor.significand == 1, Float(1 / divisor).isNormal
    else { return nil }
    let constant = Constant(
      type: rewriter.graph.tensorType(of: node.operands[1]), source: .inline([1 / divisor]))
    let name = rewriter.name(of: node)
    let factor = try rewriter.add(constant, [], name: "\(name).factor", like: node)[0]
    let operands = [node.operands[0], factor]
    return try sunk(&rewriter, Multiply(), node, operands) ?? rewriter.add(Multiply(), operands, name: name, like: node)
  }

  private func pooled(_ rewriter: inout GraphRewriter, _ reduce: Reduce, _ node: Node) throws -> [ValueID]? {
    guard let x = rewriter.graph.type(of: node.operands[0]).tensor, reduce.kind == .mean, x.rank == 4,
      x.element == .f32,
      Set(reduce.axes.map { $0 < 0 ? $0 + 4 : $0 }) == [2, 3]
    else { return nil }
    let name = rewriter.name(of: node)
    let pool = try rewriter.add(GlobalAveragePool(), node.operands, name: name, like: node)
    if reduce.keepDims { return pool }
    return try rewriter.add(Reshape(shape: Array(x.shape[..<2])), pool, name: name, like: node)
  }

  /// Moves an addition or a multiplication before the reshapes of its operands: of two operands of one type, or of one
  /// operand and a constant of one element.
  private func sunk(
    _ rewriter: inout GraphRewriter, _ op: any Op, _ node: Node, _ operands: [ValueID]
  ) throws -> [ValueID]? {
    guard let result = rewriter.graph.type(of: node.results[0]).tensor else { return nil }
    var sources: [ValueID] = []
    var type: ValueType?
    for operand in operands {
      if let values = rewriter.constant(operand), values.count == 1, rewriter.graph.tensorType(of: operand).rank <= 1 {
        sources.append(operand)
        continue
      }
      guard let before = rewriter.definition(of: operand), before.op is Reshape,
        rewriter.graph.type(of: operand) == rewriter.graph.type(of: node.results[0])
      else { return nil }
      let own = rewriter.graph.type(of: before.operands[0])
      if let type, type != own { return nil }
      type = own
      sources.append(before.operands[0])
    }
    guard let type, type.tensor?.rank ?? 0 > 0 else { return nil }
    let name = rewriter.name(of: node)
    let moved = try rewriter.add(op, sources, name: name, like: node)
    return try rewriter.add(Reshape(shape: result.shape), moved, name: name, like: node)
  }
}
