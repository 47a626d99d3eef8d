import IR

/// Joins the construction of a graph of fixed or gated offsets with the aggregation over it, and chooses how it is lowered.
///
///     %n = neighborhood(%x) {kind = "svga", step = 2}
///     %a = aggregate(%x, %n) {kind = "max_relative"}        =>
///
///     %a = fuse "max_relative" (%x) {lowering = "windowed", ...} { the two }
///
/// The choice: the cheapest of the lowerings that apply, in vector operations a pixel; see `OffsetsCost`. Offsets that a
/// distance admits become `gated_max_relative` the same way.
public struct FuseNeighborhood: Pass {
  public static let name = "fuse-neighborhood"
  public static let summary = "joins graph construction with aggregation and chooses their lowering by cost"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let aggregate = node.op as? Aggregate, aggregate.kind == .maxRelative,
        let (build, builder) = rewriter.single(BuildNeighborhood.self, node.operands[1]),
        case .neighborhood(let type) = rewriter.graph.type(of: node.operands[1])
      else { return nil }
      let kernel: String
      let choice: (lowering: String, cost: Double, reason: String)
      switch type.form {
      case .offsets(let offsets):
        let best = OffsetsCost(
          offsets: offsets, height: type.height, width: type.width, startsAtZero: aggregate.start == 0
        ).choice
        kernel = "max_relative"
        choice = (best.lowering.rawValue, best.cost, best.reason)
      case .gatedOffsets(let offsets):
        // The kernel measures distances in the image it aggregates, by a test it knows.
        guard builder.operands == [node.operands[0]],
          build.construction.gate(height: type.height, width: type.width) != nil
        else { return nil }
        kernel = "gated_max_relative"
        // A neighbour is two loads, a subtraction, an absolute value and an addition; the sample is one more.
        choice = (
          GatedMaxRelativeKernel.Lowering.direct.rawValue, Double(5 * (offsets.count + 1) + 1),
          "\(offsets.count) rolls measured and read in place"
        )
      case .indices, .incidence:
        return nil
      }
      var body = FuseBody(name: kernel)
      try body.add(builder, in: rewriter.graph)
      try body.add(node, in: rewriter.graph)
      let schedule = [
        Attribute("lowering", .string(choice.lowering)),
        Attribute("cost", .float(choice.cost)),
        Attribute("reason", .string(choice.reason)),
      ]
      return try rewriter.add(
        body.fuse(kernel: kernel, schedule: schedule), body.operands, name: rewriter.name(of: node), like: node)
    }
  }
}

/// What each lowering of max-relative over fixed offsets costs, in vector loads, stores and comparisons a pixel.
struct OffsetsCost {
  var offsets: [Offset]
  var height: Int
  var width: Int
  var startsAtZero: Bool

  struct Choice {
    var lowering: MaxRelativeKernel.Lowering
    var cost: Double
    var reason: String
  }

  /// Every lowering that applies, cheapest first.
  var candidates: [Choice] {
    // A roll is a load and a comparison; self, the subtraction and the store come on top.
    var result = [
      Choice(
        lowering: .fusedRolls, cost: Double(2 * offsets.count + 3),
        reason: "\(offsets.count) rolls read in place")
    ]
    guard startsAtZero, let steps = MaxRelativeKernel.steps(offsets, height: height, width: width) else {
      return result
    }
    let windows = (y: ceilDivide(height, steps.y), x: ceilDivide(width, steps.x))
    let passes = [windows.y, windows.x].reduce(0) { $0 + Int(Double($1).logarithm2Ceiling) }
    // A doubling pass is two loads, a comparison and a store.
    result.append(
      Choice(
        lowering: .windowed, cost: Double(4 * passes + 6),
        reason: "windows of \(windows.y) and \(windows.x) steps in \(passes) doubling passes"))
    if height % steps.y == 0, width % steps.x == 0 {
      // Each axis reads every pixel once and compares once; the class extremes are shared.
      result.append(
        Choice(
          lowering: .classReduced, cost: 2 + 2 + 5 + Double(steps.y) / Double(height),
          reason: "the steps \(steps.y) and \(steps.x) divide \(height) x \(width): one extreme a residue class"))
    }
    return result.sorted { $0.cost < $1.cost }
  }

  var choice: Choice { candidates[0] }
}

extension Double {
  /// The least integer p with 2^p at least self.
  fileprivate var logarithm2Ceiling: Double {
    var power = 0.0
    var reach = 1.0
    while reach < self {
      reach *= 2
      power += 1
    }
    return power
  }
}
