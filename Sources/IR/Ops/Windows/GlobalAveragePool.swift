import RealModule

/// The mean over all pixels of each channel: x [N, C, H, W] to [N, C, 1, 1].
public struct GlobalAveragePool: ParameterlessOp {
  public static let mnemonic = "global_average_pool"

  public init() {}

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let x = try OperandChecker(self, operands, ["x"]).real(0, rank: 4)
    return [.tensor(x.with(shape: [x.shape[0], x.shape[1], 1, 1]))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let pixels = x.shape[2] * x.shape[3]
    let values = x.real
    let means = stride(from: 0, to: values.count, by: pixels).map { first in
      values[first..<(first + pixels)].reduce(0, +) / T(pixels)
    }
    return [.tensor(Tensor(element: x.element, shape: [x.shape[0], x.shape[1], 1, 1], real: means))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let type = x.computingType
    let result = results[0]
    builder.loops(over: Array(x.shape[..<2])) { builder, index in
      let sum = builder.register("sum", type, .constant(0, type))
      builder.loops(over: Array(x.shape[2...])) { builder, pixel in
        builder.assign(sum, .variable(sum) + x.loadComputing(index + pixel))
      }
      let mean = LoopValue.variable(sum) / .constant(Double(x.shape[2] * x.shape[3]), type)
      builder.storeComputed(result, index + [0, 0], mean)
    }
  }
}
