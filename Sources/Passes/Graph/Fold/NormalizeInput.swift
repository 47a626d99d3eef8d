import IR

/// Puts the input's normalisation into the graph, so that the library takes raw pixels in 0...1.
///
///     graph (%input)                     graph (%input)
///     ... %input ...              =>       %c = subtract(%input, mean)  %n = divide(%c, std)   ... %n ...
///
/// `form-products` then takes both into the first convolution, whose lowering folds them into weights and biases,
/// including the border, which is zero after normalisation.
public struct NormalizeInput: Pass {
  public static let name = "normalize-input"
  public static let summary = "puts (x - mean) / std in front of the network"

  public var mean: [Double]
  public var standardDeviation: [Double]

  /// One value a channel of the first input.
  public init(mean: [Double], standardDeviation: [Double]) {
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  public func run(_ graph: Graph) throws -> Graph {
    guard let input = graph.inputs.first else { return graph }
    var result = graph
    let nodes = result.nodes
    result.nodes = []
    let shape = [1, mean.count, 1, 1]
    let type = TensorType(.f32, shape)
    let meanValue = try result.add(
      Constant(type: type, source: .inline(mean)), [], name: "input_mean", layer: "normalize")[0]
    let deviation = try result.add(
      Constant(type: type, source: .inline(standardDeviation)), [], name: "input_std", layer: "normalize")[0]
    let centered = try result.add(Subtract(), [input, meanValue], name: "input_centered", layer: "normalize")[0]
    let normalized = try result.add(Divide(), [centered, deviation], name: "input_normalized", layer: "normalize")[0]
    for node in nodes {
      var moved = node
      moved.operands = node.operands.map { $0 == input ? normalized : $0 }
      result.nodes.append(moved)
    }
    return result
  }
}
