import RealModule

/// One element while the interpreter runs.
public enum ElementValue<T: Real & BinaryFloatingPoint & Sendable>: Sendable {
  case real(T)
  /// The value of an integer or a bool; unsigned integers of 64 bits are stored as their bits.
  case integer(Int64)

  /// The real; a bug of ours on an integer.
  var real: T {
    if case .real(let value) = self { return value }
    preconditionFailure("not a float")
  }

  /// The integer; a bug of ours on a real.
  var integer: Int64 {
    if case .integer(let value) = self { return value }
    preconditionFailure("not an integer")
  }
}

/// An op that computes each element of its result from one element of each operand, whatever types these have: a
/// comparison, a choice, a conversion. Shapes broadcast by numpy's rule. It stands alone, never in another op's kernel.
public protocol MixedElementwiseOp: Op {
  /// What the operands are called, in order.
  static var operandNames: [String] { get }

  /// The element type of the result, or a `Diagnostic` about an operand; shapes are checked elsewhere.
  func resultElement(_ checker: OperandElements) throws -> ElementType

  /// The reference: one element of the result from one of each operand, `elements` their types.
  func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T>

  /// The loop form on scalars in the types that loops compute in, `elements` being the operands' own; a bool is a mask
  /// of one lane in the result, a byte of 0 or 1 in operands. Operands are variables, so that they may be used twice.
  func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue
}

/// What a typing rule asks about its operands' element types.
public struct OperandElements {
  let checker: OperandChecker

  func any(_ index: Int) throws -> ElementType { try checker.plain(index).element }
  func float(_ index: Int) throws -> ElementType { try checker.real(index).element }
  func number(_ index: Int) throws -> ElementType { try checker.number(index).element }
  func integer(_ index: Int) throws -> ElementType { try checker.integers(index).element }
  func truth(_ index: Int) throws -> ElementType { try checker.truths(index).element }

  func failure(_ index: Int, mustBe expected: String) -> Diagnostic { checker.failure(index, mustBe: expected) }

  /// Checks that one operand has the type of another.
  func same(_ index: Int, as other: Int) throws {
    let element = try any(other)
    if try any(index) != element {
      throw checker.failure(index, mustBe: "a tensor of \(element.rawValue), like operand \(other)")
    }
  }
}

extension MixedElementwiseOp {
  public var mapsZeroToZero: Bool { false }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, Self.operandNames)
    let element = try resultElement(OperandElements(checker: checker))
    var shape = try checker.tensor(0).shape
    for index in operands.indices.dropFirst() {
      let next = try checker.tensor(index).shape
      guard let both = broadcastShape(shape, next) else {
        throw checker.failure(index, mustBe: "of a shape that broadcasts with [\(checker.list(shape))]")
      }
      shape = both
    }
    try checker.checkShape(shape)
    return [.tensor(TensorType(element, shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands.map(\.tensor)
    let types = x.map { ValueType.tensor(TensorType($0.element, $0.shape)) }
    guard let type = try resultTypes(types)[0].tensor else { preconditionFailure("typing gives a tensor") }
    let strides = x.map { broadcastStrides($0.shape, to: type.shape) }
    let elements = x.map(\.element)
    var results: [ElementValue<T>] = []
    results.reserveCapacity(type.count)
    forEachIndex(type.shape) { index in
      let values = x.indices.map { operand -> ElementValue<T> in
        let place = zip(index, strides[operand]).reduce(0) { $0 + $1.0 * $1.1 }
        switch x[operand].storage {
        case .real(let reals): return .real(reals[place])
        case .integer(let integers): return .integer(integers[place])
        }
      }
      results.append(apply(values, elements))
    }
    if type.element.isFloat {
      return [.tensor(Tensor(element: type.element, shape: type.shape, real: results.map(\.real)))]
    }
    let integers = results.map { type.element.wrapped($0.integer) }
    return [.tensor(Tensor(element: type.element, shape: type.shape, integer: integers))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let result = results[0]
    let elements = operands.map(\.type.element)
    builder.loops(over: result.shape) { builder, index in
      let values = operands.map { builder.let("x", $0.computingType, $0.loadComputingBroadcast(index)) }
      let value = buildScalar(&builder, values, elements)
      if result.type.element == .bool {
        builder.store(result.buffer, result.offset(index), .truth(value))
      } else {
        builder.storeComputed(result, index, value)
      }
    }
  }
}
