import RealModule

/// A kind of graph construction whose only parameter is a step K, in pixels, and whose candidates are the pixels at fixed
/// offsets, wrapping. All of them are neighbours, the same for every image, unless the kind says otherwise.
public protocol StepConstruction: GraphConstruction {
  /// K, in pixels.
  var step: Int { get }
  init(step: Int)

  /// Where the candidates of a pixel lie.
  func offsets(height: Int, width: Int) -> [Offset]
}

extension StepConstruction {
  public init(_ reader: inout AttributeReader) throws { self.init(step: try reader.integer("step")) }
  public var attributes: [Attribute] { [Attribute("step", .integer(step))] }

  func checkStep() throws {
    if step < 1 { throw Diagnostic("\(Self.kind): the step is \(step); it must be at least 1") }
  }

  public func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm {
    try checkStep()
    return .offsets(offsets(height: height, width: width))
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: Tensor<T>, data: [Tensor<T>]
  ) throws -> NeighborhoodValue {
    .offsets(offsets(height: x.shape[2], width: x.shape[3]))
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {}

  /// K, 2K, ... rows down while below the height, then K, 2K, ... columns right while below the width.
  func axialOffsets(height: Int, width: Int) -> [Offset] {
    let down = stride(from: step, to: height, by: step).map { Offset(dy: $0, dx: 0) }
    let right = stride(from: step, to: width, by: step).map { Offset(dy: 0, dx: $0) }
    return down + right
  }
}
