import RealModule

/// A tensor while the interpreter runs: reals in `T` whatever float type the graph says, integers and booleans exact.
public struct Tensor<T: Real & BinaryFloatingPoint & Sendable>: Sendable {
  public enum Storage: Sendable {
    case real([T])
    case integer([Int64])
  }

  public var element: ElementType
  public var shape: [Int]
  public var storage: Storage

  public init(element: ElementType = .f32, shape: [Int], real: [T]) {
    precondition(real.count == shape.reduce(1, *), "elements do not fill the shape")
    self.element = element
    self.shape = shape
    self.storage = .real(real)
  }

  public init(element: ElementType, shape: [Int], integer: [Int64]) {
    precondition(integer.count == shape.reduce(1, *), "elements do not fill the shape")
    self.element = element
    self.shape = shape
    self.storage = .integer(integer)
  }

  public var count: Int { shape.reduce(1, *) }

  /// The reals; a bug of ours on an integer tensor.
  public var real: [T] {
    switch storage {
    case .real(let values): return values
    case .integer: preconditionFailure("not a float tensor")
    }
  }

  /// The integers; a bug of ours on a float tensor.
  public var integer: [Int64] {
    switch storage {
    case .integer(let values): return values
    case .real: preconditionFailure("not an integer tensor")
    }
  }
}

/// A neighbourhood while the interpreter runs.
public enum NeighborhoodValue: Sendable {
  case offsets([Offset])
  /// Offsets and, for each, whether pixel n*H*W + y*W + x admits it.
  case gatedOffsets([Offset], admitted: [[Bool]])
  /// Row-major [batch, nodes, count] indices into the candidates.
  case indices([Int], count: Int)
  /// Row-major [batch, nodes, hyperedges] membership lists are the hypergraph op's own; see `Neighborhoods/`.
  case incidence(nodeEdges: [[Int]], edgeNodes: [[Int]])
}

/// A graph value while the interpreter runs.
public enum RuntimeValue<T: Real & BinaryFloatingPoint & Sendable>: Sendable {
  case tensor(Tensor<T>)
  case neighborhood(NeighborhoodValue, NeighborhoodType)

  /// The tensor; a bug of ours on a neighbourhood, since the verifier has typed the graph.
  public var tensor: Tensor<T> {
    switch self {
    case .tensor(let tensor): return tensor
    case .neighborhood: preconditionFailure("not a tensor")
    }
  }
}
