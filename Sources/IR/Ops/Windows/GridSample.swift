import RealModule

/// A tensor read between its elements, at the points that a grid gives: operands x [N, C, D1, .., Dk] of one to three
/// spatial axes and grid [N, G1, .., Gk, k]; the result is [N, C, G1, .., Gk]. A point's coordinates come last axis
/// first, -1 and 1 being the borders of x.
///
/// As ONNX's GridSample: the cubic kernel is that of R. Keys ("Cubic convolution interpolation for digital image
/// processing", 1981) with a = -3/4, and the nearest of two is the even one. A point more than 2^22 elements away
/// counts as that far away, and NaN counts as that far before x.
public struct GridSample: Op {
  public static let mnemonic = "grid_sample"

  public enum Mode: String, CaseIterable, Hashable, Sendable {
    case nearest
    case linear
    case cubic
  }

  /// What lies outside x.
  public enum Padding: String, CaseIterable, Hashable, Sendable {
    case zeros
    /// The border's own elements.
    case border
    /// x mirrored, again and again.
    case reflection
  }

  public var mode: Mode
  public var padding: Padding
  /// Whether -1 and 1 are the middles of the outermost elements, not their outer edges.
  public var alignCorners: Bool

  public init(mode: Mode, padding: Padding = .zeros, alignCorners: Bool = false) {
    self.mode = mode
    self.padding = padding
    self.alignCorners = alignCorners
  }

  public init(_ reader: inout AttributeReader) throws {
    self.mode = try reader.choice("mode")
    self.padding = try reader.choice("padding")
    self.alignCorners = try reader.bool("align_corners")
  }

  public var attributes: [Attribute] {
    [
      Attribute("mode", .string(mode.rawValue)), Attribute("padding", .string(padding.rawValue)),
      Attribute("align_corners", .bool(alignCorners)),
    ]
  }

  public var mapsZeroToZero: Bool { true }

