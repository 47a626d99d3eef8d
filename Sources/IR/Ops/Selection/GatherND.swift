/// The parts of data that tuples of indices name. The first `batch_dims` axes of data and indices go together; along the
/// last axis of the indices lies a tuple, one index for each of the next axes of data: for data [B.., D.., S..] and
/// indices [B.., I.., length of D] the result is [B.., I.., S..]. Indices are as in `GatherOp`.
public struct GatherND: GatherOp {
  public static let mnemonic = "gather_nd"

  public var batchDims: Int

  public init(batchDims: Int = 0) {
    self.batchDims = batchDims
  }

  public init(_ reader: inout AttributeReader) throws {
    self.batchDims = try reader.integer("batch_dims")
  }

  public var attributes: [Attribute] { [Attribute("batch_dims", .integer(batchDims))] }

  func resultShape(_ data: TensorType, _ indices: TensorType, _ checker: OperandChecker) throws -> [Int] {
    guard let tuple = indices.shape.last else { throw checker.failure(1, mustBe: "a tensor with axes") }
    guard (0..<min(data.rank, indices.rank)).contains(batchDims) else {
      throw checker.problem(
        "batch_dims is \(batchDims); it must be less than both ranks, \(data.rank) and \(indices.rank), and not negative"
      )
    }
    if indices.shape[..<batchDims] != data.shape[..<batchDims] {
      throw checker.failure(1, mustBe: "of the extents of data along the first \(batchDims) axes")
    }
    if tuple > data.rank - batchDims {
      throw checker.failure(
        1, mustBe: "of at most \(data.rank - batchDims) along the last axis, an index an axis of data")
    }
    return indices.shape.dropLast() + data.shape[(batchDims + tuple)...]
  }

  func source<Place>(
    of result: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place] {
    let tuple = indices[indices.count - 1]
    let place = Array(result[..<(indices.count - 1)])
    let named = (0..<tuple).map { indexed(place + [constant($0)], batchDims + $0) }
    return result[..<batchDims] + named + result[(indices.count - 1)...]
  }
}
