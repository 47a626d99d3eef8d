import RealModule

/// The same elements in row-major order under another shape; one extent may be -1 and is then inferred.
public struct Reshape: Op {
  public static let mnemonic = "reshape"

  public var shape: [Int]

  public init(shape: [Int]) {
    self.shape = shape
  }

  public init(_ reader: inout AttributeReader) throws {
    self.shape = try reader.integers("shape")
  }

  public var attributes: [Attribute] { [Attribute("shape", .integers(shape))] }

  public var mapsZeroToZero: Bool { true }

  /// The result is row-major: reshaping does not keep pixels together.
  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    let shape = resolvedShape(x.count)
    try checker.checkShape(shape)
    if shape.reduce(1, *) != x.count {
      throw checker.problem("\(x) has \(x.count) elements; the shape [\(checker.list(self.shape))] has another number")
    }
    var type = x.with(shape: shape)
    type.layout = .rowMajor
    return [.tensor(type)]
  }

  /// The shape with a -1 replaced; one that does not fit is left for typing to refuse.
  private func resolvedShape(_ count: Int) -> [Int] {
    guard let free = shape.firstIndex(of: -1) else { return shape }
    var known = 1
    for (axis, extent) in shape.enumerated() where axis != free {
      let (product, overflow) = known.multipliedReportingOverflow(by: extent)
      if overflow || extent <= 0 { return shape }
      known = product
    }
    if count % known != 0 { return shape }
    var resolved = shape
    resolved[free] = count / known
    return resolved
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    return [.tensor(x.reshaped(resolvedShape(x.count)))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    builder.loop("i", 0, .constant(x.type.count)) { builder, index in
      builder.store(result.buffer, result.base + index, .load(x.buffer, x.base + index, x.loopType))
    }
  }
}
