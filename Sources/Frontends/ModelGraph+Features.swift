import IR

// A classifier as a backbone: what detection and segmentation read are the outputs of its stages.

extension ModelGraph {
  /// The model with the outputs of its stages instead of the classes, and without what only those needed.
  ///
  /// A stage is all blocks at one resolution. Its output is that of its last block, with no norm of its own, as in the
  /// published detection backbones (SLDGroup/MobileViG, SLDGroup/GreedyViG). Outputs are named by their strides,
  /// `stride4`, `stride8` and so on, largest images first. A resolution with only strided convolutions, as inside a
  /// stem, is not a stage. A network of one resolution has one output.
  ///
  /// - Throws: A `Diagnostic` for a model without blocks.
  public func backbone() throws -> ModelGraph {
    let stages = stages()
    if stages.isEmpty { throw Diagnostic("\(graph.name) has no stages of blocks whose outputs could be its features") }
    var result = self
    for (stride, value) in stages { result.graph.rename(value, to: "stride\(stride)") }
    result.graph.outputs = stages.map(\.value)
    let before = graph.namedConstants
    let names = result.graph.values.map(\.name)
    result.graph = result.graph.compacted()
    // Values get new numbers, and keep their names.
    let numbers = Dictionary(uniqueKeysWithValues: result.graph.values.enumerated().map { ($1.name, ValueID($0)) })
    result.modules = modules.compactMap { module in
      numbers[names[module.value.index]].map { Module(name: module.name, value: $0) }
    }
    let after = result.graph.namedConstants
    for place in result.entries.indices {
      let name = result.entries[place].name
      result.entries[place].isOptional = before.contains(name) && !after.contains(name)
    }
    return result
  }

  /// The last block's output of each stage, by its stride.
  private func stages() -> [(stride: Int, value: ValueID)] {
    let strides = imageStrides()
    var last: ValueID? = graph.inputs.first
    var stages: [(stride: Int, value: ValueID)] = []
    for module in modules {
      // A sequence returns what its last module returned.
      guard let stride = strides[module.value], module.value != last else { continue }
      defer { last = module.value }
      // A module that changes the resolution comes before a stage, and is not one of its blocks.
      guard let before = last.flatMap({ strides[$0] }), before == stride else { continue }
      if stages.last?.stride == stride { stages.removeLast() }
      stages.append((stride, module.value))
    }
    return stages
  }

  /// The stride of each image: how many of the input's pixels lie between two of its own. It is that of an op's first
  /// operand times the op's own stride. After a mean over all pixels there is none.
  private func imageStrides() -> [ValueID: Int] {
    var strides: [ValueID: Int] = [:]
    if let input = graph.inputs.first { strides[input] = 1 }
    for node in graph.nodes {
      guard let before = node.operands.lazy.compactMap({ strides[$0] }).first else { continue }
      let own: Int
      switch node.op {
      case is GlobalAveragePool: continue
      case let convolution as Conv2D: own = convolution.strides[0]
      case let pool as AveragePool: own = pool.strides[0]
      case let pool as MaxPool: own = pool.strides[0]
      default: own = 1
      }
      for result in node.results { strides[result] = before * own }
    }
    return strides
  }
}
