import IR

extension Graph {
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
