import RealModule

/// A kind of offsets whose only parameter is a step K, in pixels.
public protocol StepConstruction: OffsetConstruction {
  /// K, in pixels.
  var step: Int { get }
  init(step: Int)
}

extension StepConstruction {
  public init(_ reader: inout AttributeReader) throws { self.init(step: try reader.integer("step")) }
  public var attributes: [Attribute] { [Attribute("step", .integer(step))] }

  public func checkParameters() throws {
    if step < 1 { throw Diagnostic("\(Self.kind): the step is \(step); it must be at least 1") }
  }

  /// Several steps may give the same neighbours; the first offset is that of a single step.
  public static func candidates(height: Int, width: Int, first: Offset) -> [Self] {
    let likely = [first.dy, first.dx].map(abs).filter { $0 > 0 }
    return (likely + Array(1..<max(height, width, 2))).map { Self(step: $0) }
  }

  /// K, 2K, ... rows down while below the height, then K, 2K, ... columns right while below the width.
  func axialOffsets(height: Int, width: Int) -> [Offset] {
    let down = stride(from: step, to: height, by: step).map { Offset(dy: $0, dx: 0) }
    let right = stride(from: step, to: width, by: step).map { Offset(dy: 0, dx: $0) }
    return down + right
  }
}
