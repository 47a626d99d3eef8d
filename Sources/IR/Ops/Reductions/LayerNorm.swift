import RealModule

/// Layer normalisation: (x - mean) / sqrt(variance + epsilon) * weight + bias, mean and (biased) variance over `axes`.
/// Operands x and, optionally, weight and bias, both of the shape that x has along `axes` in ascending order.
public struct LayerNorm: Op {
  public static let mnemonic = "layer_norm"

  public var axes: [Int]
  public var epsilon: Double

  public init(axes: [Int], epsilon: Double) {
    self.axes = axes
    self.epsilon = epsilon
  }

  public init(_ reader: inout AttributeReader) throws {
    self.axes = try reader.integers("axes")
    self.epsilon = try reader.float("epsilon")
  }

  public var attributes: [Attribute] { [Attribute("axes", .integers(axes)), Attribute("epsilon", .float(epsilon))] }

  /// Unless epsilon is zero: then the quotient is 0 / 0.
  public var mapsZeroToZero: Bool { epsilon > 0 }

  private func normalizedAxes(rank: Int) -> Set<Int> { Set(axes.map { resolvedAxis($0, rank: rank) }) }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "weight?", "bias?"])
    let x = try checker.real(0)
    if axes.isEmpty { throw checker.problem("it needs at least one axis") }
    let axes = try checker.axes(axes, rank: x.rank).sorted()
    for index in 1..<3 where checker.has(index) {
      let shape = axes.map { x.shape[$0] }
      _ = try checker.real(index, shape: shape, meaning: "the shape along the axes [\(checker.list(axes))]")
    }
    if !(epsilon >= 0) { throw checker.problem("epsilon is \(epsilon); it must not be negative") }
    return [.tensor(x.with(shape: x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let weight = operands.count > 1 ? operands[1].tensor.real : nil
    let bias = operands.count > 2 ? operands[2].tensor.real : nil
    let split = AxisSplit(shape: x.shape, inner: normalizedAxes(rank: x.shape.count))
    var values = x.real
    let count = T(split.inner.count)
    for base in split.outer {
      let mean = split.inner.reduce(0) { $0 + values[base + $1] } / count
      let variance =
        split.inner.reduce(0) { sum, offset in
          let deviation = values[base + offset] - mean
          return sum + deviation * deviation
        } / count
      let scale = 1 / (variance + T(epsilon)).squareRoot()
      for (place, offset) in split.inner.enumerated() {
        let normalized = (values[base + offset] - mean) * scale
        values[base + offset] = normalized * (weight?[place] ?? 1) + (bias?[place] ?? 0)
      }
    }
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: values))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let type = x.computingType
    let result = results[0]
    let split = LoopAxisSplit(shape: x.shape, inner: normalizedAxes(rank: x.shape.count))
    let count = LoopValue.constant(Double(split.innerShape.reduce(1, *)), type)
    builder.loops(over: split.outerShape) { builder, outer in
      let sum = total(&builder, "sum", type, over: split.innerShape) { builder, inner, partial in
        let element = x.loadComputing(split.index(outer: outer, inner: inner))
        return partial.map { $0 + element } ?? element
      }
      let mean = builder.let("mean", type, sum / count)
      let squares = total(&builder, "squares", type, over: split.innerShape) { builder, inner, partial in
        let deviation = builder.let("deviation", type, x.loadComputing(split.index(outer: outer, inner: inner)) - mean)
        return partial.map { .fma(deviation, deviation, $0) } ?? deviation * deviation
      }
      let root = LoopValue.unary(.squareRoot, squares / count + .literal(epsilon, type))
      let scale = builder.let("scale", type, .constant(1, type) / root)
      builder.loops(over: split.innerShape) { builder, inner in
        let index = split.index(outer: outer, inner: inner)
        var value = (x.loadComputing(index) - mean) * scale
        if operands.count > 1 { value = value * operands[1].loadComputing(inner) }
        if operands.count > 2 { value = value + operands[2].loadComputing(inner) }
        builder.storeComputed(result, index, value)
      }
    }
  }

  /// The most terms that a plain sum may have: a sum of 65,536, as when a whole image is normalised, is wrong by 1e-5.
  private static let mostPlainTerms = 1024

  /// A sum over the normalised elements; if there are many, one that also carries what rounding loses.
  /// - Parameter add: the partial sum with an element's term added; the term alone if there is none.
  private func total(
    _ builder: inout LoopBuilder, _ name: String, _ type: LoopType, over shape: [Int],
    _ add: (inout LoopBuilder, [LoopIndex], LoopValue?) -> LoopValue
  ) -> LoopValue {
    if shape.reduce(1, *) > Self.mostPlainTerms {
      let sum = CompensatedSum(&builder, type)
      builder.loops(over: shape) { builder, inner in
        let term = add(&builder, inner, nil)
        sum.add(&builder, builder.let("term", type, term))
      }
      return sum.value
    }
    let sum = builder.register(name, type, .constant(0, type))
    builder.loops(over: shape) { builder, inner in
      let next = add(&builder, inner, .variable(sum))
      builder.assign(sum, next)
    }
    return .variable(sum)
  }
}
