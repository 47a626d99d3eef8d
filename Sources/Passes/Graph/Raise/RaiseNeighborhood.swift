import IR

/// Replaces the rolls, differences and maxima that compute an aggregation over fixed offsets by a graph construction
/// and an aggregation.
///
///     %z = subtract(%x, %x)
///     %r = roll(%x) {shifts = [2], axes = [2]}
///     %d = subtract(%x, %r)
///     %m = maximum(%z, %d)
///     ...                             =>      %n = neighborhood(%x) {kind = "svga", step = 2}
///                                             %m = aggregate(%x, %n) {kind = "max_relative", start = 0.0}
///
/// All differences must be of one image and its rolls, in one direction, and the rolls those of a kind of fixed
/// offsets; their order does not change a maximum. x - x, or 0, among them is the start; without it the maximum starts
/// at the first neighbour. If two kinds have the same neighbours, the published direction says which one is meant.
public struct RaiseNeighborhood: Pass {
  public static let name = "raise-neighborhood"
  public static let summary = "makes graph constructions of the rolls, differences and maxima that compute them"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    let inner = graph.innerMaxima
    return try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Maximum, !inner.contains(node.results[0]), let chain = Differences(node, rewriter),
        let type = rewriter.graph.type(of: chain.image).tensor, type.element == .f32, type.rank == 4,
        rewriter.graph.type(of: node.results[0]) == rewriter.graph.type(of: chain.image),
        let construction = construction(chain, height: type.shape[2], width: type.shape[3])
      else { return nil }
      let neighborhood = try rewriter.add(
        BuildNeighborhood(construction: construction), [chain.image], name: "\(rewriter.name(of: node)).graph",
        like: node)
      let aggregate = Aggregate(
        kind: .maxRelative, direction: chain.direction, start: chain.startsAtZero ? 0 : nil)
      return try rewriter.add(
        aggregate, [chain.image] + neighborhood, name: rewriter.name(of: node), like: node)
    }
  }

  private func construction(_ chain: Differences, height: Int, width: Int) -> (any GraphConstruction)? {
    func wrapped(_ offsets: [Offset]) -> Set<Offset> {
      let inside = offsets.map { $0.wrapped(height: height, width: width) }
      // The image itself adds nothing to a maximum that starts at 0.
      return Set(inside).subtracting(chain.startsAtZero ? [Offset(dy: 0, dx: 0)] : [])
    }
    let wanted = wrapped(chain.offsets)
    guard let first = chain.offsets.first, !wanted.isEmpty else { return nil }
    let kinds = GraphConstructions.candidates(height: height, width: width, first: first, direction: chain.direction)
    return kinds.first { kind in
      guard case .offsets(let offsets)? = try? kind.form(height: height, width: width, channels: 1, data: []) else {
        return false
      }
      return wrapped(offsets) == wanted
    }
  }
}

/// The differences of a tree of maxima, if all are of one image and its rolls.
private struct Differences {
  var image: ValueID
  var direction: Aggregate.Direction
  /// In the order of the rolls, without those by nothing.
  var offsets: [Offset] = []
  var startsAtZero = false

  init?(_ root: Node, _ rewriter: GraphRewriter) {
    guard let leaves = rewriter.maximumLeaves(of: root) else { return nil }
    var found: (image: ValueID, direction: Aggregate.Direction)?
    for leaf in leaves {
      if let values = rewriter.constant(leaf), values.count == 1, values[0] == 0 {
        startsAtZero = true
        continue
      }
      guard let node = rewriter.definition(of: leaf), node.op is Subtract else { return nil }
      let (a, b) = (node.operands[0], node.operands[1])
      if a == b {
        if let found, found.image != a { return nil }
        startsAtZero = true
        continue
      }
      let candidates: [(ValueID, Aggregate.Direction, Offset?)] = [
        (a, .selfMinusNeighbor, rewriter.offset(of: b, from: a)),
        (b, .neighborMinusSelf, rewriter.offset(of: a, from: b)),
      ]
      guard let (image, direction, offset) = candidates.first(where: { $0.2 != nil }), let offset else { return nil }
      if let found, found != (image, direction) { return nil }
      found = (image, direction)
      offsets.append(offset)
    }
    guard let found else { return nil }
    // The image was not known yet when differences of a value with itself were accepted.
    for leaf in leaves {
      guard let node = rewriter.definition(of: leaf), node.op is Subtract, node.operands[0] == node.operands[1] else {
        continue
      }
      if node.operands[0] != found.image { return nil }
    }
    image = found.image
    direction = found.direction
  }
}
