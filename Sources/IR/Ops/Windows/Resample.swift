import RealModule

/// Elements read along one axis at places that advance evenly, and combined with weights, as in resizing an image.
/// Operands are x and, optionally, weights [size, taps].
///
/// result[.., o, ..] is the sum over t of weights[o, t] * x[.., clamp(floor((step * o + start) / divisor) + t), ..],
/// the place clamped to the axis; without weights it is the one element at t = 0. Everything about the places is exact:
/// no position is rounded in floating point.
public struct Resample: Op {
  public static let mnemonic = "resample"

  public var axis: Int
  /// The extent of the result along the axis.
  public var size: Int
  /// Places advance by `step` / `divisor` elements, from `start` / `divisor` on.
  public var step: Int
  public var start: Int
  public var divisor: Int

  public init(axis: Int, size: Int, step: Int, start: Int, divisor: Int) {
    self.axis = axis
    self.size = size
    self.step = step
    self.start = start
    self.divisor = divisor
  }

  public init(_ reader: inout AttributeReader) throws {
    self.axis = try reader.integer("axis")
    self.size = try reader.integer("size")
    self.step = try reader.integer("step")
    self.start = try reader.integer("start")
    self.divisor = try reader.integer("divisor")
  }

  public var attributes: [Attribute] {
    [
      Attribute("axis", .integer(axis)), Attribute("size", .integer(size)), Attribute("step", .integer(step)),
      Attribute("start", .integer(start)), Attribute("divisor", .integer(divisor)),
    ]
  }

  public var mapsZeroToZero: Bool { true }

  /// More than any axis has, and few enough that no place overflows 64 bits.
  private static let most = 1 << 24

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "weights?"])
    let x = checker.has(1) ? try checker.real(0) : try checker.tensor(0)
    let axis = try checker.axis(axis, rank: x.rank)
    try checker.check("size", [size], count: 1, minimum: 1)
    try checker.check("divisor", [divisor], count: 1, minimum: 1)
    try checker.check("step", [step], count: 1, minimum: -Self.most)
    guard (-(1 << 48)...(1 << 48)).contains(start) else {
      throw checker.problem("start is \(start); it must be from \(-(1 << 48)) to \(1 << 48)")
    }
    if checker.has(1) {
      let weights = try checker.real(1, rank: 2)
      try checker.sameElement(1, as: x)
      if weights.shape[0] != size {
        throw checker.failure(1, mustBe: "[\(size), taps]: a row for each element along the axis")
      }
    }
    var shape = x.shape
    shape[axis] = size
    try checker.checkShape(shape)
    return [.tensor(x.with(shape: shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let axis = resolvedAxis(axis, rank: x.shape.count)
    let extent = x.shape[axis]
    let strides = rowMajorStrides(x.shape)
    func maps(tap: Int) -> [AxisMap] {
      x.shape.indices.map { other in
        if other != axis { return (0..<x.shape[other]).map { $0 * strides[other] } }
        return (0..<size).map { place in
          let (quotient, remainder) = (step * place + start).quotientAndRemainder(dividingBy: divisor)
          let first = remainder < 0 ? quotient - 1 : quotient
          return min(max(first + tap, 0), extent - 1) * strides[axis]
        }
      }
    }
    guard operands.count > 1 else { return [.tensor(x.gathered(maps(tap: 0)))] }
    let weights = operands[1].tensor.real
    let taps = operands[1].tensor.shape[1]
    let inner = strides[axis]
    var shape = x.shape
    shape[axis] = size
    var sum = [T](repeating: 0, count: shape.reduce(1, *))
    for tap in 0..<taps {
      let values = x.gathered(maps(tap: tap)).real
      for place in sum.indices { sum[place] += weights[place / inner % size * taps + tap] * values[place] }
    }
    return [.tensor(Tensor(element: x.element, shape: shape, real: sum))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let axis = resolvedAxis(axis, rank: x.shape.count)
    let last = LoopIndex.constant(x.shape[axis] - 1)
    func index(_ place: [LoopIndex], tap: LoopIndex) -> [LoopIndex] {
      var source = place
      let first = (place[axis] * step + .constant(start)) / divisor
      source[axis] = .minimum(.maximum(first + tap, 0), last)
      return source
    }
    guard operands.count > 1 else {
      builder.loops(over: result.shape) { builder, place in
        builder.store(result.buffer, result.offset(place), x.load(index(place, tap: 0)))
      }
      return
    }
    let weights = operands[1]
    let taps = weights.shape[1]
    let type = x.computingType
    builder.loops(over: result.shape) { builder, place in
      let sum = builder.register("sum", type, .literal(0, type))
      builder.loop("t", 0, .constant(taps)) { builder, tap in
        let value = x.loadComputing(index(place, tap: tap))
        builder.assign(sum, .fma(weights.loadComputing([place[axis], tap]), value, .variable(sum)))
      }
      builder.storeComputed(result, place, .variable(sum))
    }
  }
}
