/// A copy of data with updates written along an axis: an update goes to its own place, except along the axis, where the
/// index at that place says. Indices and updates have one shape, nowhere larger than data but along the axis. Indices
/// are as in `ScatterOp`.
public struct ScatterElements: ScatterOp {
  public static let mnemonic = "scatter_elements"

  public var axis: Int
  public var reduction: ScatterReduction

  public init(axis: Int, reduction: ScatterReduction = .replace) {
    self.axis = axis
    self.reduction = reduction
  }

  public init(_ reader: inout AttributeReader) throws {
    self.axis = try reader.integer("axis")
    self.reduction = try reader.choice("reduction")
  }

  public var attributes: [Attribute] {
    [Attribute("axis", .integer(axis)), Attribute("reduction", .string(reduction.rawValue))]
  }

  func checkShapes(
    _ data: TensorType, _ indices: TensorType, _ updates: TensorType, _ checker: OperandChecker
  ) throws {
    if indices.rank != data.rank { throw checker.failure(1, mustBe: "of rank \(data.rank), like data") }
    let axis = try checker.axis(axis, rank: data.rank)
    for other in 0..<data.rank where other != axis && indices.shape[other] > data.shape[other] {
      throw checker.failure(1, mustBe: "at most \(data.shape[other]) along axis \(other), as many as data has there")
    }
    if updates.shape != indices.shape {
      throw checker.failure(2, mustBe: "of the shape [\(checker.list(indices.shape))], an update for each index")
    }
  }

  func target<Place>(
    of update: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place] {
    let axis = resolvedAxis(axis, rank: data.count)
    var place = update
    place[axis] = indexed(update, axis)
    return place
  }
}
