import IR

/// What an op is to quantisation. The numbers are places among its operands, those of activations only.
enum QuantizationRole: Hashable, Sendable {
  /// A sum of products, which integers compute: a convolution or a matrix product.
  case product(reads: [Int])
  /// Elements change their places, or the greatest of some is taken: integers stay what they are, so that all sides have
  /// one quantisation.
  case move([Int])
  /// Differences with neighbours. What is compared has one quantisation; the result has its own.
  case relation([Int])
  /// A function of one element that saturation and the table of a requantisation compute for nothing.
  case clamp(Int)
  /// A function of one element: a table of 256 entries.
  case table(Int)
  /// Sums and products of elements of several tensors.
  case arithmetic([Int])
  /// Means over windows, and resampling.
  case pool(Int)
  /// Anything else, which reads and computes floats.
  case float

  /// More products than this in one sum could overflow 32 bits.
  static let mostProducts = 66_000

  init(_ node: Node, in graph: Graph, isConstant: (ValueID) -> Bool) {
    let activations = node.operands.indices.filter { place in
      !isConstant(node.operands[place]) && graph.type(of: node.operands[place]).tensor != nil
    }
    let types = ([node.results[0]] + activations.map { node.operands[$0] }).map { graph.type(of: $0).tensor?.element }
    guard node.results.count == 1, !activations.isEmpty else {
      self = .float
      return
    }
    // The places of a gather are integers, and are no activations.
    let floats = zip(activations, types.dropFirst()).filter { $0.1 == .f32 }.map(\.0)
    guard types[0] == .f32, let first = floats.first, floats == activations || node.op is Gather else {
      self = .float
      return
    }
    switch node.op {
    case is Conv2D, is MatMul: self = Self.product(node, in: graph, floats)
    case is Reshape, is Transpose, is IR.Roll, is Slice, is Broadcast, is MaxPool, is Pad, is Concat:
      self = .move(floats)
    case is Gather: self = first == 0 ? .move([0]) : .float
    case let aggregate as Aggregate: self = aggregate.kind == .maximum ? .move(floats) : .relation(floats)
    case is EdgeFeatures: self = .relation(floats)
    case is Relu, is Relu6: self = .clamp(0)
    case is any UnaryOp: self = .table(0)
    case is Add, is Subtract, is Multiply, is Maximum, is Minimum:
      let others = node.operands.indices.filter { !floats.contains($0) }
      let isScalar = others.allSatisfy { graph.tensorType(of: node.operands[$0]).count == 1 }
      self = !others.isEmpty && isScalar ? .table(first) : .arithmetic(floats)
    case is AveragePool, is GlobalAveragePool, is Resample: self = .pool(first)
    default: self = .float
    }
  }

  /// A product whose weights are constants, or a matrix product of two activations.
  private static func product(_ node: Node, in graph: Graph, _ floats: [Int]) -> QuantizationRole {
    let second = graph.tensorType(of: node.operands[1]).shape
    if node.op is Conv2D {
      let isWeighted = floats == [0] && second.dropFirst().reduce(1, *) < mostProducts
      return isWeighted ? .product(reads: [0]) : .float
    }
    return second[second.count - 2] < mostProducts ? .product(reads: floats) : .float
  }
}
