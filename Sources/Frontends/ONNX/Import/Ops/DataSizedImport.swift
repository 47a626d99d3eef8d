import IR

// Operators whose result has a size that data decide. A compiled model has fixed sizes, so their operands must be known.

/// The size of a result hangs on the model's input. The walk, which knows the names, says where to cut the model.
struct SizeOfData: Error {
  let what: String
}

/// An operand that decides a size.
private func known(_ call: ImportCall, _ index: Int, _ what: String) throws -> Tensor<Double> {
  guard let tensor = try call.input(index).known else { throw SizeOfData(what: what) }
  return tensor.tensor
}

/// Whether each element is another number than zero.
private func truths(_ x: Tensor<Double>) -> [Bool] {
  switch x.storage {
  case .real(let values): values.map { $0 != 0 }
  case .integer(let values): values.map { $0 != 0 }
  }
}

let dataSizedOperators: [ImportedOperator] = [
  ImportedOperator("NonZero", "anything that depends on the input") { builder, call in
    let x = try known(call, 0, "how many elements are not zero")
    let found = truths(x).enumerated().filter(\.element).map(\.offset)
    let strides = KnownArithmetic.strides(x.shape)
    // A number counts as a list of one.
    let rank = max(1, x.shape.count)
    let places = (0..<rank).flatMap { axis in
      found.map { x.shape.isEmpty ? 0 : Int64($0 / strides[axis] % x.shape[axis]) }
    }
    return [builder.known(Tensor<Double>(element: .i64, shape: [rank, found.count], integer: places))]
  },
  ImportedOperator("Compress", "a condition that depends on the input") { builder, call in
    let chosen = truths(try known(call, 1, "how many slices it keeps")).enumerated().filter(\.element).map(\.offset)
    var x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.attributes.integer("axis").map { try call.axis($0, rank: type.rank) }
    if axis == nil { x = try reshaped(&builder, x, [type.count]) }
    let extent = axis.map { type.shape[$0] } ?? type.count
    if let place = chosen.last, place >= extent { throw Diagnostic("it keeps place \(place) of \(extent)") }
    let places = Tensor<Double>(element: .i64, shape: [chosen.count], integer: chosen.map { Int64($0) })
    return try builder.nodes("Gather", [x, builder.known(places)], [.integer("axis", axis ?? 0)])
  },
  ImportedOperator("Unique", "anything that depends on the input") { builder, call in
    let x = try known(call, 0, "how many different elements there are")
    let isSorted = try call.attributes.flag("sorted") ?? true
    let axis = try call.attributes.integer("axis").map { try call.axis($0, rank: x.shape.count) }
    return try UniqueSlices(x, axis: axis, isSorted: isSorted).results(of: x, axis: axis).map { builder.known($0) }
  },
  ImportedOperator("NonMaxSuppression", "anything that depends on the input") { builder, call in
    let most = try call.integers(2, "the number of boxes")?.first ?? 0
    if most <= 0 { return [builder.known(Tensor<Double>(element: .i64, shape: [0, 3], integer: []))] }
    let what = "how many boxes it keeps"
    let suppression = BoxSuppression(
      boxes: try known(call, 0, what), scores: try known(call, 1, what), most: most,
      overlap: Float(try call.scalar(3, "the limit of overlap") ?? 0),
      score: try call.scalar(4, "the least score").map { Float($0) },
      isCentred: try call.attributes.flag("center_point_box") ?? false)
    let rows = try suppression.kept()
    return [builder.known(Tensor<Double>(element: .i64, shape: [rows.count, 3], integer: rows.flatMap { $0 }))]
  },
]

/// The different slices of a tensor along an axis, or its different elements.
private struct UniqueSlices {
  /// Of each different slice, where it lies first, and how often there is one.
  private var first: [Int] = []
  private var counts: [Int64] = []
  /// Of each slice, which of the different ones it is.
  private var inverse: [Int64]

  init(_ x: Tensor<Double>, axis: Int?, isSorted: Bool) throws {
    let count = axis.map { x.shape[$0] } ?? x.count
    let keys = (0..<count).map { slice in Self.key(x, Self.places(x, axis, slice)) }
    var known: [[UInt64]: Int] = [:]
    inverse = []
    for (slice, key) in keys.enumerated() {
      let number = known[key] ?? first.count
      if number == first.count {
        known[key] = number
        first.append(slice)
        counts.append(0)
      }
      counts[number] += 1
      inverse.append(Int64(number))
    }
    guard isSorted else { return }
    let order = first.indices.sorted { keys[first[$0]].lexicographicallyPrecedes(keys[first[$1]]) }
    var rank = [Int64](repeating: 0, count: order.count)
    for (place, number) in order.enumerated() { rank[number] = Int64(place) }
    (first, counts) = (order.map { first[$0] }, order.map { counts[$0] })
    inverse = inverse.map { rank[Int($0)] }
  }

