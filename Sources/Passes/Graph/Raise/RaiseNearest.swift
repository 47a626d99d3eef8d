import IR

/// Replaces the distances, the choice and the maximum of gathered differences that compute an aggregation over nearest
/// neighbours by a graph construction and an aggregation.
///
///     %u = divide(%x, maximum(l2 norm of %x, 1e-12))         features to unit length, as rows
///     %d = |u_i|^2 - 2 u_i v_j + |v_j|^2 (+ positions)       v from %x or from a pooled copy %y
///     %s = top_k(%d), the nearest, each d-th of them
///     %m = reduce(subtract(gather(%y, %s), %x)) {kind = "max"}          =>
///
///     %n = neighborhood(%x, %y, %positions) {kind = "knn", k = 9, dilation = 2}
///     %m = aggregate(%x, %n, %y) {kind = "max_relative", direction = "neighbor_minus_self"}
///
/// Terms may be added in any order, and rows be arranged in any equivalent way. Each constant must be the
/// construction's own. Values in between may have other readers.
public struct RaiseNearest: Pass {
  public static let name = "raise-nearest"
  public static let summary = "makes constructions of nearest neighbours of distances, choices and gathered differences"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let reduce = node.op as? Reduce, reduce.kind == .maximum,
        let difference = rewriter.definition(of: node.operands[0]), difference.op is Subtract,
        rewriter.graph.tensorType(of: node.operands[0]).element == .f32
      else { return nil }
      let (a, b) = (difference.operands[0], difference.operands[1])
      for (neighbors, own, direction) in [
        (a, b, Aggregate.Direction.neighborMinusSelf), (b, a, .selfMinusNeighbor),
      ] {
        guard let match = GatheredNeighbors(neighbors, rewriter),
          match.isDifference(with: own, in: node.operands[0], over: reduce, rewriter)
        else { continue }
        let distances = match.distances
        let hint = rewriter.name(of: node)
        let others = distances.other.image == distances.own.image ? [] : [distances.other.image]
        let data = distances.positions.map { [distances.other.image, $0] } ?? others
        let build = BuildNeighborhood(construction: match.construction)
        let image = distances.own.image
        guard (try? build.resultTypes(([image] + data).map { rewriter.graph.type(of: $0) })) != nil else { return nil }
        let neighborhood = try rewriter.add(build, [image] + data, name: "\(hint).graph", like: node)
        let aggregate = Aggregate(kind: .maxRelative, direction: direction, start: nil)
        let result = try rewriter.add(aggregate, [image] + neighborhood + others, name: hint, like: node)[0]
        return [try rewriter.reshaped(result, rewriter.graph.tensorType(of: node.results[0]).shape, like: node)]
      }
      return nil
    }
  }
}

private typealias Label = AxisArrangement.Label

/// Features of unit length: an image's, each pixel's divided by their norm.
private struct UnitFeatures: Equatable {
  /// [N, C, H, W].
  var image: ValueID
  var shape: [Int]
  /// The quotient, and how its axes are made of the image's.
  var value: ValueID
  var arrangement: AxisArrangement

  /// The features that `value` was reshaped and transposed from, if they are unit features.
  init?(behind value: ValueID, _ rewriter: GraphRewriter) {
    guard let unit = rewriter.origins(of: value).last, let divide = rewriter.definition(of: unit), divide.op is Divide,
      let most = rewriter.definition(of: divide.operands[1]), most.op is Maximum,
      let place = most.operands.firstIndex(where: { rewriter.scalar($0) == Double(Float(KNN.leastNorm)) }),
      let norm = rewriter.definition(of: most.operands[1 - place]), let reduce = norm.op as? Reduce,
      reduce.kind == .l2, reduce.keepDims, reduce.axes.count == 1, norm.operands[0] == divide.operands[0],
      rewriter.graph.type(of: unit) == rewriter.graph.type(of: divide.operands[0])
    else { return nil }
    let rows = divide.operands[0]
    let rank = rewriter.graph.tensorType(of: rows).rank
    let axis = reduce.axes[0] < 0 ? reduce.axes[0] + rank : reduce.axes[0]
    for candidate in rewriter.origins(of: rows).reversed() {
      let type = rewriter.graph.tensorType(of: candidate)
      guard type.rank == 4, type.element == .f32,
        let arrangement = rewriter.arrangement(of: rows, from: candidate, as: AxisArrangement(image: type.shape)),
        arrangement.axes[axis] == [Label("c", type.shape[1])].filter({ $0.extent != 1 })
      else { continue }
      (image, shape, self.value, self.arrangement) = (candidate, type.shape, unit, arrangement)
      return
    }
    return nil
  }

