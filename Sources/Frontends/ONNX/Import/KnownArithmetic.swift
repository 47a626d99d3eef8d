import IR

/// What ops have no semantics for, on tensors that are known when a model is compiled: choices among, and repetitions of,
/// tensors that may have no element.
enum KnownArithmetic {
  /// More elements than any list of extents has.
  static let mostElements = 1 << 24

  /// The result of an element-wise op on a tensor without elements, by numpy's rule: a tensor without elements.
  static func nothing(_ shapes: [[Int]], _ element: ElementType) throws -> Tensor<Double> {
    try broadcast(shapes, element: element) { _ in 0 }
  }

  /// `condition ? a : b`, in the element type of `a`.
  static func chosen(_ condition: Tensor<Double>, _ a: Tensor<Double>, _ b: Tensor<Double>) throws -> Tensor<Double> {
    guard a.element == b.element, !condition.element.isFloat else {
      throw Diagnostic("it chooses between \(a.element.rawValue) and \(b.element.rawValue)")
    }
    let truths = condition.integer
    let shapes = [condition.shape, a.shape, b.shape]
    if a.element.isFloat {
      let (x, y) = (a.real, b.real)
      let (shape, values) = try broadcastValues(shapes) { truths[$0[0]] != 0 ? x[$0[1]] : y[$0[2]] }
      return Tensor(element: a.element, shape: shape, real: values)
    }
    let (x, y) = (a.integer, b.integer)
    return try broadcast(shapes, element: a.element) { truths[$0[0]] != 0 ? x[$0[1]] : y[$0[2]] }
  }

  /// The elements in double, to which integers beyond 2^53 are rounded.
  static func numbers(_ tensor: Tensor<Double>) -> [Double] {
    switch tensor.storage {
    case .real(let values): values
    case .integer(let values):
      tensor.element == .u64 ? values.map { Double(UInt64(bitPattern: $0)) } : values.map(Double.init)
    }
  }

  /// The elements at these places, under another shape.
  static func picked(_ x: Tensor<Double>, _ places: [Int], shape: [Int]) -> Tensor<Double> {
    switch x.storage {
    case .real(let values): Tensor(element: x.element, shape: shape, real: places.map { values[$0] })
    case .integer(let values): Tensor(element: x.element, shape: shape, integer: places.map { values[$0] })
    }
  }

  /// A tensor repeated to a shape that it broadcasts to.
  static func expanded(_ x: Tensor<Double>, to shape: [Int]) throws -> Tensor<Double> {
    let ones = TensorType(.bool, shape)
    let (result, places) = try broadcastValues([x.shape, ones.shape]) { $0[0] }
    return picked(x, places, shape: result)
  }

  static func strides(_ shape: [Int]) -> [Int] {
    var result = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { result[axis] = result[axis + 1] * max(1, shape[axis + 1]) }
    return result
  }

  private static func broadcast(
    _ shapes: [[Int]], element: ElementType, _ value: ([Int]) throws -> Int64
  ) throws -> Tensor<Double> {
    let (shape, values) = try broadcastValues(shapes, value)
    return Tensor(element: element, shape: shape, integer: values)
  }

  /// What `value` gives for each element of the shape that all shapes broadcast to; it gets the element's place in each.
  private static func broadcastValues<Value>(
    _ shapes: [[Int]], _ value: ([Int]) throws -> Value
  ) throws -> (shape: [Int], values: [Value]) {
    let rank = shapes.map(\.count).max() ?? 0
    let aligned = shapes.map { [Int](repeating: 1, count: rank - $0.count) + $0 }
    var result = [Int](repeating: 1, count: rank)
    var count = 1
    for axis in 0..<rank {
      for shape in aligned where shape[axis] != 1 {
        guard result[axis] == 1 || result[axis] == shape[axis] else {
          throw Diagnostic("the shapes \(shapes) do not broadcast")
        }
        result[axis] = shape[axis]
      }
      guard result[axis] >= 0, result[axis] == 0 || count <= mostElements / result[axis] else {
        throw Diagnostic("a tensor \(result) is too large to be known when the model is compiled")
      }
      count *= result[axis]
    }
    let own = aligned.map(strides)
    let all = strides(result)
    let values = try (0..<count).map { position in
      try value(
        aligned.indices.map { operand in
          (0..<rank).reduce(0) { place, axis in
            aligned[operand][axis] == 1 ? place : place + position / all[axis] % result[axis] * own[operand][axis]
          }
        })
    }
    return (result, values)
  }
}
