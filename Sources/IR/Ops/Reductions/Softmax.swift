import RealModule

/// e^x / sum e^x along an axis; the maximum is subtracted first, so that nothing overflows.
public struct Softmax: ExponentialShares {
  public static let mnemonic = "softmax"

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
        let exponential = T.exp(values[base + offset] - greatest)
        values[base + offset] = exponential
        sum += exponential
      }
      for offset in split.inner { values[base + offset] /= sum }
    }
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: values))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let type = x.computingType
    overRows(&builder, x) { builder, split, outer, greatest in
      // Exponentials are computed twice rather than read back: the result is only written, never read.
      func exponential(_ builder: inout LoopBuilder, _ index: [LoopIndex]) -> LoopValue {
        let shifted = builder.let("shifted", type, x.loadComputing(index) - greatest)
        return LoopMath.exp(&builder, shifted, type)
      }
      let sum = builder.register("sum", type, .constant(0, type))
      builder.loops(over: split.innerShape) { builder, inner in
        let term = exponential(&builder, split.index(outer: outer, inner: inner))
        builder.assign(sum, .variable(sum) + term)
      }
      builder.loops(over: split.innerShape) { builder, inner in
        let index = split.index(outer: outer, inner: inner)
        let value = exponential(&builder, index)
        builder.storeComputed(result, index, value / .variable(sum))
      }
    }
  }
}
