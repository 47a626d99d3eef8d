/// For each index the element of data that is at the index along `axis`, and at the index's own place along the others.
/// The result has the shape of the indices, which have the rank of data and, along the other axes, no more extent.
/// Indices are as in `GatherOp`.
public struct GatherElements: GatherOp, AxisOp {
  public static let mnemonic = "gather_elements"

  public var axis: Int

  public init(axis: Int) {
    self.axis = axis
  }

  func resultShape(_ data: TensorType, _ indices: TensorType, _ checker: OperandChecker) throws -> [Int] {
    let axis = try checker.axis(axis, rank: data.rank)
    let fits =
      indices.rank == data.rank
      && data.shape.indices.allSatisfy { $0 == axis || indices.shape[$0] <= data.shape[$0] }
    if !fits {
      throw checker.failure(1, mustBe: "of rank \(data.rank), and along axes other than \(axis) no longer than data")
    }
    return indices.shape
  }

  func source<Place>(
    of result: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place] {
    let axis = resolvedAxis(axis, rank: data.count)
    var source = result
    source[axis] = indexed(result, axis)
    return source
  }
}
