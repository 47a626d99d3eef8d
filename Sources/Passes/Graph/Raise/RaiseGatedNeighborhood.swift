import IR

/// Replaces the distances, limits, gates and maxima that compute an aggregation over gated rolls by a graph
/// construction and an aggregation.
///
///     %l = mean - deviation of the L1 distances between each pixel and the one half an image away
///     %r = roll(%x) {shifts = [2], axes = [2]}
///     %g = compare(reduce(subtract(%x, %r)) {kind = "l1"}, %l) {relation = "less"}
///     %d = multiply(subtract(%r, %x), cast(%g))
///     %m = maximum(subtract(%x, %x), %d)
///     ...                                       =>      %n = neighborhood(%x) {kind = "dagc", step = 2}
///                                                       %m = aggregate(%x, %n) {kind = "max_relative", start = 0.0}
///
/// The rolls, the sample of the limit, its sums and the sense of the comparison must be those of the kind; the order of
/// the differences does not change a maximum. x - x, or 0, among them is the start.
public struct RaiseGatedNeighborhood: Pass {
  public static let name = "raise-gated-neighborhood"
  public static let summary = "makes graph constructions of gated differences and the maxima over them"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    let inner = graph.innerMaxima
    return try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Maximum, !inner.contains(node.results[0]), let chain = GatedDifferences(node, rewriter),
        let type = rewriter.graph.type(of: chain.image).tensor,
        rewriter.graph.type(of: node.results[0]) == rewriter.graph.type(of: chain.image),
        let construction = construction(chain, height: type.shape[2], width: type.shape[3])
      else { return nil }
      let neighborhood = try rewriter.add(
        BuildNeighborhood(construction: construction), [chain.image], name: "\(rewriter.name(of: node)).graph",
        like: node)
      let aggregate = Aggregate(kind: .maxRelative, direction: chain.direction, start: 0)
      return try rewriter.add(aggregate, [chain.image] + neighborhood, name: rewriter.name(of: node), like: node)
    }
  }

  private func construction(_ chain: GatedDifferences, height: Int, width: Int) -> (any GraphConstruction)? {
    let still = Offset(dy: 0, dx: 0)
    let wanted = Set(chain.offsets.map { $0.wrapped(height: height, width: width) }).subtracting([still])
    guard !wanted.isEmpty else { return nil }
    let kinds = GraphConstructions.candidates(height: height, width: width, first: still, direction: chain.direction)
    for kind in kinds {
      guard case .gatedOffsets(let offsets)? = try? kind.form(height: height, width: width, channels: 1, data: []),
        Set(offsets.map { $0.wrapped(height: height, width: width) }).subtracting([still]) == wanted,
        case .nearInL1(let sample)? = kind.gate(height: height, width: width)
      else { continue }
      // The distances to the pixels in one direction are those in the opposite direction, in another order.
      let opposite = Offset(dy: -sample.dy, dx: -sample.dx)
      let samples = [sample, opposite].map { $0.wrapped(height: height, width: width) }
      guard samples.contains(chain.sample.wrapped(height: height, width: width)) else { continue }
      return kind
    }
    return nil
  }
}

/// The differences of a tree of maxima, if all are of one image and its rolls, and each is gated by its own distance.
private struct GatedDifferences {
  var image: ValueID
  var direction: Aggregate.Direction
  var offsets: [Offset] = []
  /// The offset of the sample that the limit is computed from.
  var sample: Offset

  init?(_ root: Node, _ rewriter: GraphRewriter) {
    guard let leaves = rewriter.maximumLeaves(of: root) else { return nil }
    var startsAtZero = false
    var ungated: [RolledDifference] = []
    var gated: [(difference: RolledDifference, gate: Gate)] = []
    for leaf in leaves {
      if rewriter.scalar(leaf) == 0 {
        startsAtZero = true
      } else if let difference = RolledDifference(leaf, rewriter) {
        ungated.append(difference)
      } else if let pair = Self.gated(leaf, rewriter) {
        gated.append(pair)
      } else {
        return nil
      }
    }
    guard let first = gated.first(where: { !$0.difference.isNothing }) ?? gated.first else { return nil }
    let image = first.difference.image
    let limit = first.gate.limit
    for difference in ungated {
      // Only the start may be without a gate.
      if !difference.isNothing || difference.image != image { return nil }
      startsAtZero = true
    }
    guard startsAtZero, let sample = Self.sample(of: limit, image: image, rewriter) else { return nil }
    for (difference, gate) in gated {
      // Each gate may compute the limit again.
      guard difference.image == image, gate.distance.image == image,
        gate.limit == limit || rewriter.computes(gate.limit, thatOf: limit)
      else { return nil }
      if difference.isNothing { continue }
      guard difference.direction == first.difference.direction, gate.distance.offset == difference.offset else {
        return nil
      }
      offsets.append(difference.offset)
    }
    (self.image, direction, self.sample) = (image, first.difference.direction, sample)
  }

  /// A comparison of a distance with a limit.
  struct Gate {
    var distance: RolledDifference
    var limit: ValueID

    /// What a bool value is, if it says that a distance is strictly below a limit.
    init?(_ value: ValueID, _ rewriter: GraphRewriter) {
      guard let node = rewriter.definition(of: value), let comparison = node.op as? Comparison else { return nil }
      let (near, far): (ValueID, ValueID)
      switch comparison.relation {
      case .less: (near, far) = (node.operands[0], node.operands[1])
      case .greater: (near, far) = (node.operands[1], node.operands[0])
      case .lessOrEqual, .equal, .notEqual, .greaterOrEqual: return nil
      }
      guard let distance = RolledDifference(l1: near, rewriter) else { return nil }
      (self.distance, limit) = (distance, far)
    }
  }

