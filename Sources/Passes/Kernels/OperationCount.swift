import IR

/// What a node computes, counted for a roofline.
public struct OperationCount: Hashable, Sendable {
  /// Floating-point operations of convolutions, matrix products and distances between nodes: two for a multiply-add.
  public var products = 0
  /// Operations of element-wise ops, as many for an element as a vector takes instructions. Each runs on a port of the
  /// multiply-adds, in place of one of them.
  public var elementwise = 0

  static func + (a: OperationCount, b: OperationCount) -> OperationCount {
    OperationCount(products: a.products + b.products, elementwise: a.elementwise + b.elementwise)
  }
}

extension Graph {
  /// The operations of all nodes.
  public var operations: OperationCount {
    let kernels = KernelReader(self)
    return nodes.reduce(OperationCount()) { $0 + kernels.operations(of: $1) }
  }

  /// The sum over the nodes, those nested deeper included, as their ops are counted.
  var operationsOfNodes: OperationCount {
    nodes.reduce(OperationCount()) { sum, node in
      let own = node.op.region?.operationsOfNodes
      return sum
        + (own
          ?? operationsOfOp(node))
    }
  }

  /// The operations of a node that is not a fuse.
  func operationsOfOp(_ node: Node) -> OperationCount {
    OperationCount(products: productOperations(of: node), elementwise: elementwiseOperations(of: node))
  }

  private func productOperations(of node: Node) -> Int {
    if node.op is BuildNeighborhood,
      case .indices(_, let candidates)? = node.results.first.flatMap({ type(of: $0).neighborhood?.form })
    {
      // Every node is compared with every candidate, over all channels.
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

  private func elementwiseOperations(of node: Node) -> Int {
    guard let op = node.op as? any ElementwiseOp, let result = node.results.first.flatMap({ type(of: $0).tensor })
    else { return 0 }
    return result.count * op.valueFunction(lanes: 8).operationCount
  }
}
