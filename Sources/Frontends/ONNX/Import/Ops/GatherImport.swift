import Foundation
import IR

// Operators that read at places that data says, and the one that finds such places.

/// Indices that are known, counted from the front; throws if one is outside.
private func positions(_ indices: KnownTensor, extent: Int) throws -> [Int] {
  guard !indices.data.element.isFloat else { throw Diagnostic("its indices are \(indices.data.element.rawValue)") }
  return try indices.tensor.integer.map { index -> Int in
    guard (-Int64(extent)..<Int64(extent)).contains(index) else {
      throw Diagnostic("the index \(index) is not among \(extent)")
    }
    return Int(index < 0 ? index + Int64(extent) : index)
  }
}

/// Slices of x along an axis in the shape of the indices. Known ones at even distances are a slice, which needs no
/// indices at run time.
private func gathered(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ indices: ImportedValue, axis: Int
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  guard let known = indices.known else { return try builder.apply(Gather(axis: axis), [x, indices]) }
  let places = try positions(known, extent: type.shape[axis])
  let shape = try knownOrAny(
    type.shape[..<axis] + known.data.shape + type.shape[(axis + 1)...], isKnown: x.known != nil)
  if let x = x.known {
    let inner = type.shape[(axis + 1)...].reduce(1, *)
    let outer = type.shape[..<axis].reduce(1, *)
    let picked = (0..<outer).flatMap { row in
      places.flatMap { place in (0..<inner).map { (row * type.shape[axis] + place) * inner + $0 } }
    }
    return builder.known(KnownArithmetic.picked(x.tensor, picked, shape: shape))
  }
  guard let first = places.first, let last = places.last else {
    return builder.known(TensorData(element: type.element, shape: shape, bytes: []))
  }
  let step = places.count > 1 ? places[1] - first : 1
  guard step != 0, places.enumerated().allSatisfy({ $0.element == first + $0.offset * step }) else {
    let counted = Tensor<Double>(element: .i64, shape: known.data.shape, integer: places.map { Int64($0) })
    return try builder.apply(Gather(axis: axis), [x, builder.known(counted)])
  }
  // With a negative step the end may lie before the first element, which no count from the end reaches.
  let end = step > 0 ? last + 1 : last == 0 ? -type.shape[axis] - 1 : last - 1
  let slice = try slicedAlong(&builder, x, axis: axis, from: first, to: end, step: step)
  return try reshaped(&builder, slice, shape)
}

private func knownOrAny(_ shape: [Int], isKnown: Bool) throws -> [Int] { isKnown ? try knownExtents(shape) : shape }

let gatherOperators: [ImportedOperator] = [
  ImportedOperator("Gather") { builder, call in
    let x = try call.input(0)
    let axis = try call.axis(call.attributes.integer("axis") ?? 0, rank: builder.type(of: x).rank)
    return [try gathered(&builder, x, call.input(1), axis: axis)]
  },
  ImportedOperator("GatherElements") { builder, call in
    let axis = try call.attributes.integer("axis") ?? 0
    return [try builder.apply(GatherElements(axis: axis), [call.input(0), call.input(1)])]
  },
  ImportedOperator("GatherND") { builder, call in
    let batchDims = try call.attributes.integer("batch_dims") ?? 0
    let (x, indices) = (try call.input(0), try call.input(1))
    let shape = try builder.type(of: indices).shape
    let rank = try builder.type(of: x).rank
    // Tuples of one index are indices along the first axis.
    if batchDims == 0, shape.last == 1, rank > 0 {
      return [try gathered(&builder, x, reshaped(&builder, indices, shape.dropLast()), axis: 0)]
    }
    return [try builder.apply(GatherND(batchDims: batchDims), [x, indices])]
  },
  ImportedOperator("TopK", "k that depends on the input") { builder, call in
    call.attributes.ignore("sorted")
    let x = try call.input(0)
    let axis = try call.axis(call.attributes.integer("axis") ?? -1, rank: builder.type(of: x).rank)
    guard let k = try call.integers(1, "k"), k.count == 1 else { throw Diagnostic("its k is not one integer") }
    let largest = try call.attributes.flag("largest") ?? true
    return try builder.applyAll(TopK(axis: axis, k: k[0], largest: largest), [x])
  },
]