  /// A difference where a gate is open, and 0 elsewhere.
  private static func gated(
    _ leaf: ValueID, _ rewriter: GraphRewriter
  ) -> (difference: RolledDifference, gate: Gate)? {
    guard let node = rewriter.definition(of: leaf) else { return nil }
    if node.op is Select {
      guard let gate = Gate(node.operands[0], rewriter), rewriter.scalar(node.operands[2]) == 0,
        let difference = RolledDifference(node.operands[1], rewriter)
      else { return nil }
      return (difference, gate)
    }
    guard node.op is Multiply else { return nil }
    for (value, factor) in [(0, 1), (1, 0)].map({ (node.operands[$0.0], node.operands[$0.1]) }) {
      if let difference = RolledDifference(value, rewriter), let gate = indicator(factor, rewriter) {
        return (difference, gate)
      }
    }
    return nil
  }

  /// The gate that a number stands for: 1 where it is open, 0 elsewhere.
  private static func indicator(_ value: ValueID, _ rewriter: GraphRewriter) -> Gate? {
    guard let node = rewriter.definition(of: value) else { return nil }
    if node.op is Cast {
      return Gate(node.operands[0], rewriter) ?? indicator(node.operands[0], rewriter)
    }
    guard node.op is Select, number(node.operands[1], rewriter) == 1, number(node.operands[2], rewriter) == 0 else {
      return nil
    }
    return Gate(node.operands[0], rewriter)
  }

  private static func number(_ value: ValueID, _ rewriter: GraphRewriter) -> Double? {
    if let values = rewriter.integers(value) { return values.count == 1 ? Double(values[0]) : nil }
    return rewriter.scalar(value)
  }

  /// The sample whose mean - deviation a value is, over the pixels of an image: the deviation divides by their number
  /// minus one.
  // Long because it is one pattern, whose pieces are named only here.
  private static func sample(of limit: ValueID, image: ValueID, _ rewriter: GraphRewriter) -> Offset? {
    let shape = rewriter.graph.tensorType(of: image).shape
    let pixels = Double(shape[2] * shape[3])
    func behind(_ value: ValueID) -> Node? { rewriter.computation(of: value) }
    /// What a mean, or with a divisor a sum, over all pixels is of.
    func folded(_ value: ValueID, _ kind: Reduce.Kind) -> ValueID? {
      guard let node = behind(value), let reduce = node.op as? Reduce, reduce.kind == kind,
        rewriter.graph.tensorType(of: node.operands[0]).rank == 4,
        Set(reduce.axes.map { $0 < 0 ? $0 + 4 : $0 }) == [2, 3]
      else {
        // A mean over rows and columns may already be a pool.
        guard kind == .mean, let node = behind(value), node.op is GlobalAveragePool else { return nil }
        return node.operands[0]
      }
      return node.operands[0]
    }
    /// The value without the numbers that it is multiplied with and divided by.
    func scaled(_ value: ValueID) -> (value: ValueID, times: Double, over: Double) {
      var result = (value: value, times: 1.0, over: 1.0)
      for _ in 0..<4 {
        guard let node = behind(result.value) else { break }
        if node.op is Divide, let number = rewriter.scalar(node.operands[1]) {
          result = (node.operands[0], result.times, result.over * number)
        } else if node.op is Multiply, let place = node.operands.firstIndex(where: { rewriter.scalar($0) != nil }),
          let number = rewriter.scalar(node.operands[place])
        {
          // A division by a power of two is already a multiplication.
          let isQuotient = number > 0 && number < 1
          result.value = node.operands[1 - place]
          if isQuotient { result.over *= 1 / number } else { result.times *= number }
        } else {
          break
        }
      }
      return result
    }
    func isSame(_ a: ValueID, _ b: ValueID) -> Bool {
      a == b || rewriter.computes(a, thatOf: b)
    }
    guard let difference = rewriter.definition(of: limit), difference.op is Subtract,
      let distances = folded(difference.operands[0], .mean),
      rewriter.graph.tensorType(of: distances).shape == [shape[0], 1, shape[2], shape[3]],
      rewriter.graph.tensorType(of: limit).shape == [shape[0], 1, 1, 1],
      let root = behind(difference.operands[1]), root.op is Sqrt
    else { return nil }
    let variance = scaled(root.operands[0])
    guard variance.over == pixels - 1 else { return nil }
    // The sum of squares, or their mean times how many they are.
    let squares: ValueID?
    switch variance.times {
    case pixels: squares = folded(variance.value, .mean)
    case 1: squares = folded(variance.value, .sum)
    default: return nil
    }
    guard let squares, let square = rewriter.definition(of: squares), square.op is Multiply,
      square.operands[0] == square.operands[1] || rewriter.computes(square.operands[0], thatOf: square.operands[1]),
      let deviation = rewriter.definition(of: square.operands[0]), deviation.op is Subtract,
      isSame(deviation.operands[0], distances), let mean = folded(deviation.operands[1], .mean),
      isSame(mean, distances), rewriter.graph.tensorType(of: deviation.operands[1]).shape == [shape[0], 1, 1, 1],
      let sampled = RolledDifference(l1: distances, rewriter), sampled.image == image
    else { return nil }
    return sampled.offset
  }
}
