extension NeighborhoodType {
  /// A graph of this type as the numbers of `storage`, in its order: gates, indices or incidences. Empty for a form that
  /// has nothing to store.
  public func links(of value: NeighborhoodValue) -> [Int] {
    switch (form, value) {
    case (.gatedOffsets, .gatedOffsets(_, let admitted)):
      return admitted.flatMap { gates in gates.map { $0 ? 1 : 0 } }
    case (.indices, .indices(let indices, _)):
      return indices
    case (.incidence(let hyperedges), .incidence(let nodeEdges, let edgeNodes)):
      let nodes = height * width
      var links = [Int](repeating: 0, count: batch * nodes * hyperedges)
      // A hyperedge that a node reads is 2 until the node turns out to be one of its members.
      for (node, edges) in nodeEdges.enumerated() {
        for edge in edges { links[node * hyperedges + edge] = 2 }
      }
      for (edge, members) in edgeNodes.enumerated() {
        let image = edge / hyperedges
        for node in members { links[(image * nodes + node) * hyperedges + edge % hyperedges] = 1 }
      }
      return links
    default:
      return []
    }
  }

  /// The graph that `links(of:)` gives these numbers for.
  /// - Throws: A `Diagnostic` if they are too many, too few, or not of this type.
  public func value(links: [Int]) throws -> NeighborhoodValue {
    let expected = storage?.count ?? 0
    guard links.count == expected else {
      throw Diagnostic("a graph \(ValueType.neighborhood(self)) has \(expected) links, not \(links.count)")
    }
    if let range = storageRange, let wrong = links.first(where: { !range.contains($0) }) {
      throw Diagnostic("a graph \(ValueType.neighborhood(self)) has links \(range), not \(wrong)")
    }
    let nodes = height * width
    switch form {
    case .offsets(let offsets):
      return .offsets(offsets)
    case .gatedOffsets(let offsets):
      let pixels = batch * nodes
      let admitted = offsets.indices.map { place in links[(place * pixels)..<((place + 1) * pixels)].map { $0 == 1 } }
      return .gatedOffsets(offsets, admitted: admitted)
    case .indices(let count, _):
      return .indices(links, count: count)
    case .incidence(let hyperedges):
      var edgeNodes = [[Int]](repeating: [], count: batch * hyperedges)
      let nodeEdges = (0..<(batch * nodes)).map { node in
        let row = links[(node * hyperedges)..<((node + 1) * hyperedges)]
        for (edge, link) in row.enumerated() where link == 1 {
          edgeNodes[node / nodes * hyperedges + edge].append(node % nodes)
        }
        return row.enumerated().filter { $0.element != 0 }.map(\.offset)
      }
      return .incidence(nodeEdges: nodeEdges, edgeNodes: edgeNodes)
    }
  }
}
