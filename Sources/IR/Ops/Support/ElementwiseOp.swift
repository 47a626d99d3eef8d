import RealModule

/// An op that computes each element of its result from one element of each operand, so that it can run in the
/// registers of another op's kernel. Shapes broadcast by numpy's rule; all operands have one element type: of floats, or of
/// any numbers for an `IntegerElementwiseOp`.
public protocol ElementwiseOp: Op {
  /// The number of operands.
  static var arity: Int { get }

  /// The reference: one element of the result from `arity` elements.
  func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: [T]) -> T

  /// The loop form, on `lanes` float32 lanes. Operands are variables or literals, so that they may be used twice.
  func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue
}

/// An elementwise op made of arithmetic alone, whose loop form is the same in float32 and in float64.
public protocol ArithmeticOp: ElementwiseOp {
  /// The loop form in vectors of `type`, float32 or float64.
  func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue
}

extension ArithmeticOp {
  public func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue {
    buildReal(&builder, operands, LoopType(.f32, lanes: lanes))
  }
}

/// An elementwise op that is defined on integers too, where it wraps around.
public protocol IntegerElementwiseOp: ElementwiseOp {
  /// The reference on integers of type `element`, which wrap around; the caller wraps the result.
  func apply(_ x: [Int64], _ element: ElementType) -> Int64

  /// The loop form on scalars of type `element`.
  func buildInteger(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType) -> LoopValue
}

extension ElementwiseOp {
  public var mapsZeroToZero: Bool { apply([Double](repeating: 0, count: Self.arity)) == 0 }

  /// Float32 and integers in their own type; half floats in float32; float64 in its own type if the op is arithmetic
  /// alone, else in float32.
  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let result = results[0]
    let element = result.type.element
    let type = result.computingType
    builder.loops(over: result.shape) { builder, index in
      let values = operands.map { builder.let("x", type, $0.loadComputingBroadcast(index)) }
      builder.storeComputed(result, index, buildScalar(&builder, values, element))
    }
  }

  /// The loop form on scalars of the computing type of `element`.
  private func buildScalar(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    if !element.isFloat {
      guard let op = self as? any IntegerElementwiseOp else { preconditionFailure("typing wants floats") }
      return op.buildInteger(&builder, operands, element)
    }
    if element != .f64 { return buildValue(&builder, operands, lanes: 1) }
    if let op = self as? any ArithmeticOp { return op.buildReal(&builder, operands, LoopType(.f64)) }
    let single = operands.map { builder.let("x", .f32, .convert($0, .f32, saturating: false)) }
    return .convert(buildValue(&builder, single, lanes: 1), LoopType(.f64), saturating: false)
  }

  /// The operand's type, which is one that the op is defined on.
  fileprivate func checkedOperand(_ checker: OperandChecker, _ index: Int) throws -> TensorType {
    guard self is any IntegerElementwiseOp else { return try checker.real(index) }
    return try checker.number(index)
  }
}

extension Op {
  /// Loop bodies compute in float32 only.
  func requireFloat32(_ tensors: [LoopTensor]) throws {
    for tensor in tensors where tensor.type.element != .f32 && tensor.neighborhood == nil {
      throw Diagnostic("\(mnemonic) has no loops for \(tensor.type.element.rawValue), only for f32")
    }
  }
}

/// An elementwise op on one operand; the result has its type.
public protocol UnaryOp: ElementwiseOp {
  func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: T) -> T

  // The compiler specialises these two for every op, which it does not do through a generic method of a protocol: the
  // interpreter spends 4 ns an element here instead of 80.
  func map(_ x: inout [Float])
  func map(_ x: inout [Double])
}

extension UnaryOp {
  public static var arity: Int { 1 }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: [T]) -> T { apply(x[0]) }

  public func map(_ x: inout [Float]) {
    for index in x.indices { x[index] = apply(x[index]) }
  }

  public func map(_ x: inout [Double]) {
    for index in x.indices { x[index] = apply(x[index]) }
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let type = try checkedOperand(OperandChecker(self, operands, ["x"]), 0)
    return [.tensor(type.with(shape: type.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    if case .integer(let values) = x.storage, let op = self as? any IntegerElementwiseOp {
      let integer = values.map { x.element.wrapped(op.apply([$0], x.element)) }
      return [.tensor(Tensor(element: x.element, shape: x.shape, integer: integer))]
    }
    let real: [T]
    if var values = x.real as? [Float] {
      map(&values)
      real = sameArray(values)
    } else if var values = x.real as? [Double] {
      map(&values)
      real = sameArray(values)
    } else {
      real = x.real.map { apply($0) }
    }
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: real))]
  }
}

