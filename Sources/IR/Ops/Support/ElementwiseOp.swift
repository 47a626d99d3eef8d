import RealModule

/// An op that computes each element of its result from one element of each operand, so that it can run in the
/// registers of another op's kernel. Shapes broadcast by numpy's rule; all operands have one float element type.
public protocol ElementwiseOp: Op {
  /// The number of operands.
  static var arity: Int { get }

  /// The reference: one element of the result from `arity` elements.
  func apply<T: Real & BinaryFloatingPoint & Sendable>(_ x: [T]) -> T

  /// The loop form, on `lanes` float32 lanes. Operands are variables or literals, so that they may be used twice.
  func buildValue(_ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int) -> LoopValue
}

extension ElementwiseOp {
  public var mapsZeroToZero: Bool { apply([Double](repeating: 0, count: Self.arity)) == 0 }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try requireFloat32(operands + results)
    let result = results[0]
    builder.loops(over: result.shape) { builder, index in
      let values = operands.map { builder.let("x", .f32, $0.loadBroadcast(index)) }
      let value = buildValue(&builder, values, lanes: 1)
      builder.store(result.buffer, result.offset(index), value)
    }
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
    let type = try OperandChecker(self, operands, ["x"]).real(0)
    return [.tensor(type.with(shape: type.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
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

  /// The result keeps the layout of the first operand that has its shape.
  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["a", "b"])
    let a = try checker.real(0)
    let b = try checker.real(1)
    try checker.sameElement(1, as: a)
    guard let shape = broadcastShape(a.shape, b.shape) else {
      throw checker.failure(1, mustBe: "of a shape that broadcasts with [\(checker.list(a.shape))]")
    }
    try checker.checkShape(shape)
    let layout = [a, b].first { $0.shape == shape }?.layout ?? .rowMajor
    return [.tensor(TensorType(a.element, shape, layout: layout))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let a = operands[0].tensor
    let b = operands[1].tensor
    let walk = BroadcastWalk(a.shape, b.shape)
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
