import IR

/// Arithmetic on integers and truths that are known when a model is compiled: what shapes are computed with.
enum KnownArithmetic {
  /// More elements than any list of extents has.
  static let mostElements = 1 << 24

  /// Two tensors element by element, broadcast by numpy's rule.
  static func integers(_ name: String, _ a: Tensor<Double>, _ b: Tensor<Double>) throws -> Tensor<Double> {
    let (x, y) = (a.integer, b.integer)
    return try broadcast([a.shape, b.shape], element: a.element) { index in
      try integer(name, x[index[0]], y[index[1]])
    }
  }

  private static func integer(_ name: String, _ a: Int64, _ b: Int64) throws -> Int64 {
    let (result, overflow): (Int64, Bool)
    switch name {
    case "Add": (result, overflow) = a.addingReportingOverflow(b)
    case "Sub": (result, overflow) = a.subtractingReportingOverflow(b)
    case "Mul": (result, overflow) = a.multipliedReportingOverflow(by: b)
    case "Div": (result, overflow) = a.dividedReportingOverflow(by: b)
    case "Mod":
      let (rest, failed) = a.remainderReportingOverflow(dividingBy: b)
      (result, overflow) = (rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest, failed)
    case "Max": (result, overflow) = (max(a, b), false)
    case "Min": (result, overflow) = (min(a, b), false)
    default: preconditionFailure("\(name) is no arithmetic")
    }
    if overflow { throw Diagnostic("\(a) and \(b) have no such result in 64 bits") }
    return result
  }

  /// Two tensors of numbers, compared.
  static func compared(
    _ a: Tensor<Double>, _ b: Tensor<Double>, _ test: (Double, Double) -> Bool
  ) throws -> Tensor<Double> {
    let (x, y) = (numbers(a), numbers(b))
    return try broadcast([a.shape, b.shape], element: .bool) { test(x[$0[0]], y[$0[1]]) ? 1 : 0 }
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

  /// The elements in double; integers beyond 2^53 are none that shapes have.
  static func numbers(_ tensor: Tensor<Double>) -> [Double] {
    switch tensor.storage {
    case .real(let values): values
    case .integer(let values): values.map(Double.init)
    }
  }

  /// Whether an operator folds integers that are known.
  static func reduces(_ name: String) -> Bool { ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"].contains(name) }

  /// A fold of integers along axes.
  static func reduced(
    _ name: String, _ x: Tensor<Double>, axes: Set<Int>, keeps: Bool
  ) throws -> Tensor<Double> {
    let operations = ["ReduceSum": "Add", "ReduceProd": "Mul", "ReduceMax": "Max", "ReduceMin": "Min"]
    guard let operation = operations[name] else { throw Diagnostic("integers are summed, multiplied or compared only") }
    let kept = x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] }
    var result = [Int64?](repeating: nil, count: kept.reduce(1, *))
    let places = strides(kept)
    let own = strides(x.shape)
    for (position, value) in x.integer.enumerated() {
      var place = 0
      for axis in kept.indices where !axes.contains(axis) {
        place += position / own[axis] % x.shape[axis] * places[axis]
      }
      result[place] = try result[place].map { try integer(operation, $0, value) } ?? value
    }
    let shape = keeps ? kept : x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] }
    return Tensor(element: x.element, shape: shape, integer: result.map { $0 ?? (operation == "Mul" ? 1 : 0) })
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