  private var labels: [Label] { AxisArrangement(image: shape).parts }

  /// Whether a value is these features as [N, pixels, C] (or with the last two the other way round).
  func isRows(_ candidate: ValueID, transposed: Bool, _ rewriter: GraphRewriter) -> Bool {
    rewriter.arrangement(of: candidate, from: value, as: arrangement)
      == rows(pixelsAt: transposed ? 2 : 1, channelsAt: transposed ? 1 : 2)
  }

  /// Whether a value is the sum of squares of each pixel, along axis 1 or 2 of three.
  func isSquares(_ candidate: ValueID, pixelsAt axis: Int, _ rewriter: GraphRewriter) -> Bool {
    guard let source = rewriter.origins(of: candidate).last, let sum = rewriter.definition(of: source),
      let reduce = sum.op as? Reduce, reduce.axes.count == 1,
      let rows = squared(sum.operands[0], by: reduce.kind, rewriter)
    else { return false }
    let folded = reduce.axes[0] < 0 ? reduce.axes[0] + rows.axes.count : reduce.axes[0]
    guard rows.axes[folded] == [Label("c", shape[1])].filter({ $0.extent != 1 }) else { return false }
    let start = rows.folding([folded], keepDims: reduce.keepDims)
    return rewriter.arrangement(of: candidate, from: source, as: start) == self.rows(pixelsAt: axis, channelsAt: nil)
  }

  /// How the axes of what is summed are made of the image's, if these features squared are what is summed.
  private func squared(_ value: ValueID, by kind: Reduce.Kind, _ rewriter: GraphRewriter) -> AxisArrangement? {
    if kind == .sumOfSquares { return rewriter.arrangement(of: value, from: self.value, as: arrangement) }
    guard kind == .sum, let square = rewriter.origins(of: value).last, let node = rewriter.definition(of: square),
      node.op is Multiply && node.operands[0] == node.operands[1]
        || node.op is Power && rewriter.scalar(node.operands[1]) == 2,
      let roots = rewriter.arrangement(of: node.operands[0], from: self.value, as: arrangement)
    else { return nil }
    return rewriter.arrangement(of: value, from: square, as: roots)
  }

  private func rows(pixelsAt pixels: Int, channelsAt channels: Int?) -> AxisArrangement {
    var axes: [[Label]] = [[Label("n", shape[0])], [], []]
    axes[pixels] = [Label("y", shape[2]), Label("x", shape[3])]
    if let channels { axes[channels] = [Label("c", shape[1])] }
    return AxisArrangement(axes)
  }
}

/// Squared distances between the unit features of pixels and of candidates, [N, pixels, candidates].
private struct Distances {
  var own: UnitFeatures
  var other: UnitFeatures
  var positions: ValueID?

  /// - Parameter sign: The factor that turns `value` into the distances.
  init?(_ value: ValueID, sign: Double, _ rewriter: GraphRewriter) {
    guard rewriter.graph.tensorType(of: value).rank == 3 else { return nil }
    var terms: [(value: ValueID, factor: Double)] = []
    var pending = [(value, sign)]
    while let (term, factor) = pending.popLast() {
      // No known form has more terms; a sum that shares its parts could have very many.
      if terms.count + pending.count > 8 { return nil }
      guard let node = rewriter.definition(of: term) else {
        terms.append((term, factor))
        continue
      }
      switch node.op {
      case is Add: pending += node.operands.map { ($0, factor) }
      case is Subtract: pending += [(node.operands[0], factor), (node.operands[1], -factor)]
      case is Negate: pending.append((node.operands[0], -factor))
      case is Multiply:
        guard let place = node.operands.firstIndex(where: { rewriter.scalar($0) != nil }),
          let number = rewriter.scalar(node.operands[place])
        else { return nil }
        pending.append((node.operands[1 - place], factor * number))
      default: terms.append((term, factor))
      }
    }
    guard let place = terms.firstIndex(where: { rewriter.definition(of: $0.value)?.op is MatMul }),
      let product = rewriter.definition(of: terms[place].value), terms[place].factor == -2,
      let own = UnitFeatures(behind: product.operands[0], rewriter),
      let other = UnitFeatures(behind: product.operands[1], rewriter),
      own.isRows(product.operands[0], transposed: false, rewriter),
      other.isRows(product.operands[1], transposed: true, rewriter)
    else { return nil }
    terms.remove(at: place)
    guard terms.allSatisfy({ $0.factor == 1 }) else { return nil }
    guard let first = terms.firstIndex(where: { own.isSquares($0.value, pixelsAt: 1, rewriter) }) else { return nil }
    terms.remove(at: first)
    guard let second = terms.firstIndex(where: { other.isSquares($0.value, pixelsAt: 2, rewriter) }) else { return nil }
    terms.remove(at: second)
    (self.own, self.other) = (own, other)
    if terms.isEmpty { return }
    let expected = TensorType(.f32, [1, own.shape[2] * own.shape[3], other.shape[2] * other.shape[3]])
    guard terms.count == 1, rewriter.graph.type(of: terms[0].value) == .tensor(expected) else { return nil }
    positions = terms[0].value
  }
}

