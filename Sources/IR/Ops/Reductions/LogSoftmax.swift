import RealModule

/// The logarithm of the softmax, x - log sum e^x, along an axis; the maximum is subtracted first, so that nothing overflows.
public struct LogSoftmax: ExponentialShares {
  public static let mnemonic = "log_softmax"

  public var axis: Int

  public init(axis: Int) {
    self.axis = axis
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
    overRows(&builder, x) { builder, split, outer, greatest in
      let sum = builder.register("sum", type, .constant(0, type))
      builder.loops(over: split.innerShape) { builder, inner in
        let value = x.loadComputing(split.index(outer: outer, inner: inner))
        let shifted = builder.let("shifted", type, value - greatest)
        let term = LoopMath.exp(&builder, shifted, type)
        builder.assign(sum, .variable(sum) + term)
      }
      let total = LoopMath.log(&builder, .variable(sum), type)
      let logarithm = builder.let("logarithm", type, total)
      builder.loops(over: split.innerShape) { builder, inner in
        let index = split.index(outer: outer, inner: inner)
        builder.storeComputed(result, index, x.loadComputing(index) - greatest - logarithm)
      }
    }
  }
}
