import RealModule

/// A border around the operand: `before` and `after` give its width along each axis.
public struct Pad: Op {
  public static let mnemonic = "pad"

  public enum Mode: String, CaseIterable, Hashable, Sendable {
    /// The border is `value`.
    case constant
    /// The border mirrors the inside, without repeating the edge.
    case reflect
    /// The border repeats the edge.
    case edge
    /// The border repeats what lies at the other end.
    case wrap
  }

  private static let mostAxes = 6

  public var before: [Int]
  public var after: [Int]
  public var value: Double
  public var mode: Mode

  public init(before: [Int], after: [Int], value: Double = 0, mode: Mode = .constant) {
    self.before = before
    self.after = after
    self.value = value
    self.mode = mode
  }

  public init(_ reader: inout AttributeReader) throws {
    self.before = try reader.integers("before")
    self.after = try reader.integers("after")
    self.value = try reader.float("value")
    self.mode = try reader.choice("mode")
  }

  public var attributes: [Attribute] {
    [
      Attribute("before", .integers(before)), Attribute("after", .integers(after)), Attribute("value", .float(value)),
      Attribute("mode", .string(mode.rawValue)),
    ]
  }

  public var mapsZeroToZero: Bool { mode != .constant || value == 0 }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    try checker.check("before", before, count: x.rank, minimum: 0)
    try checker.check("after", after, count: x.rank, minimum: 0)
    // Each axis has loops of its own for what is before, inside and after.
    let bordered = (0..<x.rank).filter { before[$0] > 0 || after[$0] > 0 }
    if bordered.count > Self.mostAxes {
      throw checker.problem("it pads \(bordered.count) axes; at most \(Self.mostAxes) are possible at once")
    }
    if mode == .reflect {
      for axis in 0..<x.rank where max(before[axis], after[axis]) >= x.shape[axis] {
        throw checker.problem(
          "axis \(axis) of \(x) can reflect at most \(x.shape[axis] - 1) elements, "
            + "not \(max(before[axis], after[axis]))")
      }
    }
    if let range = x.element.integerRange, Int(exactly: value).map(range.contains) != true {
      throw checker.problem("the value \(value) does not fit a tensor of \(x.element.rawValue)")
    }
    let shape = (0..<x.rank).map { before[$0] + x.shape[$0] + after[$0] }
    try checker.checkShape(shape)
    return [.tensor(x.with(shape: shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let strides = rowMajorStrides(x.shape)
    let maps = x.shape.indices.map { axis -> AxisMap in
      let last = x.shape[axis] - 1
      return (-before[axis]...(last + after[axis])).map { place -> Int? in
        switch mode {
        case .constant: (0...last).contains(place) ? place * strides[axis] : nil
        case .reflect: (place < 0 ? -place : place > last ? 2 * last - place : place) * strides[axis]
        case .edge: min(max(place, 0), last) * strides[axis]
        case .wrap: (place - floorDivide(place, last + 1) * (last + 1)) * strides[axis]
        }
      }
    }
    return [.tensor(x.gathered(maps, fill: value))]
  }

  /// Loops over the regions an axis falls into (before, inside, after) for every axis: no index needs a test.
  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    /// `source` holds the operand's index; nil if any axis is in a constant border.
    func nest(_ builder: inout LoopBuilder, _ target: [LoopIndex], _ source: [LoopIndex]?) {
      let axis = target.count
      if axis == x.shape.count {
        let element = source.map(x.load) ?? .constant(value, x.loopType)
        builder.store(result.buffer, result.offset(target), element)
        return
      }
      let inside = before[axis]
      let behind = inside + x.shape[axis]
      let last = x.shape[axis] - 1
      func region(_ from: Int, _ to: Int, _ position: (LoopIndex) -> LoopIndex?) {
        builder.loop("i\(axis)", .constant(from), .constant(to)) { builder, index in
          let place = position(index)
          nest(&builder, target + [index], place.flatMap { place in source.map { $0 + [place] } })
        }
      }
      region(0, inside) { index in
        switch mode {
        case .constant: nil
        case .reflect: .constant(inside) - index
        case .edge: 0
        case .wrap: (index - .constant(inside)) % x.shape[axis]
        }
      }
      region(inside, behind) { $0 - .constant(inside) }
      region(behind, behind + after[axis]) { index in
        switch mode {
        case .constant: nil
        case .reflect: .constant(2 * last + inside) - index
        case .edge: .constant(last)
        case .wrap: (index - .constant(inside)) % x.shape[axis]
        }
      }
    }
    nest(&builder, [], [])
  }
}
