import IR

extension Graph {
  /// Floating-point operations of the graph's convolutions and matrix products, two for a multiply-add.
  var productOperations: Int { nodes.reduce(0) { $0 + productOperations(of: $1) } }

  /// The same of one node, what is nested in it included.
  func productOperations(of node: Node) -> Int {
    if let region = node.op.region { return region.productOperations }
    guard let result = node.results.first.flatMap({ type(of: $0).tensor }) else { return 0 }
    if node.op is Conv2D {
      // Each output element is a sum over one filter: its input channels times its taps.
      return 2 * result.count * tensorType(of: node.operands[1]).shape.dropFirst().reduce(1, *)
    }
    if node.op is MatMul { return 2 * result.count * (tensorType(of: node.operands[0]).shape.last ?? 0) }
    return 0
  }

  /// Operations by the name that a layer has in the C and in the profile.
  var productOperationsByLayer: [String: Int] {
    var result: [String: Int] = [:]
    for node in nodes {
      guard let value = node.results.first else { continue }
      let layer = node.layer.isEmpty ? values[value.index].name : node.layer
      result[layer, default: 0] += productOperations(of: node)
    }
    return result
  }
}
