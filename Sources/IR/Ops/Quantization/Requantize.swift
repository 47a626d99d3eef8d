import RealModule

/// Sums of a product as integers of 8 or 16 bits: operands sums (i32) and multipliers (f32), one or one along `axis`.
///
/// A sum in float32 times its multiplier, rounded to the nearest with ties to even, plus the zero point, clamped: one
/// conversion, one product, one rounding, so that every machine gives the same integer. The multiplier is
/// scale of x * scale of w / scale of the result.
public struct Requantize: Op {
  public static let mnemonic = "requantize"

  /// i8, u8, i16 or u16.
  public var element: ElementType
  public var quantization: Quantization
  public var axis: Int
  /// The results' least and greatest integer: those of the type, or what an activation leaves.
  public var bounds: ClosedRange<Int>

  public init(to element: ElementType, _ quantization: Quantization, axis: Int, bounds: ClosedRange<Int>) {
    self.element = element
    self.quantization = quantization
    self.axis = axis
    self.bounds = bounds
  }

  public init(_ reader: inout AttributeReader) throws {
    self.element = try reader.choice("to")
    self.quantization = Quantization(
      scales: [try reader.float("scale")], zeroPoints: [try reader.integer("zero_point")])
    self.axis = try reader.integer("axis")
    let bounds = try reader.integers("bounds")
    guard bounds.count == 2, bounds[0] <= bounds[1] else {
      throw Diagnostic("\(Self.mnemonic): the bounds are \(bounds); they are the least and the greatest integer")
    }
    self.bounds = bounds[0]...bounds[1]
  }

  public var attributes: [Attribute] {
    [
      Attribute("to", .string(element.rawValue)), Attribute("scale", .float(quantization.scales[0])),
      Attribute("zero_point", .integer(zeroPoint)), Attribute("axis", .integer(axis)),
      Attribute("bounds", .integers([bounds.lowerBound, bounds.upperBound])),
    ]
  }

  private var zeroPoint: Int { quantization.zeroPoints[0] }

  /// Multipliers of zero are no multipliers, but all operands zero give the zero point.
  public var mapsZeroToZero: Bool { zeroPoint == 0 && bounds.contains(0) }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["sums", "multipliers"])
    let sums = try checker.plain(0)
    if sums.element != .i32 { throw checker.failure(0, mustBe: "a tensor of i32") }
    try checker.requireQuantizedResult(element)
    guard sums.shape.indices.contains(axis) else { throw checker.problem("axis \(axis) of \(sums)") }
    let multipliers = try checker.real(1, rank: 1)
    if multipliers.element != .f32 || multipliers.count != 1 && multipliers.count != sums.shape[axis] {
      throw checker.failure(1, mustBe: "f32[1] or f32[\(sums.shape[axis])]")
    }
    if let problem = quantization.problem(element, shape: sums.shape) { throw checker.problem(problem) }
    guard let range = element.integerRange, range.contains(bounds.lowerBound), range.contains(bounds.upperBound) else {
      throw checker.problem("the bounds \(bounds) are not integers of \(element.rawValue)")
    }
    return [.tensor(TensorType(element, sums.shape, layout: sums.layout, quantization: quantization))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let sums = operands[0].tensor
    let multipliers = operands[1].tensor.real.map { Float($0) }
    let inner = sums.shape[(axis + 1)...].reduce(1, *)
    let integers = sums.integer.enumerated().map { place, sum -> Int64 in
      let steps = (Float(sum) * multipliers[place / inner % multipliers.count]).rounded(.toNearestOrEven)
      return Quantization.integer(steps: steps, zeroPoint: zeroPoint, bounds)
    }
    return [.tensor(Tensor(element: element, shape: sums.shape, integer: integers))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let sums = operands[0]
    let multipliers = operands[1]
    let result = results[0]
    builder.loops(over: sums.shape) { builder, index in
      let sum = LoopValue.convert(sums.load(index), .f32, saturating: false)
      let factor = multipliers.load([multipliers.shape[0] == 1 ? 0 : index[axis]])
      let steps = LoopValue.unary(.round, sum * factor)
      let integer = Quantization.integer(steps: steps, .f32, zeroPoint: zeroPoint, bounds, as: element)
      builder.store(result.buffer, result.offset(index), integer)
    }
  }
}
