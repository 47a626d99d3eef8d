import RealModule

/// Matrix product over the last two axes, [..., M, K] times [..., K, N]; the axes before these broadcast. Integers wrap
/// around.
public struct MatMul: ParameterlessOp {
  public static let mnemonic = "matmul"

  public init() {}

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["a", "b"])
    let a = try checker.number(0)
    let b = try checker.number(1)
    try checker.sameElement(1, as: a)
    for (index, type) in [a, b].enumerated() where type.rank < 2 {
      throw checker.failure(index, mustBe: "of rank 2 at least")
    }
    let depth = a.shape[a.rank - 1]
    if b.shape[b.rank - 2] != depth {
      throw checker.failure(1, mustBe: "[..., \(depth), columns]: operand 0 is \(a)")
    }
    guard let batch = broadcastShape(a.shape.dropLast(2), b.shape.dropLast(2)) else {
      throw checker.failure(1, mustBe: "of leading axes that broadcast with \(a)")
    }
    let shape = batch + [a.shape[a.rank - 2], b.shape[b.rank - 1]]
    try checker.checkShape(shape)
    return [.tensor(TensorType(a.element, shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let a = operands[0].tensor
    let b = operands[1].tensor
    guard let batch = broadcastShape(a.shape.dropLast(2), b.shape.dropLast(2)) else {
      preconditionFailure("typing lets only shapes through that broadcast")
    }
    let rows = a.shape[a.shape.count - 2]
    let depth = a.shape[a.shape.count - 1]
    let columns = b.shape[b.shape.count - 1]
    let aStrides = broadcastStrides(a.shape.dropLast(2), to: batch).map { $0 * rows * depth }
    let bStrides = broadcastStrides(b.shape.dropLast(2), to: batch).map { $0 * depth * columns }
    if case .integer(let left) = a.storage {
      let right = b.integer
      var integers: [Int64] = []
      forEachIndex(batch) { index in
        let aStart = zip(index, aStrides).reduce(0) { $0 + $1.0 * $1.1 }
        let bStart = zip(index, bStrides).reduce(0) { $0 + $1.0 * $1.1 }
        for row in 0..<rows {
          for column in 0..<columns {
            let sum = (0..<depth).reduce(Int64(0)) { sum, step in
              sum &+ left[aStart + row * depth + step] &* right[bStart + step * columns + column]
            }
            integers.append(a.element.wrapped(sum))
          }
        }
      }
      return [.tensor(Tensor(element: a.element, shape: batch + [rows, columns], integer: integers))]
    }
    var result = [T](repeating: 0, count: batch.reduce(1, *) * rows * columns)
    a.real.withUnsafeBufferPointer { aBuffer in
      b.real.withUnsafeBufferPointer { bBuffer in
        result.withUnsafeMutableBufferPointer { buffer in
          guard let aBase = aBuffer.baseAddress, let bBase = bBuffer.baseAddress, var target = buffer.baseAddress
          else { return }
          forEachIndex(batch) { index in
            let aStart = zip(index, aStrides).reduce(0) { $0 + $1.0 * $1.1 }
            let bStart = zip(index, bStrides).reduce(0) { $0 + $1.0 * $1.1 }
            MatrixProduct.multiply(
              aBase + aStart, bBase + bStart, into: target, rows: rows, depth: depth, columns: columns)
            target += rows * columns
          }
        }
      }
    }
    return [.tensor(Tensor(element: a.element, shape: batch + [rows, columns], real: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let a = operands[0]
    let b = operands[1]
    let result = results[0]
    let type = result.computingType
    let depth = a.shape[a.shape.count - 1]
    builder.loops(over: result.shape) { builder, index in
      let batch = Array(index.dropLast(2))
      let row = index[index.count - 2]
      let column = index[index.count - 1]
      let sum = builder.register("sum", type, .constant(0, type))
      builder.loop("k", 0, .constant(depth)) { builder, step in
        // `loadBroadcast` would read a row or column of extent 1 at 0, which is the loop's index anyway.
        let left = a.loadComputingBroadcast(batch + [row, step])
        let right = b.loadComputingBroadcast(batch + [step, column])
        let isReal = type.element?.isFloat == true
        builder.assign(sum, isReal ? .fma(left, right, .variable(sum)) : .variable(sum) + left * right)
      }
      builder.storeComputed(result, index, .variable(sum))
    }
  }
}
