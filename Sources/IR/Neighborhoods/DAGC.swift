import RealModule

/// Dynamic axial graph construction (Munir, Avery, Rahman and Marculescu, GreedyViG, arXiv:2405.06849): the neighbours
/// are those pixels K, 2K, ... rows below (while less than the height) and then columns right (while less than the
/// width), wrapping, whose features are near.
///
/// Near means that the L1 distance over the channels is strictly below mean - deviation of a sample: the distance of
/// every pixel of the image to the pixel ceil(H / 2) rows down and ceil(W / 2) columns right, wrapping. The deviation
/// divides by the number of pixels minus one.
public struct DAGC: StepConstruction {
  public static let kind = "dagc"

  /// K, in pixels.
  public var step: Int

  public init(step: Int) {
    self.step = step
  }

  public func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm {
    try checkParameters()
    return .gatedOffsets(offsets(height: height, width: width))
  }

  public func gate(height: Int, width: Int) -> OffsetGate? { .nearInL1(sample: sample(height: height, width: width)) }

  public func offsets(height: Int, width: Int) -> [Offset] {
    axialOffsets(height: height, width: width)
  }

  private func sample(height: Int, width: Int) -> Offset { Offset(dy: ceilDivide(height, 2), dx: ceilDivide(width, 2)) }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    let height = x.shape[2]
    let width = x.shape[3]
    let offsets = offsets(height: height, width: width)
    var admitted = [[Bool]](repeating: [], count: offsets.count)
    for n in 0..<x.shape[0] {
      let limit = limit(x, image: n).limit
      for (place, offset) in offsets.enumerated() {
        admitted[place] += distances(x.real, image: n, shape: x.shape, offset).map { $0 < limit }
      }
    }
    return .gatedOffsets(offsets, admitted: admitted)
  }

  /// The distance below which a neighbour is near, and the mean distance of the sample.
  private func limit<T: Real & BinaryFloatingPoint & Sendable>(_ x: Tensor<T>, image: Int) -> (limit: T, mean: T) {
    let sample = sample(height: x.shape[2], width: x.shape[3])
    let sampled = distances(x.real, image: image, shape: x.shape, sample)
    let mean = sampled.reduce(0, +) / T(sampled.count)
    let squares = sampled.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (mean - (squares / T(sampled.count - 1)).squareRoot(), mean)
  }

  /// The greatest distance from the limit among the gates that differ, in mean distances of the sample.
  public func violation<T: Real & BinaryFloatingPoint & Sendable>(
    of chosen: NeighborhoodValue, x: Tensor<T>, data: [Tensor<T>]
  ) throws -> T {
    let expected = offsets(height: x.shape[2], width: x.shape[3])
    guard case .gatedOffsets(let offsets, let admitted) = chosen, offsets == expected else { return .infinity }
    let pixels = x.shape[2] * x.shape[3]
    var worst: T = 0
    for n in 0..<x.shape[0] {
      let (limit, mean) = limit(x, image: n)
      for (offset, gates) in zip(offsets, admitted) {
        for (pixel, distance) in distances(x.real, image: n, shape: x.shape, offset).enumerated()
        where gates[n * pixels + pixel] != (distance < limit) {
          worst = max(worst, abs(distance - limit) / mean)
        }
      }
    }
    return worst
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {
    let x = operands[0]
    if x.type.element != .f32 { throw Diagnostic("dagc runs on f32 only, not on \(x.type)") }
    let height = x.shape[2]
    let width = x.shape[3]
    let offsets = offsets(height: height, width: width)
    // One pixel has no neighbours, and no deviation either.
    if offsets.isEmpty { return }

    func distance(_ builder: inout LoopBuilder, _ pixel: [LoopIndex], _ offset: Offset) -> LoopValue {
      let sum = builder.register("distance", .f32, .f32(0))
      let row = (pixel[1] + .constant(height - offset.dy)) % height
      let column = (pixel[2] + .constant(width - offset.dx)) % width
      builder.loop("c", 0, .constant(x.shape[1])) { builder, c in
        let difference = x.load([pixel[0], c, pixel[1], pixel[2]]) - x.load([pixel[0], c, row, column])
        builder.assign(sum, .variable(sum) + .unary(.absolute, difference))
      }
      return .variable(sum)
    }
    /// The compensated sum over the sample of a term of each distance: gates depend on its last bits.
    func total(
      _ builder: inout LoopBuilder, image: LoopIndex, _ term: (inout LoopBuilder, LoopValue) -> LoopValue
    ) -> LoopValue {
      let sum = CompensatedSum(&builder, .f32)
      builder.loops(over: [height, width]) { builder, index in
        let value = distance(&builder, [image] + index, sample(height: height, width: width))
        sum.add(&builder, term(&builder, value))
      }
      return sum.value
    }

    let pixels = Double(height * width)
    builder.loop("n", 0, .constant(x.shape[0])) { builder, n in
      let sum = total(&builder, image: n) { $1 }
      let mean = builder.let("mean", .f32, sum / .f32(pixels))
      let squares = total(&builder, image: n) { builder, value in
        let deviation = builder.let("deviation", .f32, value - mean)
        return deviation * deviation
      }
      let limit = builder.let("limit", .f32, mean - .unary(.squareRoot, squares / .f32(pixels - 1)))
      for (place, offset) in offsets.enumerated() {
        builder.loops(over: [height, width]) { builder, index in
          let isNear = LoopValue.compare(.less, distance(&builder, [n] + index, offset), limit)
          let byte = LoopType(.u8)
          builder.store(
            result.buffer, result.offset([.constant(place), n] + index),
            .select(isNear, .constant(1, byte), .constant(0, byte)))
        }
      }
    }
  }
}

/// For every pixel of an image, the sum over channels of its distance to the neighbour at `offset`.
@specialized(where T == Float)
@specialized(where T == Double)
private func distances<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], image: Int, shape: [Int], _ offset: Offset
) -> [T] {
  let height = shape[2]
  let width = shape[3]
  let plane = height * width
  var result = [T](repeating: 0, count: plane)
  for channel in (image * shape[1])..<((image + 1) * shape[1]) {
    for pixel in 0..<plane {
      let row = (pixel / width + height - offset.dy) % height
      let column = (pixel % width + width - offset.dx) % width
      result[pixel] += abs(x[channel * plane + pixel] - x[channel * plane + row * width + column])
    }
  }
  return result
}
