import Foundation
import IR

// Operators on what is known when the model is compiled: constants, shapes, and arithmetic on them.

private func comparison(_ name: String, _ test: @escaping @Sendable (Double, Double) -> Bool) -> ImportedOperator {
  ImportedOperator(name, onlyKnown) { builder, call in
    let (a, b) = (try call.known(0, "what it compares"), try call.known(1, "what it compares"))
    return [builder.known(try KnownArithmetic.compared(a.tensor, b.tensor, test))]
  }
}

private func rounding(_ name: String, _ rule: FloatingPointRoundingRule) -> ImportedOperator {
  ImportedOperator(name, onlyKnown) { builder, call in
    let x = try call.known(0, "what it rounds").tensor
    guard x.element.isFloat else { throw Diagnostic("it rounds integers") }
    return [builder.known(Tensor<Double>(element: x.element, shape: x.shape, real: x.real.map { $0.rounded(rule) }))]
  }
}

private let onlyKnown = "anything that depends on the input"

/// A list of extents, small enough to be known.
func knownExtents(_ values: [Int]) throws -> [Int] {
  var count = 1
  for extent in values {
    guard extent >= 0, extent == 0 || count <= KnownArithmetic.mostElements / extent else {
      throw Diagnostic("a tensor \(values) is too large to be known when the model is compiled")
    }
    count *= max(1, extent)
  }
  return values
}

