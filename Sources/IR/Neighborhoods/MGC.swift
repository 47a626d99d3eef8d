import RealModule

/// The graph of mobile graph convolution (Avery, Munir and Marculescu, MobileViGv2, arXiv:2406.05850): the four pixels
/// K rows below and above, and K columns right and left, wrapping.
///
/// The published code slices and joins, and slices clamp: where K is at least the height (or the width), rolling by it
/// changes nothing, and that neighbour is the pixel itself.
public struct MGC: GraphConstruction {
  public static let kind = "mgc"

  /// K, in pixels.
  public var step: Int

  public init(step: Int) {
    self.step = step
  }

  public init(_ reader: inout AttributeReader) throws {
    self.step = try reader.integer("step")
  }

  public var attributes: [Attribute] { [Attribute("step", .integer(step))] }

  public func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm {
    if step < 1 { throw Diagnostic("mgc: the step is \(step); it must be at least 1") }
    return .offsets(offsets(height: height, width: width))
  }

  private func offsets(height: Int, width: Int) -> [Offset] {
    let down = step < height ? step : 0
    let right = step < width ? step : 0
    return [Offset(dy: down, dx: 0), Offset(dy: -down, dx: 0), Offset(dy: 0, dx: right), Offset(dy: 0, dx: -right)]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    .offsets(offsets(height: x.shape[2], width: x.shape[3]))
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {}
}
