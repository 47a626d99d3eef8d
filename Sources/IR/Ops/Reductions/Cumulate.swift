import RealModule

/// For each element the sum or product of the elements along an axis up to it.
public struct Cumulate: Op {
  public static let mnemonic = "cumulate"

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    case sum
    case product = "prod"
  }

  public var kind: Kind
  public var axis: Int
  /// Leaves each element itself out.
  public var exclusive: Bool
  /// From the end of the axis.
  public var reverse: Bool

  public init(kind: Kind, axis: Int, exclusive: Bool = false, reverse: Bool = false) {
    self.kind = kind
    self.axis = axis
    self.exclusive = exclusive
    self.reverse = reverse
  }

  public init(_ reader: inout AttributeReader) throws {
    self.kind = try reader.choice("kind")
    self.axis = try reader.integer("axis")
    self.exclusive = try reader.bool("exclusive")
    self.reverse = try reader.bool("reverse")
  }

  public var attributes: [Attribute] {
    [
      Attribute("kind", .string(kind.rawValue)), Attribute("axis", .integer(axis)),
      Attribute("exclusive", .bool(exclusive)), Attribute("reverse", .bool(reverse)),
    ]
  }

  /// An exclusive product begins with 1.
  public var mapsZeroToZero: Bool { kind == .sum || !exclusive }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.number(0)
    _ = try checker.axis(axis, rank: x.rank)
    return [.tensor(TensorType(x.element, x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let order = AxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    func run<Element>(_ values: [Element], _ start: Element, _ fold: (Element, Element) -> Element) -> [Element] {
      var result = values
      for base in order.outer {
        var total = start
        for offset in reverse ? order.inner.reversed() : order.inner {
          let next = fold(total, values[base + offset])
          result[base + offset] = exclusive ? total : next
          total = next
        }
      }
      return result
    }
    switch x.storage {
    case .real(let values):
      let result = kind == .sum ? run(values, 0) { $0 + $1 } : run(values, 1) { $0 * $1 }
      return [.tensor(Tensor(element: x.element, shape: x.shape, real: result))]
    case .integer(let values):
      let result = kind == .sum ? run(values, 0) { $0 &+ $1 } : run(values, 1) { $0 &* $1 }
      return [.tensor(Tensor(element: x.element, shape: x.shape, integer: result.map(x.element.wrapped)))]
    }
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let type = x.computingType
    let split = LoopAxisSplit(shape: x.shape, inner: [resolvedAxis(axis, rank: x.shape.count)])
    let extent = split.innerShape[0]
    builder.loops(over: split.outerShape) { builder, outer in
      let register = builder.register("total", type, .constant(kind == .sum ? 0 : 1, type))
      builder.loop("i", 0, .constant(extent)) { builder, step in
        let inner = reverse ? .constant(extent - 1) - step : step
        let index = split.index(outer: outer, inner: [inner])
        let before = builder.let("before", type, .variable(register))
        let value = x.loadComputing(index)
        builder.assign(register, kind == .sum ? before + value : before * value)
        builder.storeComputed(result, index, exclusive ? before : .variable(register))
      }
    }
  }
}
