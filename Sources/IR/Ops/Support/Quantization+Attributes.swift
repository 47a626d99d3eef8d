// What the ops of quantised tensors share: their attributes, and which scale an element has.

extension Quantization {
  /// Reads `scales`, `zero_points` and, where there is one, `axis`.
  init(_ reader: inout AttributeReader) throws {
    self.init(
      scales: try reader.floats("scales"), zeroPoints: try reader.integers("zero_points"),
      axis: try reader.has("axis") ? reader.integer("axis") : nil)
  }

  var attributes: [Attribute] {
    [Attribute("scales", .floats(scales)), Attribute("zero_points", .integers(zeroPoints))]
      + (axis.map { [Attribute("axis", .integer($0))] } ?? [])
  }

  /// What is wrong with it for integers of a type in a tensor of a shape; nil where nothing is.
  func problem(_ element: ElementType, shape: [Int]) -> String? {
    if scales.count != zeroPoints.count { return "\(scales.count) scales and \(zeroPoints.count) zero points" }
    if let axis {
      guard shape.indices.contains(axis) else { return "scales along axis \(axis) of \(shape.count)" }
      if scales.count != shape[axis] { return "\(scales.count) scales along an axis of \(shape[axis])" }
    } else if scales.count != 1 {
      return "\(scales.count) scales without an axis"
    }
    if let scale = scales.first(where: { !(Float($0) > 0) || Float($0).isInfinite }) {
      return "the scale \(scale); it must be a positive number of float32"
    }
    guard let range = element.integerRange else { return "a quantised tensor of \(element.rawValue)" }
    if let zero = zeroPoints.first(where: { !range.contains($0) }) {
      return "the zero point \(zero), which \(element.rawValue) does not hold"
    }
    return nil
  }

  /// The integer that so many steps of a scale from zero are, within `bounds`: the least one for NaN.
  @inline(__always)
  static func integer(steps: Float, zeroPoint: Int, _ bounds: ClosedRange<Int>) -> Int64 {
    if steps >= Float(bounds.upperBound - zeroPoint) { return Int64(bounds.upperBound) }
    if steps >= Float(bounds.lowerBound - zeroPoint) { return Int64(steps) + Int64(zeroPoint) }
    return Int64(bounds.lowerBound)
  }

  /// The same in loops, of whole steps in the float type `type`.
  static func integer(
    steps: LoopValue, _ type: LoopType, zeroPoint: Int, _ bounds: ClosedRange<Int>, as element: ElementType
  ) -> LoopValue {
    // `max` gives its second operand where the first is NaN.
    let least = LoopValue.maximum(steps, .literal(Double(bounds.lowerBound - zeroPoint), type))
    let clamped = LoopValue.minimum(least, .literal(Double(bounds.upperBound - zeroPoint), type))
    return .convert(clamped + .literal(Double(zeroPoint), type), LoopType(element), saturating: false)
  }

  /// Which scale an element of a row-major tensor has.
  struct Places {
    /// Elements after the axis of the scales, and the extent of that axis.
    var inner: Int
    var extent: Int

    @inline(__always)
    func entry(of place: Int) -> Int { place / inner % extent }
  }

  func places(in shape: [Int]) -> Places {
    guard let axis else { return Places(inner: 1, extent: 1) }
    return Places(inner: shape[(axis + 1)...].reduce(1, *), extent: shape[axis])
  }

  /// Loops over every index of `shape`, with the scale and the zero point there: a nest a scale, where they differ.
  func buildLoops(
    _ builder: inout LoopBuilder, over shape: [Int],
    _ body: (inout LoopBuilder, _ index: [LoopIndex], _ scale: Double, _ zeroPoint: Int) -> Void
  ) {
    guard let axis else {
      return builder.loops(over: shape) { body(&$0, $1, scales[0], zeroPoints[0]) }
    }
    var slab = shape
    slab[axis] = 1
    for entry in scales.indices {
      builder.loops(over: slab) { builder, index in
        var place = index
        place[axis] = .constant(entry)
        body(&builder, place, scales[entry], zeroPoints[entry])
      }
    }
  }
}

extension OperandChecker {
  /// Refuses a type that results are not quantised to.
  func requireQuantizedResult(_ element: ElementType) throws {
    switch element {
    case .i8, .u8, .i16, .u16: return
    case .f32, .f64, .f16, .bf16, .i32, .u32, .i64, .u64, .bool:
      throw problem("to \(element.rawValue); i8, u8, i16 and u16 are possible")
    }
  }
}
