import Foundation
import IR

/// Folds batch norm into the convolution before it.
///
///     %c = conv2d(%x, %w, %b)                       %c = conv2d(%x, %w', %b')
///     %n = batch_norm(%c, %g, %h, %m, %v)    =>
///
/// w' = w g / sqrt(v + eps) and b' = (b - m) g / sqrt(v + eps) + h, in double, rounded once to float32.
public struct FoldBatchNorm: Pass {
  public static let name = "fold-batch-norm"
  public static let summary = "folds batch norm into the convolution before it"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let norm = node.op as? BatchNorm,
        let (convolution, producer) = rewriter.single(Conv2D.self, node.operands[0]),
        let gain = rewriter.constant(node.operands[1]), let shift = rewriter.constant(node.operands[2]),
        let mean = rewriter.constant(node.operands[3]), let variance = rewriter.constant(node.operands[4])
      else { return nil }
      let scale = zip(gain, variance).map { $0 / ($1 + norm.epsilon).squareRoot() }
      let folded = try scaledConvolution(&rewriter, producer, scale: scale) { channel, bias in
        (bias - mean[channel]) * scale[channel] + shift[channel]
      }
      guard let folded else { return nil }
      return try rewriter.add(convolution, folded, name: rewriter.name(of: node), like: node)
    }
  }
}

/// Operands of a convolution whose output channel c is scaled and whose bias is mapped; nil when its weights are not
/// constants. The new constants are named after the old weights.
func scaledConvolution(
  _ rewriter: inout GraphRewriter, _ node: Node, scale: [Double], bias mapBias: (Int, Double) -> Double
) throws -> [ValueID]? {
  guard let weight = rewriter.constant(node.operands[1]) else { return nil }
  let shape = rewriter.graph.tensorType(of: node.operands[1]).shape
  let channels = shape[0]
  guard scale.count == channels else { return nil }
  var bias = [Double](repeating: 0, count: channels)
  if node.operands.count > 2 {
    guard let given = rewriter.constant(node.operands[2]) else { return nil }
    bias = given
  }
  let perChannel = weight.count / channels
  let newWeight = weight.indices.map { weight[$0] * scale[$0 / perChannel] }
  let newBias = (0..<channels).map { mapBias($0, bias[$0]) }
  let base = rewriter.constantName(of: node.operands[1])
  let weightValue = try rewriter.addConstant(newWeight, shape: shape, hint: "\(base).folded", like: node)
  let biasValue = try rewriter.addConstant(newBias, shape: [channels], hint: "\(base).folded_bias", like: node)
  return [node.operands[0], weightValue, biasValue]
}

extension GraphRewriter {
  /// The name of a node's first result.
  func name(of node: Node) -> String { graph.values[node.results[0].index].name }

  /// The weight a constant names, without earlier folding's suffixes, or the value's name.
  func constantName(of value: ValueID) -> String {
    var name = graph.values[value.index].name
    if let constant = definition(of: value)?.op as? Constant, case .named(let source) = constant.source {
      name = source
    }
    if let range = name.range(of: ".folded") { name = String(name[..<range.lowerBound]) }
    return name
  }
}
