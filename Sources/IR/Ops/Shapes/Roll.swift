import RealModule

/// Elements moved `shifts` places towards the end of `axes`, and those pushed out come in at the front, as in
/// `torch.roll`: result[i] = x[(i - shift) mod n].
public struct Roll: Op {
  public static let mnemonic = "roll"

  public var shifts: [Int]
  public var axes: [Int]

  public init(shifts: [Int], axes: [Int]) {
    self.shifts = shifts
    self.axes = axes
  }

  public init(_ reader: inout AttributeReader) throws {
    self.shifts = try reader.integers("shifts")
    self.axes = try reader.integers("axes")
  }

  public var attributes: [Attribute] { [Attribute("shifts", .integers(shifts)), Attribute("axes", .integers(axes))] }

  public var mapsZeroToZero: Bool { true }

  /// For every axis, the position that comes to the front: 0 if nothing moves.
  private func fronts(_ shape: [Int]) -> [Int] {
    var fronts = [Int](repeating: 0, count: shape.count)
    for (shift, axis) in zip(shifts, axes) {
      let axis = resolvedAxis(axis, rank: shape.count)
      let remainder = shift % shape[axis]
      fronts[axis] = (shape[axis] - remainder) % shape[axis]
    }
    return fronts
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    if shifts.count != axes.count { throw checker.problem("shifts and axes must be equally many") }
    _ = try checker.axes(axes, rank: x.rank)
    return [.tensor(x)]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    var maps: [AxisMap] = zip(x.shape, rowMajorStrides(x.shape)).map { extent, stride in
      (0..<extent).map { $0 * stride }
    }
    for (shift, axis) in zip(shifts, axes) {
      let axis = resolvedAxis(axis, rank: x.shape.count)
      let extent = x.shape[axis]
      let unrolled = maps[axis]
      maps[axis] = unrolled.indices.map { place in
        let from = (place - shift % extent) % extent
        return unrolled[from < 0 ? from + extent : from]
      }
    }
    return [.tensor(x.gathered(maps))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let fronts = fronts(x.shape)
    builder.loops(over: result.shape) { builder, index in
      let source = index.indices.map { axis in
        fronts[axis] == 0 ? index[axis] : (index[axis] + .constant(fronts[axis])) % x.shape[axis]
      }
      builder.store(result.buffer, result.offset(index), x.load(source))
    }
  }
}
