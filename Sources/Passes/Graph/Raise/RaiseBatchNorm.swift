import IR

/// Makes a batch norm of the arithmetic that an exporter wrote for one after a convolution: one number a channel that
/// is subtracted, divided by, multiplied with or added.
///
///     %s = subtract(%c, %mean)
///     %d = divide(%s, %deviation)
///     %m = multiply(%d, %weight)
///     %y = add(%m, %bias)          =>    %y = batch_norm(%c, weight / deviation, bias - mean * weight / deviation, 0, 1)
///
/// Factors alone are left to `fold-scale`. Values in between may have no other readers.
public struct RaiseBatchNorm: Pass {
  public static let name = "raise-batch-norm"
  public static let summary =
    "makes batch norms of numbers a channel that are added to and multiplied with convolutions"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard !(node.op is BatchNorm), let type = rewriter.graph.type(of: node.results[0]).tensor, type.rank == 4,
        type.element == .f32, let last = step(node, channels: type.shape[1], rewriter),
        rewriter.graph.type(of: last.x) == .tensor(type)
      else { return nil }
      var total = last
      var isNorm = !(node.op is Multiply)
      while rewriter.useCount(total.x) == 1, let before = rewriter.definition(of: total.x), !(before.op is Conv2D),
        let next = step(before, channels: type.shape[1], rewriter), rewriter.graph.type(of: next.x) == .tensor(type)
      {
        isNorm = isNorm || !(before.op is Multiply)
        // a2 (a1 x + b1) + b2
        total = Step(
          x: next.x, factors: zip(total.factors, next.factors).map { $0 * $1 },
          terms: zip(zip(total.factors, next.terms), total.terms).map { $0.0 * $0.1 + $1 })
      }
      guard isNorm, rewriter.single(Conv2D.self, total.x) != nil else { return nil }
      let name = rewriter.name(of: node)
      let channels = type.shape[1]
      let constants = try [
        (total.factors, "weight"), (total.terms, "bias"), ([Double](repeating: 0, count: channels), "mean"),
        ([Double](repeating: 1, count: channels), "var"),
      ].map { try rewriter.addConstant($0, shape: [channels], hint: "\(name).\($1)", like: node) }
      return try rewriter.add(BatchNorm(epsilon: 0), [total.x] + constants, name: name, like: node)
    }
  }

  /// factors * x + terms, channel by channel.
  private struct Step {
    var x: ValueID
    var factors: [Double]
    var terms: [Double]
  }

  /// What a node does to each channel, if it is arithmetic with constants or a norm that this pass made.
  private func step(_ node: Node, channels: Int, _ rewriter: GraphRewriter) -> Step? {
    if let norm = node.op as? BatchNorm {
      guard norm.epsilon == 0, let weight = rewriter.constant(node.operands[1]),
        let bias = rewriter.constant(node.operands[2]), let mean = rewriter.constant(node.operands[3]),
        let variance = rewriter.constant(node.operands[4]), mean.allSatisfy({ $0 == 0 }),
        variance.allSatisfy({ $0 == 1 })
      else { return nil }
      return Step(x: node.operands[0], factors: weight, terms: bias)
    }
    guard node.op is Add || node.op is Subtract || node.op is Multiply || node.op is Divide else { return nil }
    let isOrdered = node.op is Subtract || node.op is Divide
    for place in isOrdered ? [1] : [0, 1] {
      guard let numbers = numbers(node.operands[place], channels: channels, rewriter) else { continue }
      let x = node.operands[1 - place]
      let ones = [Double](repeating: 1, count: channels)
      let zeros = [Double](repeating: 0, count: channels)
      switch node.op {
      case is Add: return Step(x: x, factors: ones, terms: numbers)
      case is Subtract: return Step(x: x, factors: ones, terms: numbers.map { -$0 })
      case is Multiply: return Step(x: x, factors: numbers, terms: zeros)
      default:
        if numbers.contains(where: { !(1 / $0).isFinite }) { return nil }
        return Step(x: x, factors: numbers.map { 1 / $0 }, terms: zeros)
      }
    }
    return nil
  }

  /// A constant's number for each channel of an image.
  private func numbers(_ value: ValueID, channels: Int, _ rewriter: GraphRewriter) -> [Double]? {
    guard let values = rewriter.constant(value) else { return nil }
    let shape = rewriter.graph.tensorType(of: value).shape
    if values.count == 1, shape.count <= 4 { return [Double](repeating: values[0], count: channels) }
    let isOfChannels = values.count == channels && (shape == [channels, 1, 1] || shape == [1, channels, 1, 1])
    return isOfChannels ? values : nil
  }
}
