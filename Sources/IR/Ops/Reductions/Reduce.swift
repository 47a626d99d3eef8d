import RealModule

/// All elements along some axes folded into one, of the same type. Integers wrap around, and their mean is rounded
/// towards zero; of bools there are a maximum and a minimum. If an element is NaN, so is the result.
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
    case sumOfSquares = "sum_square"
    /// The logarithm of the sum.
    case logSum = "log_sum"
    /// The logarithm of the sum of exponentials; the maximum is subtracted first, so that nothing overflows.
    case logSumExp = "log_sum_exp"

    /// Whether the result is one of the elements, so that it stands for what they stand for.
    var choosesElement: Bool {
      switch self {
      case .maximum, .minimum: true
      case .sum, .mean, .l1, .l2, .product, .sumOfSquares, .logSum, .logSumExp: false
      }
    }

    /// Whether it is defined on elements of a type.
    public func isDefined(on element: ElementType) -> Bool {
      switch self {
      case .maximum, .minimum: true
      case .sum, .mean, .l1, .product, .sumOfSquares: element != .bool
      case .l2, .logSum, .logSumExp: element.isFloat
      }
    }
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

  public var mapsZeroToZero: Bool {
    switch kind {
    case .sum, .mean, .maximum, .minimum, .l1, .l2, .product, .sumOfSquares: true
    case .logSum, .logSumExp: false
    }
  }

  private func reducedAxes(rank: Int) -> Set<Int> { Set(axes.map { resolvedAxis($0, rank: rank) }) }

  private func resultShape(_ shape: [Int]) -> [Int] {
    let reduced = reducedAxes(rank: shape.count)
    return shape.indices.compactMap { axis in
      reduced.contains(axis) ? (keepDims ? 1 : nil) : shape[axis]
    }
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = kind.choosesElement ? try checker.tensor(0) : try checker.plain(0)
    if !kind.isDefined(on: x.element) {
      let numbers = kind.isDefined(on: .i32)
      throw checker.failure(0, mustBe: "a tensor of \(numbers ? "numbers" : "floats"): kind \(kind.rawValue)")
    }
    if axes.isEmpty { throw checker.problem("it needs at least one axis") }
    _ = try checker.axes(axes, rank: x.rank)
    return [.tensor(x.with(shape: resultShape(x.shape)))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let order = AxisSplit(shape: x.shape, inner: reducedAxes(rank: x.shape.count))
    let shape = resultShape(x.shape)
    switch x.storage {
    case .real(let values):
      let result = order.outer.map { base in folded(order.inner.map { values[base + $0] }) }
      return [.tensor(Tensor(element: x.element, shape: shape, real: result))]
    case .integer(let values):
      let result = order.outer.map { base in folded(order.inner.map { values[base + $0] }, x.element) }
      return [.tensor(Tensor(element: x.element, shape: shape, integer: result))]
    }
  }

  private func folded<T: Real & BinaryFloatingPoint>(_ group: [T]) -> T {
    switch kind {
    case .sum: return group.reduce(0, +)
    case .mean: return group.reduce(0, +) / T(group.count)
    case .maximum: return group.reduce(group[0]) { $1 > $0 || $1.isNaN ? $1 : $0 }
    case .minimum: return group.reduce(group[0]) { $1 < $0 || $1.isNaN ? $1 : $0 }
    case .l1: return group.reduce(0) { $0 + abs($1) }
    case .l2: return group.reduce(0) { $0 + $1 * $1 }.squareRoot()
    case .product: return group.reduce(1, *)
    case .sumOfSquares: return group.reduce(0) { $0 + $1 * $1 }
    case .logSum: return T.log(group.reduce(0, +))
    case .logSumExp:
      let greatest = group.reduce(group[0]) { $1 > $0 ? $1 : $0 }
      return greatest + T.log(group.reduce(0) { $0 + T.exp($1 - greatest) })
    }
  }

  private func folded(_ group: [Int64], _ element: ElementType) -> Int64 {
    switch kind {
    case .sum: return element.wrapped(group.reduce(0, &+))
    case .mean:
      let sum = element.wrapped(group.reduce(0, &+))
      if element == .u64 { return Int64(bitPattern: UInt64(bitPattern: sum) / UInt64(group.count)) }
      return sum / Int64(group.count)
    case .maximum: return group.reduce(group[0]) { element.isLess($0, $1) ? $1 : $0 }
    case .minimum: return group.reduce(group[0]) { element.isLess($1, $0) ? $1 : $0 }
    case .l1:
      return element.wrapped(group.reduce(0) { $0 &+ (element != .u64 && $1 < 0 ? 0 &- $1 : $1) })
    case .product: return element.wrapped(group.reduce(1, &*))
    case .sumOfSquares: return element.wrapped(group.reduce(0) { $0 &+ $1 &* $1 })
    case .l2, .logSum, .logSumExp: preconditionFailure("typing wants floats")
    }
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let type = x.computingType
    let isReal = x.type.element.isFloat
    let split = LoopAxisSplit(shape: x.shape, inner: reducedAxes(rank: x.shape.count))
    let count = split.innerShape.reduce(1, *)
    let first = split.innerShape.map { _ in LoopIndex.constant(0) }
    builder.loops(over: split.outerShape) { builder, kept in
      func element(_ index: [LoopIndex]) -> LoopValue { x.loadComputing(split.index(outer: kept, inner: index)) }
      // The maximum that exponentials are relative to.
      var greatest = LoopValue.constant(0, type)
      if kind == .logSumExp {
        let best = builder.register("best", type, element(first))
        builder.loops(over: split.innerShape) { builder, index in
          builder.assign(best, .maximum(element(index), .variable(best)))
        }
        greatest = .variable(best)
      }
      let start: LoopValue
      switch kind {
      case .sum, .mean, .l1, .l2, .sumOfSquares, .logSum, .logSumExp: start = .constant(0, type)
      case .product: start = .constant(1, type)
      // Both take their first element twice, which changes nothing.
      case .maximum, .minimum: start = element(first)
      }
      let register = builder.register("fold", type, start)
      let fold = LoopValue.variable(register)
      builder.loops(over: split.innerShape) { builder, index in
        let value = builder.let("x", type, element(index))
        let next: LoopValue
        switch kind {
        case .sum, .mean, .logSum: next = fold + value
        case .maximum: next = isReal ? .maximumOrNaN(value, fold) : .maximum(value, fold)
        case .minimum: next = isReal ? .minimumOrNaN(value, fold) : .minimum(value, fold)
        case .l1: next = fold + .unary(.absolute, value)
        case .l2, .sumOfSquares: next = isReal ? .fma(value, value, fold) : fold + value * value
        case .product: next = fold * value
        case .logSumExp:
          let shifted = builder.let("shifted", type, value - greatest)
          next = fold + LoopMath.exp(&builder, shifted, type)
        }
        builder.assign(register, next)
      }
      let value: LoopValue
      switch kind {
      case .mean: value = fold / .constant(Double(count), type)
      case .l2: value = .unary(.squareRoot, fold)
      case .sum, .maximum, .minimum, .l1, .product, .sumOfSquares: value = fold
      case .logSum: value = LoopMath.log(&builder, fold, type)
      case .logSumExp: value = greatest + LoopMath.log(&builder, fold, type)
      }
      let target = keepDims ? split.index(outer: kept, inner: first) : kept
      builder.storeComputed(result, target, value)
    }
  }
}
