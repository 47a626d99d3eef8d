import RealModule

/// Its operands one after another along an axis.
public struct Concat: AxisOp {
  public static let mnemonic = "concat"

  public var axis: Int

  public init(axis: Int) {
    self.axis = axis
  }

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, variadic: operands, name: "part")
    let first = try checker.tensor(0)
    let axis = try checker.axis(axis, rank: first.rank)
    var shape = first.shape
    for index in operands.indices.dropFirst() {
      let part = try checker.tensor(index, rank: first.rank)
      try checker.sameElement(index, as: first)
      if part.quantization != first.quantization { throw checker.failure(index, mustBe: "quantised like operand 0") }
      for other in shape.indices where other != axis && part.shape[other] != shape[other] {
        throw checker.failure(index, mustBe: "of extent \(shape[other]) along axis \(other), like operand 0")
      }
      let (sum, overflow) = shape[axis].addingReportingOverflow(part.shape[axis])
      if overflow { throw checker.problem("the extents along axis \(axis) add up to too much") }
      shape[axis] = sum
    }
    try checker.checkShape(shape)
    return [.tensor(first.with(shape: shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let parts = operands.map(\.tensor)
    let first = parts[0]
    let axis = resolvedAxis(axis, rank: first.shape.count)
    var shape = first.shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    let blocks = parts.map { $0.shape[axis...].reduce(1, *) }
    switch first.storage {
    case .real:
      let joined = join(parts.map(\.real), blocks: blocks)
      return [.tensor(Tensor(element: first.element, shape: shape, real: joined))]
    case .integer:
      let joined = join(parts.map(\.integer), blocks: blocks)
      return [.tensor(Tensor(element: first.element, shape: shape, integer: joined))]
    }
  }

  /// Takes a block of each part in turn until all are used up.
  private func join<Element>(_ parts: [[Element]], blocks: [Int]) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(parts.reduce(0) { $0 + $1.count })
    for round in 0..<(parts[0].count / blocks[0]) {
      for (part, block) in zip(parts, blocks) {
        result.append(contentsOf: part[(round * block)..<((round + 1) * block)])
      }
    }
    return result
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let result = results[0]
    let axis = resolvedAxis(axis, rank: result.shape.count)
    var start = 0
    for operand in operands {
      builder.loops(over: operand.shape) { builder, index in
        var target = index
        target[axis] = index[axis] + .constant(start)
        builder.store(result.buffer, result.offset(target), operand.load(index))
      }
      start += operand.shape[axis]
    }
  }
}
