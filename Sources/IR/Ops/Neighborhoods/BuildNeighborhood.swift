import RealModule

/// Connects the pixels of x [N, C, H, W] into a graph: operands x and what data the kind of construction needs.
public struct BuildNeighborhood: Op {
  public static let mnemonic = "neighborhood"

  /// Larger images have more neighbours than can be listed.
  private static let largestSide = 1 << 16

  public var construction: any GraphConstruction

  public init(construction: any GraphConstruction) {
    self.construction = construction
  }

  public init(_ reader: inout AttributeReader) throws {
    self.construction = try GraphConstructions.read(&reader)
  }

  public var attributes: [Attribute] {
    [Attribute("kind", .string(construction.kind))] + construction.attributes
  }

  /// A graph has no channels that could be padding.
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"] + type(of: construction).dataNames)
    let x = try checker.real(0, rank: 4)
    let data = try operands.indices.dropFirst().map { try checker.tensor($0) }
    if max(x.shape[2], x.shape[3]) > Self.largestSide {
      throw checker.failure(0, mustBe: "an image of at most \(Self.largestSide) rows and columns")
    }
    let form = try construction.form(height: x.shape[2], width: x.shape[3], channels: x.shape[1], data: data)
    try construction.check(x: x, data: data)
    return [.neighborhood(NeighborhoodType(form, batch: x.shape[0], height: x.shape[2], width: x.shape[3]))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let data = operands.dropFirst().map(\.tensor)
    let types = data.map { TensorType($0.element, $0.shape) }
    let form = try construction.form(height: x.shape[2], width: x.shape[3], channels: x.shape[1], data: types)
    let type = NeighborhoodType(form, batch: x.shape[0], height: x.shape[2], width: x.shape[3])
    return [.neighborhood(try construction.evaluate(x, data: Array(data)), type)]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try construction.buildLoops(&builder, operands: operands, result: results[0])
  }
}