/// Features of the nearest candidates, gathered by their indices.
private struct GatheredNeighbors {
  var distances: Distances
  var construction: KNN
  /// How the axes of the gathered features are made of n, c, y, x and s, the place among the neighbours.
  var arrangement: AxisArrangement

  init?(_ value: ValueID, _ rewriter: GraphRewriter) {
    guard let rows = GatheredRows(value, rewriter), let choice = Choice(rows.indices, rewriter) else { return nil }
    distances = choice.distances
    construction = KNN(k: choice.count, dilation: choice.step)
    let own = distances.own.shape
    let parts = [Label("n", own[0]), Label("y", own[2]), Label("x", own[3]), Label("s", choice.count)]
    guard let indices = AxisArrangement(parts, as: rewriter.graph.tensorType(of: rows.indices).shape),
      choice.namesImages(with: indices, rows.isBatched, rewriter),
      rows.isTable(of: distances.other, rewriter), let found = rows.arrangement(indices, channels: own[1], rewriter)
    else { return nil }
    arrangement = found
  }

  /// Whether `own`, subtracted from or by the gathered features, is each pixel's own feature, and `reduce` folds the
  /// neighbours of each.
  func isDifference(
    with own: ValueID, in difference: ValueID, over reduce: Reduce, _ rewriter: GraphRewriter
  ) -> Bool {
    let image = distances.own.shape
    let rank = rewriter.graph.tensorType(of: difference).rank
    guard arrangement.axes.count == rank else { return false }
    let folded = Set(reduce.axes.map { $0 < 0 ? $0 + rank : $0 })
    let left = arrangement.folding(folded, keepDims: true)
    let slots = [Label("s", construction.k)].filter { $0.extent != 1 }
    guard folded.count == 1, folded.allSatisfy({ arrangement.axes[$0] == slots }),
      left.parts == AxisArrangement(image: image).parts
    else { return false }
    // Either one feature for all neighbours, which broadcasts, or one gathered for each of them.
    let start = AxisArrangement(image: image)
    if rewriter.graph.tensorType(of: own).rank == rank,
      rewriter.arrangement(of: own, from: distances.own.image, as: start) == left
    {
      return true
    }
    guard let rows = GatheredRows(own, rewriter), rows.isTable(of: distances.own, rewriter),
      let places = rewriter.integers(rows.indices)
    else { return false }
    let k = construction.k
    let pixels = image[2] * image[3]
    let parts = [Label("n", image[0]), Label("y", image[2]), Label("x", image[3]), Label("s", k)]
    guard places.count == image[0] * pixels * k,
      places.enumerated().allSatisfy({ $1 == (rows.isBatched ? $0 / k % pixels : $0 / k) }),
      let indices = AxisArrangement(parts, as: rewriter.graph.tensorType(of: rows.indices).shape)
    else { return false }
    return rows.arrangement(indices, channels: image[1], rewriter) == arrangement
  }
}

/// Rows of a table by their indices, reshaped and transposed: the table is [N * pixels, C], or [N, pixels, C] if each
/// image has indices of its own.
private struct GatheredRows {
  var table: ValueID
  /// The indices, of any rank; the tuples of a `gather_nd` have one index.
  var indices: ValueID
  var isBatched: Bool
  private var gathered: ValueID
  private var value: ValueID

  init?(_ value: ValueID, _ rewriter: GraphRewriter) {
    guard let gathered = rewriter.origins(of: value).last, let node = rewriter.definition(of: gathered) else {
      return nil
    }
    let rank = rewriter.graph.tensorType(of: node.operands[0]).rank
    if let gather = node.op as? Gather {
      guard gather.axis == 0 || gather.axis == -rank, rank == 2 else { return nil }
      isBatched = false
    } else if let gather = node.op as? GatherND {
      guard gather.batchDims == 1, rank == 3, rewriter.graph.tensorType(of: node.operands[1]).shape.last == 1 else {
        return nil
      }
      isBatched = true
    } else {
      return nil
    }
    (table, indices) = (node.operands[0], node.operands[1])
    (self.gathered, self.value) = (gathered, value)
  }

