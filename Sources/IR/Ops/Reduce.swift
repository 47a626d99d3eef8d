import RealModule

/// All elements along some axes folded into one.
public struct Reduce: Op {
  public static let mnemonic = "reduce"

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    case sum
    case mean
    case maximum = "max"
    case minimum = "min"
    /// The sum of absolute values.
    case l1
    /// The square root of the sum of squares.
    case l2
    case product = "prod"
  }

  public var kind: Kind
  public var axes: [Int]
  /// Whether the reduced axes stay, with extent 1.
  public var keepDims: Bool

  public init(kind: Kind, axes: [Int], keepDims: Bool) {
    self.kind = kind
    self.axes = axes
    self.keepDims = keepDims
  }

  public init(_ reader: inout AttributeReader) throws {
    self.kind = try reader.choice("kind")
    self.axes = try reader.integers("axes")
    self.keepDims = try reader.bool("keep_dims")
  }

  public var attributes: [Attribute] {
    [
      Attribute("kind", .string(kind.rawValue)), Attribute("axes", .integers(axes)),
      Attribute("keep_dims", .bool(keepDims)),
    ]
  }

  public var mapsZeroToZero: Bool { true }

  private func reducedAxes(rank: Int) -> Set<Int> { Set(axes.map { resolvedAxis($0, rank: rank) }) }

  private func resultShape(_ shape: [Int]) -> [Int] {
    let reduced = reducedAxes(rank: shape.count)
    return shape.indices.compactMap { axis in
      reduced.contains(axis) ? (keepDims ? 1 : nil) : shape[axis]
    }
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0)
    if axes.isEmpty { throw checker.problem("it needs at least one axis") }
    _ = try checker.axes(axes, rank: x.rank)
    return [.tensor(x.with(shape: resultShape(x.shape)))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let order = AxisSplit(shape: x.shape, inner: reducedAxes(rank: x.shape.count))
    let values = x.real
    let result = order.outer.map { base -> T in
      let group = order.inner.lazy.map { values[base + $0] }
      switch kind {
      case .sum: return group.reduce(0, +)
      case .mean: return group.reduce(0, +) / T(order.inner.count)
      case .maximum: return group.reduce(values[base]) { $1 > $0 ? $1 : $0 }
      case .minimum: return group.reduce(values[base]) { $1 < $0 ? $1 : $0 }
      case .l1: return group.reduce(0) { $0 + abs($1) }
      case .l2: return group.reduce(0) { $0 + $1 * $1 }.squareRoot()
      case .product: return group.reduce(1, *)
      }
    }
    return [.tensor(Tensor(element: x.element, shape: resultShape(x.shape), real: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try requireFloat32(operands + results)
    let x = operands[0]
    let result = results[0]
    let split = LoopAxisSplit(shape: x.shape, inner: reducedAxes(rank: x.shape.count))
    let count = split.innerShape.reduce(1, *)
    builder.loops(over: split.outerShape) { builder, kept in
      let start: LoopValue
      switch kind {
      case .sum, .mean, .l1, .l2: start = .f32(0)
      case .product: start = .f32(1)
      // Either takes its first element twice, which changes nothing.
      case .maximum, .minimum:
        start = x.load(split.index(outer: kept, inner: split.innerShape.map { _ in 0 }))
      }
      let register = builder.register("fold", .f32, start)
      let fold = LoopValue.variable(register)
      builder.loops(over: split.innerShape) { builder, index in
        let value = builder.let("x", .f32, x.load(split.index(outer: kept, inner: index)))
        let next: LoopValue
        switch kind {
        case .sum, .mean: next = fold + value
        case .maximum: next = .maximum(value, fold)
        case .minimum: next = .minimum(value, fold)
        case .l1: next = fold + .unary(.absolute, value)
        case .l2: next = .fma(value, value, fold)
        case .product: next = fold * value
        }
        builder.assign(register, next)
      }
      let value: LoopValue
      switch kind {
      case .mean: value = fold / .f32(Double(count))
      case .l2: value = .unary(.squareRoot, fold)
      case .sum, .maximum, .minimum, .l1, .product: value = fold
      }
      let target = keepDims ? split.index(outer: kept, inner: split.innerShape.map { _ in 0 }) : kept
      builder.store(result.buffer, result.offset(target), value)
    }
  }
}