  func results(of x: Tensor<Double>, axis: Int?) throws -> [Tensor<Double>] {
    var shape = axis == nil ? [first.count] : x.shape
    if let axis { shape[axis] = first.count }
    var picked = [Int](repeating: 0, count: shape.reduce(1, *))
    let own = KnownArithmetic.strides(shape)
    for (place, slice) in first.enumerated() {
      for (number, element) in Self.places(x, axis, slice).enumerated() {
        guard let axis else {
          picked[place] = element
          continue
        }
        // The places of a slice run over the axes before and after, in their order.
        picked[number / own[axis] * own[axis] * first.count + place * own[axis] + number % own[axis]] = element
      }
    }
    func list(_ values: [Int64]) -> Tensor<Double> {
      Tensor(element: .i64, shape: [values.count], integer: values)
    }
    return [
      KnownArithmetic.picked(x, picked, shape: shape), list(first.map { Int64($0) }), list(inverse), list(counts),
    ]
  }

  /// Where the elements of a slice lie.
  private static func places(_ x: Tensor<Double>, _ axis: Int?, _ slice: Int) -> [Int] {
    guard let axis else { return [slice] }
    let inner = x.shape[(axis + 1)...].reduce(1, *)
    let outer = x.shape[..<axis].reduce(1, *)
    return (0..<outer).flatMap { row in (0..<inner).map { (row * x.shape[axis] + slice) * inner + $0 } }
  }

  /// Numbers in the order of the elements: equal for equal ones, of which zeros of both signs are.
  private static func key(_ x: Tensor<Double>, _ places: [Int]) -> [UInt64] {
    switch x.storage {
    case .real(let values):
      places.map { place in
        let bits = (values[place] == 0 ? 0 : values[place]).bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
      }
    case .integer(let values):
      places.map { place in
        let bits = UInt64(bitPattern: values[place])
        return x.element == .u64 ? bits : bits ^ 1 << 63
      }
    }
  }
}

/// Which boxes are kept: of each class the best, and each further one that overlaps none of those before it by much.
private struct BoxSuppression {
  var boxes: Tensor<Double>
  var scores: Tensor<Double>
  var most: Int
  var overlap: Float
  var score: Float?
  var isCentred: Bool

  /// As many pairs of boxes as are compared.
  private static let mostPairs = 1 << 28

  private struct Box {
    var y1, x1, y2, x2: Float

    var area: Float { (y2 - y1) * (x2 - x1) }

    /// The part of both that is in both; nothing where either has no area.
    func overlap(_ other: Box) -> Float {
      let height = min(y2, other.y2) - max(y1, other.y1)
      let width = min(x2, other.x2) - max(x1, other.x1)
      guard height > 0, width > 0, area > 0, other.area > 0 else { return 0 }
      let common = height * width
      return common / (area + other.area - common)
    }
  }

  /// Rows of batch, class and box.
  func kept() throws -> [[Int64]] {
    let (shape, extents) = (boxes.shape, scores.shape)
    guard shape.count == 3, extents.count == 3, shape[2] == 4, shape[0] == extents[0], shape[1] == extents[2],
      boxes.element == .f32, scores.element == .f32
    else {
      throw Diagnostic(
        "its boxes are \(shape) and its scores \(extents); they must be [N,boxes,4] and [N,classes,boxes]")
    }
    let places = boxes.real.map { Float($0) }
    let values = scores.real.map { Float($0) }
    var rows: [[Int64]] = []
    var pairs = 0
    for batch in 0..<shape[0] {
      let all = (0..<shape[1]).map { box(Array(places[(batch * shape[1] + $0) * 4..<(batch * shape[1] + $0) * 4 + 4])) }
      for kind in 0..<extents[1] {
        let own = Array(values[(batch * extents[1] + kind) * shape[1]..<(batch * extents[1] + kind + 1) * shape[1]])
        var chosen: [Int] = []
        let candidates = own.indices.filter { place in score.map { own[place] > $0 } ?? true }
        // Of equal scores the first box comes first.
        for place in candidates.sorted(by: { own[$0] == own[$1] ? $0 < $1 : own[$0] > own[$1] }) {
          if chosen.count == most { break }
          pairs += chosen.count
          if pairs > Self.mostPairs { throw Diagnostic("it compares more than \(Self.mostPairs) pairs of boxes") }
          if !chosen.contains(where: { all[$0].overlap(all[place]) > overlap }) { chosen.append(place) }
        }
        rows += chosen.map { [Int64(batch), Int64(kind), Int64($0)] }
      }
    }
    return rows
  }

  /// Out of two opposite corners, y first, or of a centre and sizes, x first.
  private func box(_ numbers: [Float]) -> Box {
    if isCentred {
      let (width, height) = (numbers[2] / 2, numbers[3] / 2)
      return Box(
        y1: numbers[1] - height, x1: numbers[0] - width, y2: numbers[1] + height, x2: numbers[0] + width)
    }
    return Box(
      y1: min(numbers[0], numbers[2]), x1: min(numbers[1], numbers[3]), y2: max(numbers[0], numbers[2]),
      x2: max(numbers[1], numbers[3]))
  }
}