let knownOperators: [ImportedOperator] = [
  ImportedOperator(
    "Constant", "strings and sparse tensors",
    withTensors: { builder, call, tensors in
      let attributes = call.attributes
      if let tensor = try attributes.tensor("value") {
        do {
          return [builder.known(try tensors.read(tensor))]
        } catch is ImportedTensors.Empty {
          throw Diagnostic("its tensor has a shape and no contents")
        }
      }
      func made(_ element: ElementType, _ shape: [Int], _ values: [Double]) -> [ImportedValue] {
        [builder.known(Tensor<Double>(element, shape: shape, values))]
      }
      if let value = try attributes.float("value_float") { return made(.f32, [], [value]) }
      if let values = try attributes.floats("value_floats") { return made(.f32, [values.count], values) }
      let integers = try attributes.integers("value_ints")
      guard let values = try integers ?? attributes.integer("value_int").map({ [$0] }) else {
        throw Diagnostic("it has no value")
      }
      let shape = integers == nil ? [] : [values.count]
      return [builder.known(Tensor<Double>(element: .i64, shape: shape, integer: values.map { Int64($0) }))]
    }),
  ImportedOperator("Shape") { builder, call in
    let shape = try builder.type(of: call.input(0)).shape
    func clamp(_ place: Int) -> Int {
      min(max(place < 0 ? max(place, -shape.count) + shape.count : place, 0), shape.count)
    }
    let start = clamp(try call.attributes.integer("start") ?? 0)
    let end = clamp(try call.attributes.integer("end") ?? shape.count)
    let part = start < end ? shape[start..<end].map(Int64.init) : []
    return [builder.known(Tensor<Double>(element: .i64, shape: [part.count], integer: part))]
  },
  ImportedOperator("Size") { builder, call in
    let count = try builder.type(of: call.input(0)).count
    return [builder.known(Tensor<Double>(element: .i64, shape: [], integer: [Int64(count)]))]
  },
  ImportedOperator("Cast", "types other than float32 of what depends on the input") { builder, call in
    call.attributes.ignore("saturate", "round_mode")
    let code = try call.attributes.integer("to") ?? 0
    guard let element = ElementType(onnx: Int32(clamping: code)) else { throw Diagnostic("it casts to type \(code)") }
    let x = try call.input(0)
    let type = try builder.type(of: x)
    if type.element == element { return [x] }
    guard let known = x.known?.tensor else {
      throw Diagnostic("it casts \(type) to \(element.rawValue); export the model in float32")
    }
    let numbers = KnownArithmetic.numbers(known)
    if element.isFloat { return [builder.known(Tensor<Double>(element: element, shape: known.shape, real: numbers))] }
    switch known.storage {
    case .integer(let values):
      let kept = element == .bool ? values.map { $0 == 0 ? 0 : 1 } : values
      return [builder.known(Tensor<Double>(element: element, shape: known.shape, integer: kept))]
    case .real:
      guard numbers.allSatisfy({ abs($0) < 9e18 }) else {
        throw Diagnostic("its numbers do not fit \(element.rawValue)")
      }
      let kept = numbers.map { element == .bool ? ($0 == 0 ? 0 : 1) : Int64($0) }
      return [builder.known(Tensor<Double>(element: element, shape: known.shape, integer: kept))]
    }
  },
  ImportedOperator("Range", onlyKnown) { builder, call in
    let bounds = try (0..<3).map { try call.known($0, "its bounds").tensor }
    guard bounds.allSatisfy({ $0.count == 1 && $0.element == bounds[0].element }),
      let start = bounds.first.map(KnownArithmetic.numbers)?.first
    else { throw Diagnostic("its bounds are not three numbers of one type") }
    let (end, step) = (KnownArithmetic.numbers(bounds[1])[0], KnownArithmetic.numbers(bounds[2])[0])
    let length = ((end - start) / step).rounded(.up)
    guard length.isFinite, max(abs(start), abs(end), abs(step)) < 9e15, length <= Double(KnownArithmetic.mostElements)
    else {
      throw Diagnostic("from \(start) to \(end) by \(step) is no list that can be known")
    }
    let values = (0..<max(0, Int(length))).map { start + Double($0) * step }
    return [builder.known(Tensor<Double>(bounds[0].element, shape: [values.count], values))]
  },
  ImportedOperator(
    "ConstantOfShape", onlyKnown,
    withTensors: { builder, call, tensors in
      let shape = try knownExtents(call.integers(0, "the shape") ?? [])
      var value = Tensor<Double>(.f32, shape: [], [0])
      do {
        if let proto = try call.attributes.tensor("value") { value = Tensor(try tensors.read(proto)) }
      } catch is ImportedTensors.Empty {
        throw Diagnostic("its value has no contents")
      }
      guard value.count == 1 else { throw Diagnostic("its value is not one number") }
      let places = [Int](repeating: 0, count: shape.reduce(1, *))
      return [builder.known(KnownArithmetic.picked(value, places, shape: shape))]
    }),
  ImportedOperator("Expand", onlyKnown) { builder, call in
    let shape = try knownExtents(call.integers(1, "the shape") ?? [])
    let x = try call.input(0)
    // Extents of 1 and missing ones leave the operand's.
    let own = try builder.type(of: x).shape
    let tail = shape.suffix(own.count)
    if shape.count <= own.count, zip(own.suffix(tail.count), tail).allSatisfy({ $1 == 1 || $0 == $1 }) { return [x] }
    if x.known == nil, try builder.type(of: x).element == .f32 {
      let ones = try knownExtents(shape)
      let count = ones.reduce(1, *)
      if count == 0 { throw Diagnostic("it leaves nothing of \(try builder.type(of: x))") }
      let factor = builder.known(Tensor<Double>(.f32, shape: ones, [Double](repeating: 1, count: count)))
      let result = try builder.apply(Multiply(), [x, factor])
      if case .computed(let id) = result, case .computed(let source) = x { builder.repeated[id] = source }
      return [result]
    }
    let known = try call.known(0, "what it expands").tensor
    return [builder.known(try KnownArithmetic.expanded(known, to: shape))]
  },
  ImportedOperator("Tile", "more than 64 copies of what depends on the input") { builder, call in
    var x = try call.input(0)
    let type = try builder.type(of: x)
    guard let repeats = try call.integers(1, "the repeats"), repeats.count == type.rank else {
      throw Diagnostic("it does not say for each axis how often it repeats it")
    }
    for (axis, count) in repeats.enumerated() where count != 1 {
      guard (1...(x.known == nil ? 64 : 1 << 16)).contains(count) else {
        throw Diagnostic("it repeats axis \(axis) \(count) times")
      }
      x = try builder.apply(Concat(axis: axis), [ImportedValue](repeating: x, count: count))
    }
    return [x]
  },
  ImportedOperator("Where", onlyKnown) { builder, call in
    let operands = try (0..<3).map { try call.known($0, "what it chooses").tensor }
    return [builder.known(try KnownArithmetic.chosen(operands[0], operands[1], operands[2]))]
  },
  ImportedOperator("Mod", onlyKnown + "; floats") { builder, call in
    if try call.attributes.flag("fmod") ?? false { throw Diagnostic("it is of floats") }
    let (a, b) = (try call.known(0, "its operand").tensor, try call.known(1, "its operand").tensor)
    guard !a.element.isFloat, !b.element.isFloat else { throw Diagnostic("it is of floats") }
    return [builder.known(try KnownArithmetic.integers("Mod", a, b))]
  },
  comparison("Equal") { $0 == $1 },
  comparison("Less") { $0 < $1 },
  comparison("LessOrEqual") { $0 <= $1 },
  comparison("Greater") { $0 > $1 },
  comparison("GreaterOrEqual") { $0 >= $1 },
  comparison("And") { $0 != 0 && $1 != 0 },
  comparison("Or") { $0 != 0 || $1 != 0 },
  ImportedOperator("Not", onlyKnown) { builder, call in
    let x = try call.known(0, "its operand").tensor
    guard !x.element.isFloat else { throw Diagnostic("it negates numbers") }
    let values = x.integer.map { $0 == 0 ? Int64(1) : 0 }
    return [builder.known(Tensor<Double>(element: .bool, shape: x.shape, integer: values))]
  },
  rounding("Floor", .down),
  rounding("Ceil", .up),
  rounding("Round", .toNearestOrEven),
]