  /// Whether the table is an image's features, a row a pixel.
  func isTable(of features: UnitFeatures, _ rewriter: GraphRewriter) -> Bool {
    let shape = features.shape
    let batch = [Label("n", shape[0])]
    let pixels = [Label("y", shape[2]), Label("x", shape[3])]
    let channels = [Label("c", shape[1])]
    let expected = AxisArrangement(isBatched ? [batch, pixels, channels] : [batch + pixels, channels])
    return rewriter.arrangement(of: table, from: features.image, as: AxisArrangement(image: shape)) == expected
  }

  /// How the rows are arranged, given how their indices are.
  func arrangement(
    _ indices: AxisArrangement, channels: Int, _ rewriter: GraphRewriter
  ) -> AxisArrangement? {
    let axes = isBatched ? Array(indices.axes.dropLast()) : indices.axes
    return rewriter.arrangement(of: value, from: gathered, as: AxisArrangement(axes + [[Label("c", channels)]]))
  }
}

/// The indices of the nearest candidates, [N, pixels, count].
private struct Choice {
  var distances: Distances
  var count: Int
  var step: Int
  /// What is added to the indices, and the shape it is added in.
  private var added: [(constant: ValueID, shape: [Int])] = []

  init?(_ indices: ValueID, _ rewriter: GraphRewriter) {
    var value = indices
    count = 0
    step = 1
    for _ in 0..<16 {
      guard let node = rewriter.definition(of: value) else { return nil }
      if node.op is Reshape {
        value = node.operands[0]
      } else if node.op is Add,
        let place = node.operands.firstIndex(where: { rewriter.integers($0) != nil })
      {
        added.append((node.operands[place], rewriter.graph.tensorType(of: value).shape))
        value = node.operands[1 - place]
        if rewriter.graph.tensorType(of: value).shape != added[added.count - 1].shape { return nil }
      } else {
        break
      }
    }
    var sliced: (shape: [Int], axis: Int)?
    if let node = rewriter.definition(of: value), let slice = node.op as? Slice {
      // Every step-th of the nearest, from the nearest on.
      guard slice.axes.count == 1, slice.starts == [0], slice.steps[0] > 0 else { return nil }
      let shape = rewriter.graph.tensorType(of: node.operands[0]).shape
      let axis = slice.axes[0] < 0 ? slice.axes[0] + shape.count : slice.axes[0]
      sliced = (shape, axis)
      count = rewriter.graph.tensorType(of: value).shape[axis]
      step = slice.steps[0]
      value = node.operands[0]
      while let before = rewriter.definition(of: value), before.op is Reshape { value = before.operands[0] }
    }
    guard let node = rewriter.definition(of: value), let top = node.op as? TopK, node.results[1] == value,
      top.axis == 2 || top.axis == -1,
      let distances = Distances(node.operands[0], sign: top.largest ? -1 : 1, rewriter)
    else { return nil }
    self.distances = distances
    let chosen = rewriter.graph.tensorType(of: value).shape
    guard let sliced else {
      count = top.k
      return
    }
    let ranks = Label("s", top.k)
    let parts = [Label("n", chosen[0]), Label("p", chosen[1]), ranks]
    guard AxisArrangement(parts, as: sliced.shape)?.axes[sliced.axis] == [ranks].filter({ $0.extent != 1 })
    else { return nil }
  }

  /// Whether indices into a table of all images start, for each image, where its candidates do.
  func namesImages(with indices: AxisArrangement, _ isBatched: Bool, _ rewriter: GraphRewriter) -> Bool {
    let batch = distances.own.shape[0]
    let candidates = distances.other.shape[2] * distances.other.shape[3]
    var offsets = [Int](repeating: 0, count: batch)
    for (constant, shape) in added {
      guard let values = rewriter.integers(constant) else { return false }
      let own = rewriter.graph.tensorType(of: constant).shape
      if values.allSatisfy({ $0 == 0 }) { continue }
      // One number an image, along the first axis.
      guard shape.first == batch, own.count == shape.count, own.first == batch, values.count == batch else {
        return false
      }
      for (image, value) in values.enumerated() { offsets[image] += value }
    }
    return offsets == (0..<batch).map { isBatched ? 0 : $0 * candidates }
  }
}

extension GraphRewriter {
  /// The contents of a constant of integers; nil when the value is not one.
  func integers(_ value: ValueID) -> [Int]? {
    guard let constant = definition(of: value)?.op as? Constant, !constant.type.element.isFloat,
      let tensor: Tensor<Double> = try? constant.contents(in: graph.weights)
    else { return nil }
    return tensor.integer.map { Int($0) }
  }
}
