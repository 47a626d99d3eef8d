import RealModule

/// The logarithm of the softmax, x - log sum e^x, along an axis; the maximum is subtracted first, so that nothing overflows.
public struct LogSoftmax: Op {
  public static let mnemonic = "log_softmax"

  public var axis: Int

  public init(axis: Int) {
    self.axis = axis
  }

  public init(_ reader: inout AttributeReader) throws {
    self.axis = try reader.integer("axis")
  }

  public var attributes: [Attribute] { [Attribute("axis", .integer(axis))] }

  public var mapsZeroToZero: Bool { false }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0)
    _ = try checker.axis(axis, rank: x.rank)
    return [.tensor(x.with(shape: x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let split = AxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    var values = x.real
    for base in split.outer {
      let greatest = split.inner.reduce(values[base]) { values[base + $1] > $0 ? values[base + $1] : $0 }
      var sum: T = 0
      for offset in split.inner {
        values[base + offset] -= greatest
        sum += T.exp(values[base + offset])
      }
      let logarithm = T.log(sum)
      for offset in split.inner { values[base + offset] -= logarithm }
    }
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: values))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let type = x.computingType
    let split = LoopAxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    builder.loops(over: split.outerShape) { builder, outer in
      let best = builder.register("best", type, x.loadComputing(split.index(outer: outer, inner: [0])))
      builder.loops(over: split.innerShape) { builder, inner in
        builder.assign(best, .maximum(x.loadComputing(split.index(outer: outer, inner: inner)), .variable(best)))
      }
      let sum = builder.register("sum", type, .constant(0, type))
      builder.loops(over: split.innerShape) { builder, inner in
        let value = x.loadComputing(split.index(outer: outer, inner: inner))
        let shifted = builder.let("shifted", type, value - .variable(best))
        let term = LoopMath.exp(&builder, shifted, type)
        builder.assign(sum, .variable(sum) + term)
      }
      let total = LoopMath.log(&builder, .variable(sum), type)
      let logarithm = builder.let("logarithm", type, total)
      builder.loops(over: split.innerShape) { builder, inner in
        let index = split.index(outer: outer, inner: inner)
        builder.storeComputed(result, index, x.loadComputing(index) - .variable(best) - logarithm)
      }
    }
  }
}
