/// The slices of data along `axis` that indices name, in the shape of the indices: for data [A.., n, B..] and indices
/// [I..] the result is [A.., I.., B..]. Indices are as in `GatherOp`.
public struct Gather: GatherOp, AxisOp {
  public static let mnemonic = "gather"

  public var axis: Int

  public init(axis: Int) {
    self.axis = axis
  }

  func resultShape(_ data: TensorType, _ indices: TensorType, _ checker: OperandChecker) throws -> [Int] {
    let axis = try checker.axis(axis, rank: data.rank)
    return data.shape[..<axis] + indices.shape + data.shape[(axis + 1)...]
  }

  func source<Place>(
    of result: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place] {
    let axis = resolvedAxis(axis, rank: data.count)
    let end = axis + indices.count
    return result[..<axis] + [indexed(Array(result[axis..<end]), axis)] + result[end...]
  }
}
