import RealModule

/// Axes in another order: axis i of the result is axis `permutation[i]` of the operand.
public struct Transpose: Op {
  public static let mnemonic = "transpose"

  public var permutation: [Int]

  public init(permutation: [Int]) {
    self.permutation = permutation
  }

  public init(_ reader: inout AttributeReader) throws {
    self.permutation = try reader.integers("permutation")
  }

  public var attributes: [Attribute] { [Attribute("permutation", .integers(permutation))] }

  public var mapsZeroToZero: Bool { true }

  /// The result is row-major: another axis takes the channels' place.
  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    if permutation.sorted() != Array(0..<x.rank) {
      throw checker.problem("[\(checker.list(permutation))] is not a permutation of the axes 0 to \(x.rank - 1)")
    }
    var type = x.with(shape: permutation.map { x.shape[$0] })
    type.layout = .rowMajor
    return [.tensor(type)]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let strides = rowMajorStrides(x.shape)
    let maps = permutation.map { axis -> AxisMap in (0..<x.shape[axis]).map { $0 * strides[axis] } }
    return [.tensor(x.gathered(maps))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    builder.loops(over: result.shape) { builder, index in
      var source = index
      for (place, axis) in permutation.enumerated() { source[axis] = index[place] }
      builder.store(result.buffer, result.offset(index), x.load(source))
    }
  }
}
