import RealModule

/// Sparse vision graph attention (Munir, Avery and Marculescu, MobileViG, arXiv:2307.00395): the neighbours of a pixel
/// are those K, 2K, ... rows away while below the height, then those K, 2K, ... columns away while below the width,
/// wrapping. The graph is the same for every image.
public struct SVGA: GraphConstruction {
  public static let kind = "svga"

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
    if step < 1 { throw Diagnostic("svga: the step is \(step); it must be at least 1") }
    return .offsets(offsets(height: height, width: width))
  }

  private func offsets(height: Int, width: Int) -> [Offset] {
    let down = stride(from: step, to: height, by: step).map { Offset(dy: $0, dx: 0) }
    let right = stride(from: step, to: width, by: step).map { Offset(dy: 0, dx: $0) }
    return down + right
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    .offsets(offsets(height: x.shape[2], width: x.shape[3]))
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {}
}
