extension Graph {
  /// Whether two graphs say the same: the same values by name, types, nodes in the same order, inputs and outputs. Not
  /// compared: the numbering of values, values that nothing defines, source locations, and the contents of `weights`.
  public func isIdentical(to other: Graph) -> Bool {
    func named(_ graph: Graph, _ ids: [ValueID]) -> [Value] { ids.map { graph.values[$0.index] } }
    guard
      name == other.name, weightSource == other.weightSource, named(self, inputs) == named(other, other.inputs),
      named(self, outputs) == named(other, other.outputs), nodes.count == other.nodes.count
    else { return false }
    return zip(nodes, other.nodes).allSatisfy { mine, theirs in
      mine.layer == theirs.layer && named(self, mine.operands) == named(other, theirs.operands)
        && named(self, mine.results) == named(other, theirs.results) && mine.op.isIdentical(to: theirs.op)
    }
  }
}

extension Op {
  /// Whether two ops are of one type and have the same parameters and nested graphs.
  public func isIdentical(to other: any Op) -> Bool {
    guard mnemonic == other.mnemonic, attributes.map(\.comparable) == other.attributes.map(\.comparable) else {
      return false
    }
    if let mine = self as? Fuse, let theirs = other as? Fuse, mine.kernel != theirs.kernel { return false }
    if let mine = self as? Constant, let theirs = other as? Constant, mine.type != theirs.type { return false }
    switch (region, other.region) {
    case (nil, nil): return true
    case (let mine?, let theirs?): return mine.isIdentical(to: theirs)
    case (nil, _?), (_?, nil): return false
    }
  }
}

extension Attribute {
  /// Floats are compared by their bits, so that NaN equals itself and 0 differs from -0. An empty list has no element
  /// type.
  fileprivate var comparable: [String] {
    switch value {
    case .bool(let value): [name, "bool", "\(value)"]
    case .integer(let value): [name, "integer", "\(value)"]
    case .float(let value): [name, "float", bits(value)]
    case .string(let value): [name, "string", value]
    case .integers(let values): values.isEmpty ? [name, "empty"] : [name, "integers"] + values.map(String.init)
    case .floats(let values): values.isEmpty ? [name, "empty"] : [name, "floats"] + values.map(bits)
    }
  }

  private func bits(_ value: Double) -> String { value.isNaN ? "nan" : String(value.bitPattern) }
}