  private static let cubicFactor = -0.75
  private static let farthest = 0x1p22

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "grid"])
    let x = try checker.real(0)
    let grid = try checker.real(1)
    try checker.sameElement(1, as: x)
    let axes = x.rank - 2
    guard (1...3).contains(axes) else { throw checker.failure(0, mustBe: "of rank 3 to 5: one to three spatial axes") }
    guard grid.rank == x.rank, grid.shape[0] == x.shape[0], grid.shape.last == axes else {
      throw checker.failure(1, mustBe: "[\(x.shape[0]), a size for each of \(axes) axes, \(axes)]")
    }
    let shape = Array(x.shape[..<2] + grid.shape[1...axes])
    try checker.checkShape(shape)
    var type = x.with(shape: shape)
    type.layout = .rowMajor
    return [.tensor(type)]
  }

  // MARK: Reference

  /// The elements along one axis that a coordinate reads, and their weights.
  private func taps<T: Real & BinaryFloatingPoint>(_ coordinate: T, extent: Int) -> [(place: Int, weight: T)] {
    let length = T(extent)
    var point = alignCorners ? (coordinate + 1) / 2 * (length - 1) : ((coordinate + 1) * length - 1) / 2
    let farthest = T(Self.farthest)
    point = point > -farthest ? min(point, farthest) : -farthest
    if mode == .nearest { point.round(.toNearestOrEven) }
    switch padding {
    case .zeros: break
    // A cubic kernel reaches further, so each of its taps is kept inside.
    case .border: if mode != .cubic { point = min(max(point, 0), length - 1) }
    case .reflection: point = reflected(point, extent: extent)
    }
    let first: T
    let weights: [T]
    switch mode {
    case .nearest: (first, weights) = (point, [1])
    case .linear:
      first = point.rounded(.down)
      weights = [1 - (point - first), point - first]
    case .cubic:
      first = point.rounded(.down) - 1
      weights = (0..<4).map { cubicWeight(abs(point - first - T($0))) }
    }
    return weights.enumerated().map { tap, weight in
      let place = first + T(tap)
      switch padding {
      case .zeros: return place >= 0 && place < length ? (Int(place), weight) : (0, 0)
      case .border: return (Int(min(max(place, 0), length - 1)), weight)
      case .reflection: return (Int(min(max(reflected(place, extent: extent), 0), length - 1)), weight)
      }
    }
  }

  /// Keys' kernel at a distance from 0 to 2.
  private func cubicWeight<T: Real & BinaryFloatingPoint>(_ distance: T) -> T {
    let a = T(Self.cubicFactor)
    if distance <= 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
  }

  private func reflected<T: Real & BinaryFloatingPoint>(_ point: T, extent: Int) -> T {
    let low: T = alignCorners ? 0 : T(-0.5)
    let span = alignCorners ? T(extent - 1) : T(extent)
    if span == 0 { return 0 }
    if point >= low && point <= low + span { return point }
    let distance = abs(point - low)
    let times = (distance / span).rounded(.down)
    let rest = distance - times * span
    return times.truncatingRemainder(dividingBy: 2) == 0 ? low + rest : low + span - rest
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let grid = operands[1].tensor
    let values = x.real
    let coordinates = grid.real
    let axes = x.shape.count - 2
    let extents = Array(x.shape[2...])
    let strides = rowMajorStrides(extents)
    let plane = extents.reduce(1, *)
    let points = grid.shape[1...axes].reduce(1, *)
    let (images, channels) = (x.shape[0], x.shape[1])
    var result = [T](repeating: 0, count: images * channels * points)
    for image in 0..<images {
      for point in 0..<points {
        let base = (image * points + point) * axes
        var reads: [(place: Int, weight: T)] = [(0, 1)]
        for axis in 0..<axes {
          let taps = taps(coordinates[base + axes - 1 - axis], extent: extents[axis])
          reads = reads.flatMap { read in
            taps.map { (read.place + $0.place * strides[axis], read.weight * $0.weight) }
          }
        }
        for channel in 0..<channels {
          let start = (image * channels + channel) * plane
          var sum: T = 0
          for read in reads where read.weight != 0 { sum += read.weight * values[start + read.place] }
          result[(image * channels + channel) * points + point] = sum
        }
      }
    }
    return [
      .tensor(Tensor(element: x.element, shape: Array(x.shape[..<2] + grid.shape[1...axes]), real: result))
    ]
  }

  // MARK: Loops

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    guard operands[0].computingType == .f32 else { throw Diagnostic("grid_sample has no loops for f64") }
    let x = operands[0]
    let grid = operands[1]
    let result = results[0]
    let axes = x.shape.count - 2
    builder.loops(over: [x.shape[0]] + result.shape[2...]) { builder, index in
      let taps = (0..<axes).map { axis in
        let coordinate = grid.loadComputing(index + [.constant(axes - 1 - axis)])
        return buildTaps(&builder, coordinate, extent: x.shape[axis + 2])
      }
      // Every way to take one tap along each axis.
      let reads = taps.reduce([(place: [LoopIndex](), weights: [LoopValue]())]) { reads, axis in
        reads.flatMap { read in axis.map { (read.place + [$0.place], read.weights + [$0.weight]) } }
      }
      let weights = reads.map { read in
        builder.let("weight", .f32, read.weights.dropFirst().reduce(read.weights[0], *))
      }
      builder.loop("c", 0, .constant(x.shape[1])) { builder, channel in
        let sum = builder.register("sum", .f32, .f32(0))
        for (read, weight) in zip(reads, weights) {
          builder.assign(sum, .fma(weight, x.loadComputing([index[0], channel] + read.place), .variable(sum)))
        }
        builder.storeComputed(result, [index[0], channel] + index[1...], .variable(sum))
      }
    }
  }

  private func buildTaps(
    _ builder: inout LoopBuilder, _ coordinate: LoopValue, extent: Int
  ) -> [(place: LoopIndex, weight: LoopValue)] {
    let length = Double(extent)
    let last = LoopValue.f32(length - 1)
    let shifted = builder.let("shifted", .f32, coordinate + .f32(1))
    var point = builder.let(
      "point", .f32,
      alignCorners ? shifted * .f32(0.5) * last : (shifted * .f32(length) - .f32(1)) * .f32(0.5))
    let farthest = Self.farthest
    point = builder.let("point", .f32, .minimum(.maximum(point, .f32(-farthest)), .f32(farthest)))
    if mode == .nearest { point = builder.let("point", .f32, .unary(.round, point)) }
    switch padding {
    case .zeros: break
    case .border:
      if mode != .cubic { point = builder.let("point", .f32, .minimum(.maximum(point, .f32(0)), last)) }
    case .reflection: point = buildReflected(&builder, point, extent: extent)
    }
    let first: LoopValue
    let weights: [LoopValue]
    switch mode {
    case .nearest: (first, weights) = (point, [.f32(1)])
    case .linear:
      first = builder.let("first", .f32, .unary(.floor, point))
      let rest = builder.let("rest", .f32, point - first)
      weights = [.f32(1) - rest, rest]
    case .cubic:
      let whole = builder.let("whole", .f32, .unary(.floor, point))
      let rest = builder.let("rest", .f32, point - whole)
      let other = builder.let("other", .f32, .f32(1) - rest)
      first = builder.let("first", .f32, whole - .f32(1))
      weights = [outer(rest + .f32(1)), inner(rest), inner(other), outer(other + .f32(1))].map {
        builder.let("kernel", .f32, $0)
      }
    }
    return weights.enumerated().map { tap, weight in
      var place = builder.let("place", .f32, first + .f32(Double(tap)))
      var weight = weight
      switch padding {
      case .zeros:
        let isInside = LoopValue.binary(
          .and, .compare(.greaterOrEqual, place, .f32(0)), .compare(.lessOrEqual, place, last))
        weight = builder.let("inside", .f32, .select(isInside, weight, .f32(0)))
      case .border: break
      case .reflection: if mode != .nearest { place = buildReflected(&builder, place, extent: extent) }
      }
      let clamped = LoopValue.minimum(.maximum(place, .f32(0)), last)
      let whole = LoopValue.convert(clamped, .i32, saturating: false)
      // The second clamp changes nothing: it proves that the index is inside.
      let index = LoopValue.minimum(
        .maximum(whole, .constant(0, .i32)), .constant(Double(extent - 1), .i32))
      return (builder.letIndex("place", range: 0...(extent - 1), index), weight)
    }
  }

  /// Keys' kernel within a distance of 1, and from 1 to 2.
  private func inner(_ distance: LoopValue) -> LoopValue {
    let a = Self.cubicFactor
    return .fma(.f32(a + 2) * distance - .f32(a + 3), distance * distance, .f32(1))
  }

  private func outer(_ distance: LoopValue) -> LoopValue {
    let a = Self.cubicFactor
    return .fma(.fma(.fma(.f32(a), distance, .f32(-5 * a)), distance, .f32(8 * a)), distance, .f32(-4 * a))
  }

  private func buildReflected(_ builder: inout LoopBuilder, _ point: LoopValue, extent: Int) -> LoopValue {
    let low = alignCorners ? 0 : -0.5
    let span = Double(alignCorners ? extent - 1 : extent)
    if span == 0 { return .f32(0) }
    let distance = builder.let("distance", .f32, .unary(.absolute, point - .f32(low)))
    let times = builder.let("times", .f32, .unary(.floor, distance / .f32(span)))
    let rest = builder.let("rest", .f32, distance - times * .f32(span))
    let half = builder.let("half", .f32, times * .f32(0.5))
    let isEven = LoopValue.compare(.equal, .unary(.floor, half), half)
    return builder.let("point", .f32, .select(isEven, .f32(low) + rest, .f32(low + span) - rest))
  }
}
