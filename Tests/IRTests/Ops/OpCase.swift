import IR
import RealModule
import Testing

/// One op on concrete operands; `OpCase.all` has every op, most with several parameters. Extents differ on purpose.
struct OpCase: CustomTestStringConvertible, Sendable {
  enum Operand: Sendable {
    case tensor([Int], ClosedRange<Double>)
    /// Of any element type; integers are rounded to.
    case typed(ElementType, [Int], ClosedRange<Double>)
    case neighborhood(NeighborhoodType, NeighborhoodValue)
  }

  var name: String
  var op: any Op
  var operands: [Operand]

  var testDescription: String { name }

  init(_ name: String, _ op: any Op, _ operands: [Operand]) {
    self.name = name
    self.op = op
    self.operands = operands
  }

  /// Operands of these shapes, of numbers between -2 and 2.
  init(_ name: String, _ op: any Op, shapes: [Int]...) {
    self.init(name, op, shapes.map { .tensor($0, -2...2) })
  }

  /// Whether no operand is of another type than float32.
  var isFloat32: Bool {
    operands.allSatisfy { operand in
      if case .typed = operand { false } else { true }
    }
  }

  var types: [ValueType] {
    operands.map { operand in
      switch operand {
      case .tensor(let shape, _): .tensor(TensorType(.f32, shape))
      case .typed(let element, let shape, _): .tensor(TensorType(element, shape))
      case .neighborhood(let type, _): .neighborhood(type)
      }
    }
  }

  /// The operands' values: the same float32 numbers in any `T`.
  func values<T>() -> [RuntimeValue<T>] {
    operands.enumerated().map { place, operand in
      switch operand {
      case .tensor(let shape, let range):
        let reals = randomFloats(shape.reduce(1, *), in: range, seed: UInt64(place + 1)).map { T($0) }
        return .tensor(Tensor(shape: shape, real: reals))
      case .typed(let element, let shape, let range):
        let numbers = randomFloats(shape.reduce(1, *), in: range, seed: UInt64(place + 1)).map(Double.init)
        return .tensor(
          Tensor(TensorData(element, shape: shape, element.isFloat ? numbers : numbers.map { $0.rounded() })))
      case .neighborhood(let type, let value): return .neighborhood(value, type)
      }
    }
  }
}

/// Numbers out of a fixed generator.
func randomFloats(_ count: Int, in range: ClosedRange<Double> = -2...2, seed: UInt64 = 1) -> [Float] {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    let unit = Double(state >> 11) / Double(UInt64(1) << 53)
    return Float(range.lowerBound + unit * (range.upperBound - range.lowerBound))
  }
}

func randomTensor<T>(_ shape: [Int], in range: ClosedRange<Double> = -2...2, seed: UInt64 = 1) -> Tensor<T> {
  Tensor(shape: shape, real: randomFloats(shape.reduce(1, *), in: range, seed: seed).map { T($0) })
}
