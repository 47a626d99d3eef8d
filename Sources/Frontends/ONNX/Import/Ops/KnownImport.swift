import Foundation
import IR

// Operators on what is known when the model is compiled: constants, shapes, and arithmetic on them.

private func comparison(_ name: String, _ relation: Comparison.Relation) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    [try builder.applyToAny(Comparison(relation), [call.input(0), call.input(1)], result: .bool)]
  }
}

private func logical(_ name: String, _ kind: Bitwise.Kind) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let operands = [try call.input(0), try call.input(1)]
    for operand in operands where try builder.type(of: operand).element != .bool {
      throw Diagnostic("it combines \(try builder.type(of: operand)); both operands must be bool")
    }
    return [try builder.applyToAny(Bitwise(kind), operands, result: .bool)]
  }
}

private func rounding(_ name: String, _ rule: FloatingPointRoundingRule, _ op: any Op) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    guard let x = try call.input(0).known?.tensor, x.element.isFloat else {
      return [try builder.apply(op, [call.input(0)])]
    }
    return [builder.known(Tensor<Double>(element: x.element, shape: x.shape, real: x.real.map { $0.rounded(rule) }))]
  }
}

/// The integers from a start on, by a step, before an end.
private func integerRange(_ bounds: [Int64], _ element: ElementType) throws -> Tensor<Double> {
  let (start, end, step) = (bounds[0], bounds[1], bounds[2])
  let (distance, overflow) = end.subtractingReportingOverflow(start)
  let (quotient, failed) = distance.dividedReportingOverflow(by: step)
  let length = overflow || failed ? Int.max : Int(quotient) + (distance % step == 0 ? 0 : 1)
  if length > KnownArithmetic.mostElements {
    throw Diagnostic("from \(start) to \(end) by \(step) is no list that can be known")
  }
  let isEmpty = distance == 0 || (distance < 0) != (step < 0)
  let values = (0..<(isEmpty ? 0 : length)).map { start + Int64($0) * step }
  return Tensor(element: element, shape: [values.count], integer: values)
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

/// A value in another element type.
func converted(
  _ builder: inout ImportBuilder, _ x: ImportedValue, to element: ElementType
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  if type.element == element { return x }
  if type.count == 0 {
    return builder.known(TensorData(element: element, shape: type.shape, bytes: []))
  }
  return try builder.apply(Cast(to: element), [x])
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
  ImportedOperator("Cast", "strings, and floats of 8 bits and less") { builder, call in
    call.attributes.ignore("saturate", "round_mode")
    let code = try call.attributes.integer("to") ?? 0
    guard let element = ElementType(onnx: Int32(clamping: code)) else { throw Diagnostic("it casts to type \(code)") }
    return [try converted(&builder, call.input(0), to: element)]
  },
  ImportedOperator("CastLike", "strings, and floats of 8 bits and less") { builder, call in
    call.attributes.ignore("saturate", "round_mode")
    return [try converted(&builder, call.input(0), to: builder.type(of: call.input(1)).element)]
  },
  ImportedOperator("BitCast", "elements of less than 8 bits") { builder, call in
    let code = try call.attributes.integer("to") ?? 0
    guard let element = ElementType(onnx: Int32(clamping: code)) else { throw Diagnostic("it casts to type \(code)") }
    let x = try call.input(0)
    return [try builder.type(of: x).element == element ? x : builder.apply(BitCast(to: element), [x])]
  },
  ImportedOperator("Range", onlyKnown) { builder, call in
    let bounds = try (0..<3).map { try call.known($0, "its bounds").tensor }
    guard bounds.allSatisfy({ $0.count == 1 && $0.element == bounds[0].element }) else {
      throw Diagnostic("its bounds are not three numbers of one type")
    }
    if !bounds[0].element.isFloat {
      return [builder.known(try integerRange(bounds.map { $0.integer[0] }, bounds[0].element))]
    }
    let start = KnownArithmetic.numbers(bounds[0])[0]
    let (end, step) = (KnownArithmetic.numbers(bounds[1])[0], KnownArithmetic.numbers(bounds[2])[0])
    let length = ((end - start) / step).rounded(.up)
    guard length.isFinite, step != 0, max(abs(start), abs(end), abs(step)) < 9e15,
      length <= Double(KnownArithmetic.mostElements)
    else {
      throw Diagnostic("from \(start) to \(end) by \(step) is no list that can be known")
    }
    let values = (0..<Int(max(0, length))).map { start + Double($0) * step }
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
  ImportedOperator("Expand", "shapes that depend on the input") { builder, call in
    let shape = try knownExtents(call.integers(1, "the shape") ?? [])
    let x = try call.input(0)
    // If the shape has an extent of 1, or none, the operand's extent stays.
    let own = try builder.type(of: x).shape
    let tail = shape.suffix(own.count)
    if shape.count <= own.count, zip(own.suffix(tail.count), tail).allSatisfy({ $1 == 1 || $0 == $1 }) { return [x] }
    guard let known = x.known?.tensor else {
      let aligned = [Int](repeating: 1, count: max(0, own.count - shape.count)) + shape
      let padded = [Int](repeating: 1, count: max(0, shape.count - own.count)) + own
      let result = zip(padded, aligned).map { $1 == 1 ? $0 : $1 }
      // Of what is repeated no time there is nothing, whatever it was.
      if result.contains(0), zip(padded, result).allSatisfy({ $0 == 1 || $0 == $1 }) {
        return [builder.known(TensorData(element: try builder.type(of: x).element, shape: result, bytes: []))]
      }
      let repeated = try builder.apply(Broadcast(shape: result), [x])
      if case .computed(let id) = repeated, case .computed(let source) = x { builder.repeated[id] = source }
      return [repeated]
    }
    return [builder.known(try KnownArithmetic.expanded(known, to: shape))]
  },
  ImportedOperator("Tile", "repeats that depend on the input") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    guard let repeats = try call.integers(1, "the repeats"), repeats.count == type.rank else {
      throw Diagnostic("it does not say for each axis how often it repeats it")
    }
    if let axis = repeats.firstIndex(where: { !(0...ImportBuilder.mostElements).contains($0) }) {
      throw Diagnostic("it repeats axis \(axis) \(repeats[axis]) times")
    }
    if repeats.allSatisfy({ $0 == 1 }) { return [x] }
    if repeats.contains(0) || type.count == 0 {
      var shape = type.shape
      for (axis, count) in repeats.enumerated() {
        shape[axis] = min(count, KnownArithmetic.mostElements + 1) * shape[axis]
      }
      let extents = try knownExtents(shape)
      return [builder.known(TensorData(element: type.element, shape: extents, bytes: []))]
    }
    // Each axis gets a new axis before it, along which it is repeated.
    let apart = type.shape.flatMap { [1, $0] }
    let repeated = zip(repeats, type.shape).flatMap { [$0, $1] }
    let copies = try builder.apply(Broadcast(shape: repeated), [builder.apply(Reshape(shape: apart), [x])])
    return [try builder.apply(Reshape(shape: zip(repeats, type.shape).map { $0 * $1 }), [copies])]
  },
  ImportedOperator("Where") { builder, call in
    let operands = try (0..<3).map { try call.input($0) }
    if let condition = operands[0].known, let a = operands[1].known, let b = operands[2].known {
      return [builder.known(try KnownArithmetic.chosen(condition.tensor, a.tensor, b.tensor))]
    }
    return [try builder.apply(Select(), operands)]
  },
  comparison("Equal", .equal),
  comparison("Less", .less),
  comparison("LessOrEqual", .lessOrEqual),
  comparison("Greater", .greater),
  comparison("GreaterOrEqual", .greaterOrEqual),
  logical("And", .and),
  logical("Or", .or),
  logical("Xor", .xor),
  ImportedOperator("Not") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    if type.element != .bool { throw Diagnostic("it negates \(type); its operand must be bool") }
    return [type.count == 0 ? x : try builder.apply(Not(), [x])]
  },
  rounding("Floor", .down, Floor()),
  rounding("Ceil", .up, Ceiling()),
  rounding("Round", .toNearestOrEven, Round()),
]
