import RealModule

/// Every `steps`-th element from `starts` up to, not including, `ends` along `axes`, with the meaning of ONNX's Slice:
/// negative positions count from the end, positions beyond an end are clamped, negative steps run backwards.
public struct Slice: Op {
  public static let mnemonic = "slice"

  public var starts: [Int]
  public var ends: [Int]
  public var axes: [Int]
  public var steps: [Int]

  public init(starts: [Int], ends: [Int], axes: [Int], steps: [Int]) {
    self.starts = starts
    self.ends = ends
    self.axes = axes
    self.steps = steps
  }

  public init(_ reader: inout AttributeReader) throws {
    self.starts = try reader.integers("starts")
    self.ends = try reader.integers("ends")
    self.axes = try reader.integers("axes")
    self.steps = try reader.integers("steps")
  }

  public var attributes: [Attribute] {
    [
      Attribute("starts", .integers(starts)), Attribute("ends", .integers(ends)), Attribute("axes", .integers(axes)),
      Attribute("steps", .integers(steps)),
    ]
  }

  public var mapsZeroToZero: Bool { true }

  /// What is read along one axis: `count` positions from `start` on.
  private struct Range {
    var start: Int
    var step: Int
    var count: Int
  }

  /// The positions along every axis of `shape`; typing has accepted the parameters.
  private func ranges(_ shape: [Int]) -> [Range] {
    var ranges = shape.map { Range(start: 0, step: 1, count: $0) }
    for (place, axis) in axes.enumerated() {
      let axis = resolvedAxis(axis, rank: shape.count)
      let extent = shape[axis]
      let step = steps[place]
      func clamp(_ position: Int, _ low: Int, _ high: Int) -> Int {
        min(max(position < 0 ? position + extent : position, low), high)
      }
      if step > 0 {
        let start = clamp(starts[place], 0, extent)
        let end = clamp(ends[place], 0, extent)
        ranges[axis] = Range(start: start, step: step, count: end > start ? (end - start - 1) / step + 1 : 0)
      } else {
        let start = clamp(starts[place], -1, extent - 1)
        let end = clamp(ends[place], -1, extent - 1)
        ranges[axis] = Range(start: start, step: step, count: start > end ? (start - end - 1) / -step + 1 : 0)
      }
    }
    return ranges
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    if starts.count != axes.count || ends.count != axes.count || steps.count != axes.count {
      throw checker.problem("starts, ends, axes and steps must be equally many")
    }
    _ = try checker.axes(axes, rank: x.rank)
    if steps.contains(0) || steps.contains(Int.min) { throw checker.problem("a step must not be 0") }
    let shape = ranges(x.shape).map(\.count)
    if let axis = shape.firstIndex(of: 0) { throw checker.problem("nothing is left along axis \(axis) of \(x)") }
    return [.tensor(x.with(shape: shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let maps = zip(ranges(x.shape), rowMajorStrides(x.shape)).map { range, stride -> AxisMap in
      (0..<range.count).map { (range.start + $0 * range.step) * stride }
    }
    return [.tensor(x.gathered(maps))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let ranges = ranges(x.shape)
    builder.loops(over: result.shape) { builder, index in
      let source = zip(ranges, index).map { range, place in place * range.step + .constant(range.start) }
      builder.store(result.buffer, result.offset(index), x.load(source))
    }
  }
}