/// An elementwise op on two operands.
public protocol BinaryOp: ElementwiseOp {
  func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T

  // As in `UnaryOp`.
  func combine(_ a: [Float], _ b: [Float], _ walk: BroadcastWalk) -> [Float]
  func combine(_ a: [Double], _ b: [Double], _ walk: BroadcastWalk) -> [Double]
}

extension BinaryOp {
  public static var arity: Int { 2 }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: [T]) -> T { apply(x[0], x[1]) }

  public func combine(_ a: [Float], _ b: [Float], _ walk: BroadcastWalk) -> [Float] {
    walk.run(a, b) { apply($0, $1) }
  }

  public func combine(_ a: [Double], _ b: [Double], _ walk: BroadcastWalk) -> [Double] {
    walk.run(a, b) { apply($0, $1) }
  }

  /// The result keeps the layout of the operands that have its shape: if one of them is an image in memory, its layout,
  /// since a constant beside it is row-major.
  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["a", "b"])
    let a = try checkedOperand(checker, 0)
    let b = try checkedOperand(checker, 1)
    try checker.sameElement(1, as: a)
    guard let shape = broadcastShape(a.shape, b.shape) else {
      throw checker.failure(1, mustBe: "of a shape that broadcasts with [\(checker.list(a.shape))]")
    }
    try checker.checkShape(shape)
    let layouts = [a, b].filter { $0.shape == shape }.map(\.layout)
    let layout = layouts.first { $0 != .rowMajor } ?? .rowMajor
    return [.tensor(TensorType(a.element, shape, layout: layout))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let a = operands[0].tensor
    let b = operands[1].tensor
    let walk = BroadcastWalk(a.shape, b.shape)
    if case .integer(let x) = a.storage, let op = self as? any IntegerElementwiseOp {
      let integer = walk.run(x, b.integer) { a.element.wrapped(op.apply([$0, $1], a.element)) }
      return [.tensor(Tensor(element: a.element, shape: walk.shape, integer: integer))]
    }
    let real: [T]
    if let x = a.real as? [Float], let y = b.real as? [Float] {
      real = sameArray(combine(x, y, walk))
    } else if let x = a.real as? [Double], let y = b.real as? [Double] {
      real = sameArray(combine(x, y, walk))
    } else {
      real = walk.run(a.real, b.real) { apply($0, $1) }
    }
    return [.tensor(Tensor(element: a.element, shape: walk.shape, real: real))]
  }
}

/// The same array under the generic name of its type.
func sameArray<From, To>(_ array: [From]) -> [To] {
  guard let same = array as? [To] else { preconditionFailure("\(From.self) is not \(To.self)") }
  return same
}

/// The order in which two broadcast operands are read: nested loops with neighbouring axes merged wherever both
/// operands step through them evenly, so that the innermost run is long.
public struct BroadcastWalk: Sendable {
  /// The shape of the result.
  let shape: [Int]
  private var axes: [(extent: Int, a: Int, b: Int)]

  init(_ a: [Int], _ b: [Int]) {
    guard let shape = broadcastShape(a, b) else { preconditionFailure("shapes that do not broadcast") }
    self.shape = shape
    self.axes = []
    let aStrides = broadcastStrides(a, to: shape)
    let bStrides = broadcastStrides(b, to: shape)
    for axis in shape.indices where shape[axis] != 1 {
      let next = (extent: shape[axis], a: aStrides[axis], b: bStrides[axis])
      if let last = axes.last, last.a == next.a * next.extent, last.b == next.b * next.extent {
        axes[axes.count - 1] = (last.extent * next.extent, next.a, next.b)
      } else {
        axes.append(next)
      }
    }
  }

  @inline(__always)
  func run<Element>(_ a: [Element], _ b: [Element], _ combine: (Element, Element) -> Element) -> [Element] {
    let count = shape.reduce(1, *)
    let inner = axes.last ?? (1, 0, 0)
    let outer = axes.dropLast()
    return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      var position = 0
      forEachIndex(outer.map(\.extent)) { index in
        var aBase = 0
        var bBase = 0
        for (axis, place) in index.enumerated() {
          aBase += outer[axis].a * place
          bBase += outer[axis].b * place
        }
        for step in 0..<inner.extent {
          let value = combine(a[aBase + step * inner.a], b[bBase + step * inner.b])
          buffer.initializeElement(at: position + step, to: value)
        }
        position += inner.extent
      }
      initialized = count
    }
  }
}
