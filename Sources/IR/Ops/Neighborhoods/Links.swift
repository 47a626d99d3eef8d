import RealModule

/// What a data-dependent graph chose, as a float32 tensor: 0 or 1 for each gate [offsets, N, H, W], the index of each
/// neighbour [N, H * W, k], or for each pixel and hyperedge [N, H * W, hyperedges] 1 for a member and 2 for one that
/// reads it only. Graphs exist only inside a compiled model; this op makes one an output, to be looked at or replayed.
///
/// The result is exact: a float32 holds every index below 2^24, and a graph that can be built has no more candidates.
public struct Links: ParameterlessOp {
  public static let mnemonic = "links"

  public init() {}

  /// A graph has no zeros.
  public var mapsZeroToZero: Bool { false }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["neighborhood"])
    let graph = try checker.neighborhood(0)
    guard let storage = graph.storage, let range = graph.storageRange, range.upperBound <= 1 << 24 else {
      throw checker.failure(0, mustBe: "a graph that depends on data, of at most \(1 << 24) candidates")
    }
    return [.tensor(TensorType(.f32, storage.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    guard case .neighborhood(let value, let type) = operands[0] else {
      preconditionFailure("typing wants a neighbourhood")
    }
    let links = type.links(of: value).map { T($0) }
    return [.tensor(Tensor(element: .f32, shape: type.storage?.shape ?? [0], real: links))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let stored = operands[0]
    let result = results[0]
    builder.loop("i", 0, .constant(result.type.count)) { builder, i in
      let link = LoopValue.load(stored.buffer, stored.base + i, LoopType(stored.type.element))
      builder.store(result.buffer, result.base + i, .convert(link, .f32, saturating: false))
    }
  }
}
