import RealModule

/// The place of the greatest or the least element along an axis, as i64. NaN is skipped unless it comes first.
public struct ArgReduce: Op {
  public static let mnemonic = "arg_reduce"

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    case maximum = "max"
    case minimum = "min"
  }

  public var kind: Kind
  public var axis: Int
  /// Whether the axis stays, with extent 1.
  public var keepDims: Bool
  /// Whether the last of equal elements is chosen, and not the first.
  public var selectLast: Bool

  public init(kind: Kind, axis: Int, keepDims: Bool, selectLast: Bool = false) {
    self.kind = kind
    self.axis = axis
    self.keepDims = keepDims
    self.selectLast = selectLast
  }

  public init(_ reader: inout AttributeReader) throws {
    self.kind = try reader.choice("kind")
    self.axis = try reader.integer("axis")
    self.keepDims = try reader.bool("keep_dims")
    self.selectLast = try reader.bool("select_last")
  }

  public var attributes: [Attribute] {
    [
      Attribute("kind", .string(kind.rawValue)), Attribute("axis", .integer(axis)),
      Attribute("keep_dims", .bool(keepDims)), Attribute("select_last", .bool(selectLast)),
    ]
  }

  /// If all are zero, the first is chosen.
  public var mapsZeroToZero: Bool { !selectLast }

  private func resultShape(_ shape: [Int]) -> [Int] {
    let axis = resolvedAxis(axis, rank: shape.count)
    return shape.indices.compactMap { $0 == axis ? (keepDims ? 1 : nil) : shape[$0] }
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.number(0)
    _ = try checker.axis(axis, rank: x.rank)
    return [.tensor(TensorType(.i64, resultShape(x.shape)))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let order = AxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    /// The place that `isBetter` prefers to all others; of equal ones the first or, if the last is asked for, the last.
    func place(_ count: Int, _ isBetter: (Int, Int) -> Bool) -> Int64 {
      let best = (1..<max(1, count)).reduce(0) { best, next in
        (selectLast ? !isBetter(best, next) : isBetter(next, best)) ? next : best
      }
      return Int64(best)
    }
    let result: [Int64]
    switch x.storage {
    case .real(let values):
      result = order.outer.map { base in
        place(order.inner.count) { a, b in
          let (a, b) = (values[base + order.inner[a]], values[base + order.inner[b]])
          return kind == .maximum ? a > b : a < b
        }
      }
    case .integer(let values):
      result = order.outer.map { base in
        place(order.inner.count) { a, b in
          let (a, b) = (values[base + order.inner[a]], values[base + order.inner[b]])
          return kind == .maximum ? x.element.isLess(b, a) : x.element.isLess(a, b)
        }
      }
    }
    return [.tensor(Tensor(element: .i64, shape: resultShape(x.shape), integer: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let type = x.computingType
    let places = LoopType(.i64)
    let split = LoopAxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    let compare: LoopCompare
    switch (kind, selectLast) {
    case (.maximum, false): compare = .greater
    case (.minimum, false): compare = .less
    case (.maximum, true): compare = .greaterOrEqual
    case (.minimum, true): compare = .lessOrEqual
    }
    builder.loops(over: split.outerShape) { builder, outer in
      let best = builder.register("best", type, x.loadComputing(split.index(outer: outer, inner: [0])))
      let place = builder.register("place", places, .constant(0, places))
      builder.loop("i", 1, .constant(split.innerShape[0])) { builder, inner in
        let value = builder.let("x", type, x.loadComputing(split.index(outer: outer, inner: [inner])))
        let isBetter = builder.let("better", .mask(lanes: 1), .compare(compare, value, .variable(best)))
        builder.assign(place, .select(isBetter, .index(inner, places, step: 0), .variable(place)))
        builder.assign(best, .select(isBetter, value, .variable(best)))
      }
      let target = keepDims ? split.index(outer: outer, inner: [0]) : outer
      builder.store(result.buffer, result.offset(target), .variable(place))
    }
  }
}
