import RealModule

// The memory of a run is known before it: shapes are static, and values are freed after their last use.

extension GraphInterpreter {
  /// The most bytes that the values of a run take at once, those of nested graphs in them; nil if no integer holds
  /// that.
  static func peakBytes(_ graph: Graph) -> Int? {
    let lastUses = lastUses(graph)
    var live: Int? = Extents.sum(graph.inputs.map { bytes(graph.type(of: $0)) })
    var peak = live
    for (position, node) in graph.nodes.enumerated() {
      live = Extents.sum([live] + node.results.map { bytes(graph.type(of: $0)) })
      let inside = node.op.region.map { peakBytes($0) } ?? 0
      guard let now = Extents.sum([live, inside]), let most = peak else { return nil }
      peak = max(most, now)
      for id in lastUses[position] { live = live.map { $0 - (bytes(graph.type(of: id)) ?? 0) } }
    }
    return peak
  }

  /// The bytes that a value takes while a graph is interpreted.
  static func bytes(_ type: ValueType) -> Int? {
    switch type {
    case .tensor(let tensor):
      return Extents.count(tensor.shape).map { $0 * (tensor.element.isFloat ? MemoryLayout<T>.size : 8) }
    case .neighborhood(let graph):
      let pixels = [graph.batch, graph.height, graph.width]
      switch graph.form {
      case .offsets: return 0
      case .gatedOffsets(let offsets): return Extents.count(pixels + [offsets.count])
      case .indices(let count, _): return Extents.count(pixels + [count]).map { 8 * $0 }
      // Lists in both directions, each with a header.
      case .incidence(let hyperedges): return Extents.count(pixels + [hyperedges + 8]).map { 16 * $0 }
      }
    }
  }

  /// For each node, the values that are not read after it.
  static func lastUses(_ graph: Graph) -> [[ValueID]] {
    var last = [Int: Int]()
    for (position, node) in graph.nodes.enumerated() {
      for id in node.results + node.operands { last[id.index] = position }
    }
    for id in graph.outputs { last[id.index] = nil }
    var result = [[ValueID]](repeating: [], count: graph.nodes.count)
    for (index, position) in last { result[position].append(ValueID(index)) }
    return result
  }
}

extension Op {
  /// `evaluate`, after checking that its results are within the memory limit: for ops that are computed before a run.
  /// - Parameter results: The types that typing gave them.
  public func evaluateWithinLimit(
    _ operands: [RuntimeValue<Double>], results: [ValueType]
  ) throws -> [RuntimeValue<Double>] {
    let bytes = Extents.sum(results.map { GraphInterpreter<Double>.bytes($0) })
    try MemoryLimit.require(bytes, for: "the results of \(mnemonic), which are computed ahead,")
    return try evaluate(operands)
  }
}
