import IR

extension Graph {
  /// Floating-point operations of the graph's convolutions, matrix products and distances between nodes, two for a
  /// multiply-add.
  var productOperations: Int { nodes.reduce(0) { $0 + productOperations(of: $1) } }

  /// The same of one node, what is nested in it included.
  func productOperations(of node: Node) -> Int {
    if let region = node.op.region { return region.productOperations }
    if node.op is BuildNeighborhood,
      case .indices(_, let candidates)? = node.results.first.flatMap({ type(of: $0).neighborhood?.form })
    {
      // Every node is held against every candidate, over all channels.
      return 2 * tensorType(of: node.operands[0]).count * candidates
    }
    guard let result = node.results.first.flatMap({ type(of: $0).tensor }) else { return 0 }
    if node.op is Conv2D {
      // Each output element is a sum over one filter: its input channels times its taps.
      return 2 * result.count * tensorType(of: node.operands[1]).shape.dropFirst().reduce(1, *)
    }
    if node.op is MatMul { return 2 * result.count * (tensorType(of: node.operands[0]).shape.last ?? 0) }
    return 0
  }

  /// Operations of a node's element-wise ops, as many for an element as a vector of them takes instructions. They run on
  /// the ports of the multiply-adds, in the place of one each.
  func elementwiseOperations(of node: Node) -> Int {
    if let region = node.op.region { return region.nodes.reduce(0) { $0 + region.elementwiseOperations(of: $1) } }
    guard let op = node.op as? any ElementwiseOp, let result = node.results.first.flatMap({ type(of: $0).tensor })
    else { return 0 }
    return result.count * op.valueFunction(lanes: 8).operationCount
  }

  /// Bytes that a node reads and writes if each of them moves once: operands, weights and results.
  func bytes(of node: Node) -> Int {
    (node.operands + node.results).reduce(0) { total, value in
      let stored = type(of: value).tensor ?? type(of: value).neighborhood?.storage
      return total + (stored.map { $0.storageCount * $0.element.byteCount } ?? 0)
    }
  }

  /// The name that a node's layer has in the C and in the profile.
  func layerName(of node: Node) -> String {
    node.layer.isEmpty ? values[node.results[0].index].name : node.layer
  }
}
