import IR

/// How the axes of a tensor are made of the axes of another tensor, from which it was reshaped and transposed.
///
/// Each axis of the tensor is a list of labels, its parts from the slowest on; parts of extent 1 are left out, since no
/// order of elements depends on them. [N, C, H, W] as [N * H * W, C] is [[n, y, x], [c]].
struct AxisArrangement: Hashable {
  struct Label: Hashable {
    var name: String
    var extent: Int

    init(_ name: String, _ extent: Int) {
      self.name = name
      self.extent = extent
    }
  }

  private(set) var axes: [[Label]]

  /// A tensor each of whose axes has a list of parts.
  init(_ axes: [[Label]]) { self.axes = axes.map { $0.filter { $0.extent != 1 } } }

  /// An image [N, C, H, W], as n, c, y and x.
  init(image shape: [Int]) {
    precondition(shape.count == 4, "an image has four axes")
    self.init(zip(["n", "c", "y", "x"], shape).map { [Label($0, $1)] })
  }

  /// These parts, in this order, split into the axes of a shape; nil if an axis would end inside a part.
  init?(_ parts: [Label], as shape: [Int]) {
    var rest = parts.filter { $0.extent != 1 }[...]
    var axes: [[Label]] = []
    for extent in shape {
      var axis: [Label] = []
      var left = extent
      while left > 1 {
        guard let part = rest.popFirst(), left % part.extent == 0 else { return nil }
        left /= part.extent
        axis.append(part)
      }
      if left != 1 { return nil }
      axes.append(axis)
    }
    if !rest.isEmpty { return nil }
    self.axes = axes
  }

  /// All parts in their order.
  var parts: [Label] { axes.flatMap { $0 } }

  func reshaped(_ shape: [Int]) -> AxisArrangement? { AxisArrangement(parts, as: shape) }

  func transposed(_ permutation: [Int]) -> AxisArrangement { AxisArrangement(permutation.map { axes[$0] }) }

  /// The same after some axes were folded into one element each.
  func folding(_ folded: Set<Int>, keepDims: Bool) -> AxisArrangement {
    AxisArrangement(axes.indices.compactMap { folded.contains($0) ? (keepDims ? [] : nil) : axes[$0] })
  }
}

extension GraphRewriter {
  /// More steps than any exporter takes to move a tensor before it computes with it.
  private static let mostMoves = 16

  /// What a value was reshaped and transposed from, itself first.
  func origins(of value: ValueID) -> [ValueID] {
    var result = [value]
    while result.count <= Self.mostMoves, let node = definition(of: result[result.count - 1]),
      node.op is Reshape || node.op is Transpose
    {
      result.append(node.operands[0])
    }
    return result
  }

  /// The node that made a value before it was reshaped and transposed.
  func computation(of value: ValueID) -> Node? { origins(of: value).last.flatMap(definition(of:)) }

  /// How a value is arranged, if it was reshaped and transposed from `source`, which is arranged as `start`.
  func arrangement(
    of value: ValueID, from source: ValueID, as start: AxisArrangement
  ) -> AxisArrangement? {
    let chain = origins(of: value)
    guard let end = chain.firstIndex(of: source) else { return nil }
    return chain[..<end].reversed().reduce(start as AxisArrangement?) { arrangement, moved in
      guard let arrangement, let node = definition(of: moved) else { return nil }
      if let transpose = node.op as? Transpose { return arrangement.transposed(transpose.permutation) }
      return arrangement.reshaped(graph.tensorType(of: moved).shape)
    }
  }

  /// A row-major value under another shape, made directly from what it was reshaped from.
  mutating func reshaped(_ value: ValueID, _ shape: [Int], like node: Node) throws -> ValueID {
    var source = value
    while graph.tensorType(of: source).shape != shape, let before = definition(of: source), before.op is Reshape {
      source = before.operands[0]
    }
    if graph.tensorType(of: source).shape == shape { return source }
    return try add(Reshape(shape: shape), [source], name: name(of: node), like: node)[0]
  }

  /// The one number of a float32 constant of one element.
  func scalar(_ value: ValueID) -> Double? {
    guard let values = constant(value), values.count == 1 else { return nil }
    return values[0]
  }
}
