/// What softmax and its logarithm have in common: e^x of elements against the sum of e^x along an axis. The maximum is
/// subtracted first, so that nothing overflows.
public protocol ExponentialShares: AxisOp {}

extension ExponentialShares {
  public var mapsZeroToZero: Bool { false }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0)
    _ = try checker.axis(axis, rank: x.rank)
    return [.tensor(x.with(shape: x.shape))]
  }

  /// Loops over everything but the axis: `body` gets the axes' split, the place along the others, and the maximum along the
  /// axis.
  func overRows(
    _ builder: inout LoopBuilder, _ x: LoopTensor,
    _ body: (inout LoopBuilder, LoopAxisSplit, _ outer: [LoopIndex], _ greatest: LoopValue) -> Void
  ) {
    let split = LoopAxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    builder.loops(over: split.outerShape) { builder, outer in
      let first = x.loadComputing(split.index(outer: outer, inner: [0]))
      let best = builder.register("best", x.computingType, first)
      builder.loops(over: split.innerShape) { builder, inner in
        builder.assign(best, .maximum(x.loadComputing(split.index(outer: outer, inner: inner)), .variable(best)))
      }
      body(&builder, split, outer, .variable(best))
    }
  }
}
