import RealModule

/// The `k` largest or smallest elements along an axis, in order, and the places they came from: two results, the values
/// and their indices (i64), each of x's shape with `k` along the axis.
///
/// Of equal elements the one at the lower index comes first. NaN counts as more than any number: the first of the largest
/// and the last of the smallest.
public struct TopK: Op {
  public static let mnemonic = "top_k"

  public var axis: Int
  public var k: Int
  /// The largest, descending; otherwise the smallest, ascending.
  public var largest: Bool

  public init(axis: Int, k: Int, largest: Bool = true) {
    self.axis = axis
    self.k = k
    self.largest = largest
  }

  public init(_ reader: inout AttributeReader) throws {
    self.axis = try reader.integer("axis")
    self.k = try reader.integer("k")
    self.largest = try reader.bool("largest")
  }

  public var attributes: [Attribute] {
    [Attribute("axis", .integer(axis)), Attribute("k", .integer(k)), Attribute("largest", .bool(largest))]
  }

  /// Indices of zeros are not zeros.
  public var mapsZeroToZero: Bool { false }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    if x.rank == 0 { throw checker.failure(0, mustBe: "a tensor with axes") }
    let axis = try checker.axis(axis, rank: x.rank)
    guard (1...x.shape[axis]).contains(k) else {
      throw checker.problem("k is \(k); axis \(axis) of \(x) has \(x.shape[axis]) elements, so k is from 1 to that")
    }
    var shape = x.shape
    shape[axis] = k
    return [.tensor(x.with(shape: shape)), .tensor(TensorType(.i64, shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let axis = resolvedAxis(axis, rank: x.shape.count)
    var shape = x.shape
    shape[axis] = k
    func result<Element>(_ values: [Element], _ precedes: (Element, Element) -> Bool) -> ([Element], [Int64]) {
      let extent = x.shape[axis]
      let inner = x.shape[(axis + 1)...].reduce(1, *)
      var chosen = [Element](repeating: values[0], count: shape.reduce(1, *))
      var places = [Int64](repeating: 0, count: chosen.count)
      for line in 0..<(values.count / extent) {
        let (block, column) = line.quotientAndRemainder(dividingBy: inner)
        let first = block * extent * inner + column
        let ranked = (0..<extent).sorted { a, b in
          let (p, q) = (values[first + a * inner], values[first + b * inner])
          return precedes(p, q) || (!precedes(q, p) && a < b)
        }
        for (rank, place) in ranked.prefix(k).enumerated() {
          let target = (block * k + rank) * inner + column
          chosen[target] = values[first + place * inner]
          places[target] = Int64(place)
        }
      }
      return (chosen, places)
    }
    let values: Tensor<T>
    let indices: [Int64]
    switch x.storage {
    case .real(let reals):
      let (chosen, places) = result(reals) { a, b in
        if a.isNaN || b.isNaN { return a.isNaN != b.isNaN && a.isNaN == largest }
        return largest ? a > b : a < b
      }
      values = Tensor(element: x.element, shape: shape, real: chosen)
      indices = places
    case .integer(let integers):
      let (chosen, places) = result(integers) { a, b in
        // Numbers beyond the signed range are stored by their bits.
        if x.element == .u64 {
          let (a, b) = (UInt64(bitPattern: a), UInt64(bitPattern: b))
          return largest ? a > b : a < b
        }
        return largest ? a > b : a < b
      }
      values = Tensor(element: x.element, shape: shape, integer: chosen)
      indices = places
    }
    return [.tensor(values), .tensor(Tensor(element: .i64, shape: shape, integer: indices))]
  }

  /// One line after the other, `k` times through each: each time it finds the first, in order, of those that follow the
  /// one found before.
  // Long because its comparisons are small functions of the element type, used by one nest of loops.
  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let element = x.type.element
    if element == .bool { throw Diagnostic("top_k has no loops for bool") }
    let axis = resolvedAxis(axis, rank: x.shape.count)
    let extent = x.shape[axis]
    let type = x.computingType
    let places = LoopType(.i64)
    let range = 0...(extent - 1)
    var outer = x.shape
    outer.remove(at: axis)
    func place(_ line: [LoopIndex], _ index: LoopIndex) -> [LoopIndex] {
      Array(line[..<axis]) + [index] + Array(line[axis...])
    }
    func isNaN(_ value: LoopValue) -> LoopValue { .compare(.notEqual, value, value) }
    func both(_ a: LoopValue, _ b: LoopValue) -> LoopValue { .binary(.and, a, b) }
    func either(_ a: LoopValue, _ b: LoopValue) -> LoopValue { .binary(.or, a, b) }
    /// Whether a comes before b whatever their places are.
    func precedes(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
      let better = LoopValue.compare(largest ? .greater : .less, a, b)
      guard element.isFloat else { return better }
      let (special, ordinary) = largest ? (a, b) : (b, a)
      return either(better, both(isNaN(special), .compare(.equal, ordinary, ordinary)))
    }
    /// Whether only their places decide which of two comes first.
    func ties(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
      let equal = LoopValue.compare(.equal, a, b)
      return element.isFloat ? either(equal, both(isNaN(a), isNaN(b))) : equal
    }
    builder.loops(over: outer) { builder, line in
      let first = builder.let("first", type, x.loadComputing(place(line, 0)))
      let last = builder.register("last", type, first)
      let lastPlace = builder.register("last_place", places, range: range, .constant(0, places))
      builder.loop("rank", 0, .constant(k)) { builder, rank in
        let best = builder.register("best", type, first)
        let bestPlace = builder.register("best_place", places, range: range, .constant(0, places))
        let found = builder.register("found", .mask(lanes: 1), .firstLanes(0, lanes: 1))
        let isFirst = builder.let(
          "is_first", .mask(lanes: 1), .compare(.less, .index(rank, places, step: 0), .constant(1, places)))
        builder.loop("other", 0, .constant(extent)) { builder, other in
          let value = builder.let("value", type, x.loadComputing(place(line, other)))
          let here = builder.let("here", places, .index(other, places, step: 0))
          let follows = either(
            precedes(.variable(last), value),
            both(ties(.variable(last), value), .compare(.less, .variable(lastPlace), here)))
          let better = either(.unary(.not, .variable(found)), precedes(value, .variable(best)))
          let taken = builder.let("taken", .mask(lanes: 1), both(either(isFirst, follows), better))
          builder.assign(best, .select(taken, value, .variable(best)))
          builder.assign(bestPlace, .select(taken, here, .variable(bestPlace)))
          builder.assign(found, either(.variable(found), taken))
        }
        builder.assign(last, .variable(best))
        builder.assign(lastPlace, .variable(bestPlace))
        let target = place(line, rank)
        builder.storeComputed(results[0], target, .variable(best))
        builder.store(results[1].buffer, results[1].offset(target), .variable(bestPlace))
      }
    }
  }
}
