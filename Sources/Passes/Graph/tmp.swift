import IR
extension Graph {
  func compacted() -> Graph {
    var live = Set(outputs)
    var kept: [Node] = []
    for n in nodes.reversed() where n.results.contains(where: { live.contains($0) }) { kept.append(n); live.formUnion(n.operands) }
    var g = self; g.nodes = kept.reversed(); return g
  }
}
