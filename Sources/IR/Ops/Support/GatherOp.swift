import RealModule

/// An op that reads a tensor at places that a tensor of indices gives: operands data and indices (i32 or i64).
///
/// A negative index counts from the end. ONNX leaves an index that is still outside the axis undefined. Here it counts
/// as the nearest one inside, so nothing outside the data is read.
protocol GatherOp: Op {
  /// The shape of the result; throws what does not fit.
  func resultShape(_ data: TensorType, _ indices: TensorType, _ checker: OperandChecker) throws -> [Int]

  /// How an element of the result is found: `indexed` gives the place along an axis of data that the index at a place
  /// among the indices says.
  func source<Place>(
    of result: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place]
}

extension GatherOp {
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["data", "indices"])
    let data = try checker.tensor(0)
    let indices = try checker.plain(1)
    if indices.element != .i64 && indices.element != .i32 {
      throw checker.failure(1, mustBe: "a tensor of i64 or i32")
    }
    let shape = try resultShape(data, indices, checker)
    try checker.checkShape(shape)
    return [.tensor(TensorType(data.element, shape, quantization: data.with(shape: shape).quantization))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let data = operands[0].tensor
    let indices = operands[1].tensor
    let positions = indices.integer
    let strides = rowMajorStrides(data.shape)
    let indexStrides = rowMajorStrides(indices.shape)
    let checker = try OperandChecker(
      self, [.tensor(TensorType(data.element, data.shape)), .tensor(TensorType(indices.element, indices.shape))],
      ["data", "indices"])
    let shape = try resultShape(
      TensorType(data.element, data.shape), TensorType(indices.element, indices.shape), checker)
    var places: [Int] = []
    places.reserveCapacity(shape.reduce(1, *))
    forEachIndex(shape) { index in
      let source = source(of: index, data: data.shape, indices: indices.shape, constant: { $0 }) { place, axis in
        let position = positions[zip(place, indexStrides).reduce(0) { $0 + $1.0 * $1.1 }]
        let extent = Int64(data.shape[axis])
        return Int(min(max(position < 0 ? position + extent : position, 0), extent - 1))
      }
      places.append(zip(source, strides).reduce(0) { $0 + $1.0 * $1.1 })
    }
    switch data.storage {
    case .real(let values):
      return [.tensor(Tensor(element: data.element, shape: shape, real: places.map { values[$0] }))]
    case .integer(let values):
      return [.tensor(Tensor(element: data.element, shape: shape, integer: places.map { values[$0] }))]
    }
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let data = operands[0]
    let indices = operands[1]
    let result = results[0]
    builder.loops(over: result.shape) { builder, index in
      var lets = builder
      let source = source(of: index, data: data.shape, indices: indices.shape, constant: { LoopIndex.constant($0) }) {
        place, axis in
        // Clamped to between the first element counted from the end and the last, so that one addition and a remainder
        // are enough.
        let extent = data.shape[axis]
        let bounds = indices.type.element.integerRange ?? Int.min...Int.max
        let low = LoopValue.constant(Double(max(-extent, bounds.lowerBound)), indices.loopType)
        let high = LoopValue.constant(Double(min(extent - 1, bounds.upperBound)), indices.loopType)
        let position = lets.letIndex(
          "position", range: -extent...(extent - 1), .minimum(.maximum(indices.load(place), low), high))
        return (position + .constant(extent)) % extent
      }
      builder = lets
      builder.store(result.buffer, result.offset(index), data.load(source))
    }
  }
}
