import RealModule

/// What becomes of an element that updates are scattered to.
public enum ScatterReduction: String, CaseIterable, Hashable, Sendable {
  /// The last update takes its place.
  case replace
  case add
  case multiply = "mul"
  case maximum = "max"
  case minimum = "min"
}

/// An op that writes updates into a copy of a tensor at places that a tensor of indices gives: operands data, indices
/// (i32 or i64) and updates.
///
/// Updates are taken in row-major order, one after the other. A negative index counts from the end; one that is still
/// outside the axis, which ONNX leaves undefined, counts as the nearest one inside.
protocol ScatterOp: Op {
  var reduction: ScatterReduction { get }

  /// Throws what does not fit.
  func checkShapes(_ data: TensorType, _ indices: TensorType, _ updates: TensorType, _ checker: OperandChecker) throws

  /// Where an update goes: `indexed` gives the place along an axis of data that the index at a place among the indices
  /// says.
  func target<Place>(
    of update: [Place], data: [Int], indices: [Int], constant: (Int) -> Place, indexed: ([Place], _ axis: Int) -> Place
  ) -> [Place]
}

extension ScatterOp {
  public var readsResults: Bool { true }
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["data", "indices", "updates"])
    let data = try checker.tensor(0)
    let indices = try checker.plain(1)
    let updates = try checker.tensor(2)
    if indices.element != .i64 && indices.element != .i32 {
      throw checker.failure(1, mustBe: "a tensor of i64 or i32")
    }
    try checker.sameElement(2, as: data)
    if reduction != .replace && data.element == .bool {
      throw checker.problem("truths are not combined by '\(reduction.rawValue)'; only 'replace' goes with them")
    }
    if data.quantization != updates.quantization { throw checker.failure(2, mustBe: "quantised like operand 0") }
    if reduction != .replace { _ = try checker.plain(0) }
    try checkShapes(data, indices, updates, checker)
    return [.tensor(data.with(shape: data.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let data = operands[0].tensor
    let indices = operands[1].tensor
    let positions = indices.integer
    let strides = rowMajorStrides(data.shape)
    let indexStrides = rowMajorStrides(indices.shape)
    var targets: [Int] = []
    forEachIndex(operands[2].tensor.shape) { update in
      let place = target(of: update, data: data.shape, indices: indices.shape, constant: { $0 }) { place, axis in
        let position = positions[zip(place, indexStrides).reduce(0) { $0 + $1.0 * $1.1 }]
        let extent = Int64(data.shape[axis])
        return Int(min(max(position < 0 ? position + extent : position, 0), extent - 1))
      }
      targets.append(zip(place, strides).reduce(0) { $0 + $1.0 * $1.1 })
    }
    switch (data.storage, operands[2].tensor.storage) {
    case (.real(var values), .real(let updates)):
      for (target, update) in zip(targets, updates) {
        switch reduction {
        case .replace: values[target] = update
        case .add: values[target] += update
        case .multiply: values[target] *= update
        case .maximum: values[target] = update > values[target] ? update : values[target]
        case .minimum: values[target] = update < values[target] ? update : values[target]
        }
      }
      return [.tensor(Tensor(element: data.element, shape: data.shape, real: values))]
    case (.integer(var values), .integer(let updates)):
      for (target, update) in zip(targets, updates) {
        switch reduction {
        case .replace: values[target] = update
        case .add: values[target] = data.element.wrapped(values[target] &+ update)
        case .multiply: values[target] = data.element.wrapped(values[target] &* update)
        case .maximum: values[target] = data.element.isLess(values[target], update) ? update : values[target]
        case .minimum: values[target] = data.element.isLess(update, values[target]) ? update : values[target]
        }
      }
      return [.tensor(Tensor(element: data.element, shape: data.shape, integer: values))]
    case (.real, .integer), (.integer, .real): preconditionFailure("typing wants one element type")
    }
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let data = operands[0]
    let indices = operands[1]
    let updates = operands[2]
    let result = results[0]
    builder.loop("i", 0, .constant(data.type.count)) { builder, place in
      builder.store(result.buffer, result.base + place, .load(data.buffer, data.base + place, data.loopType))
    }
    builder.loops(over: updates.shape) { builder, update in
      var lets = builder
      let place = target(of: update, data: data.shape, indices: indices.shape, constant: { LoopIndex.constant($0) }) {
        place, axis in
        // Clamped to between the first element counted from the end and the last, so that one addition and a remainder
        // are enough.
        let extent = data.shape[axis]
        let low = LoopValue.constant(Double(-extent), indices.loopType)
        let high = LoopValue.constant(Double(extent - 1), indices.loopType)
        let position = lets.letIndex(
          "position", range: -extent...(extent - 1), .minimum(.maximum(indices.load(place), low), high))
        return (position + .constant(extent)) % extent
      }
      builder = lets
      let value: LoopValue
      let old = result.loadComputing(place)
      let new = updates.loadComputing(update)
      switch reduction {
      case .replace:
        builder.store(result.buffer, result.offset(place), updates.load(update))
        return
      case .add: value = old + new
      case .multiply: value = old * new
      case .maximum: value = .maximum(new, old)
      case .minimum: value = .minimum(new, old)
      }
      builder.storeComputed(result, place, value)
    }
  }
}
