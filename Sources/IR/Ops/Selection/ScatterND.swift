/// A copy of data with updates written to the parts of it that tuples of indices name: along the last axis of the indices
/// lies a tuple, one index for each of the first axes of data. For data [D.., S..] and indices [I.., length of D] the
/// updates are [I.., S..]. Indices are as in `ScatterOp`.
public struct ScatterND: ScatterOp {
  public static let mnemonic = "scatter_nd"

  public var reduction: ScatterReduction

  public init(reduction: ScatterReduction = .replace) {
    self.reduction = reduction
  }

  public init(_ reader: inout AttributeReader) throws {
    self.reduction = try reader.choice("reduction")
  }

  public var attributes: [Attribute] { [Attribute("reduction", .string(reduction.rawValue))] }

  func checkShapes(
    _ data: TensorType, _ indices: TensorType, _ updates: TensorType, _ checker: OperandChecker
  ) throws {
    guard let tuple = indices.shape.last else { throw checker.failure(1, mustBe: "a tensor with axes") }
    if tuple > data.rank {
      throw checker.failure(1, mustBe: "of at most \(data.rank) along the last axis, an index an axis of data")
    }
    let shape = Array(indices.shape.dropLast() + data.shape[tuple...])
    if updates.shape != shape {
      throw checker.failure(2, mustBe: "of the shape [\(checker.list(shape))], a part of data for each tuple")
    }
  }

  func target<Place>(
    of update: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place] {
    let tuples = indices.count - 1
    let place = Array(update[..<tuples])
    return (0..<indices[tuples]).map { indexed(place + [constant($0)], $0) } + update[tuples...]
  }
}
