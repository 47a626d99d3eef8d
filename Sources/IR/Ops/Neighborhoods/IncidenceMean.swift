import RealModule

/// The mean of the features of each hyperedge's pixels, or of each pixel's hyperedges: operands features and a
/// hypergraph; [N, C, H, W] to [N, C, hyperedges, 1], or back.
///
/// Lists are padded as in the published code (VITA-Group/ViHGNN): every list is as long as the longest of the whole
/// batch, at least 1, and is filled up with the image's last pixel, or last hyperedge.
public struct IncidenceMean: Op {
  public static let mnemonic = "incidence_mean"

  public enum Target: String, CaseIterable, Hashable, Sendable {
    case hyperedges
    case nodes
  }

  public var target: Target

  public init(to target: Target) {
    self.target = target
  }

  public init(_ reader: inout AttributeReader) throws {
    self.target = try reader.choice("to")
  }

  public var attributes: [Attribute] { [Attribute("to", .string(target.rawValue))] }

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["features", "hypergraph"])
    let features = try checker.real(0, rank: 4)
    let graph = try checker.neighborhood(1)
    guard case .incidence(let hyperedges) = graph.form else { throw checker.failure(1, mustBe: "of hyperedges") }
    let image = [features.shape[0], features.shape[1]]
    let nodes = [graph.height, graph.width]
    let (expected, result) =
      switch target {
      case .hyperedges: (nodes, [hyperedges, 1])
      case .nodes: ([hyperedges, 1], nodes)
      }
    if graph.batch != features.shape[0] || Array(features.shape[2...]) != expected {
      throw checker.failure(0, mustBe: "[\(graph.batch), channels, \(expected[0]), \(expected[1])], for operand 1")
    }
    return [.tensor(features.with(shape: image + result))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    guard case .neighborhood(.incidence(let nodeEdges, let edgeNodes), let type) = operands[1],
      case .incidence(let hyperedges) = type.form
    else { preconditionFailure("typing wants a hypergraph") }
    let (lists, size) =
      switch target {
      case .hyperedges: (edgeNodes, [hyperedges, 1])
      case .nodes: (nodeEdges, [type.height, type.width])
      }
    let means = paddedMeans(x.real, lists, shape: x.shape)
    return [.tensor(Tensor(element: x.element, shape: Array(x.shape[..<2]) + size, real: means))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try requireFloat32([operands[0], results[0]])
    guard let graph = operands[1].neighborhood, case .incidence(let hyperedges) = graph.form else {
      preconditionFailure("typing wants a hypergraph")
    }
    let x = operands[0]
    let stored = operands[1]
    let nodes = graph.height * graph.width
    let (lists, length) =
      switch target {
      case .hyperedges: (hyperedges, nodes)
      case .nodes: (nodes, hyperedges)
      }
    /// 1 for what counts in a list, as a float.
    func counts(_ image: LoopIndex, _ list: LoopIndex, _ place: LoopIndex) -> LoopValue {
      let index =
        switch target {
        case .hyperedges: [image, place, list]
        case .nodes: [image, list, place]
        }
      let link = stored.load(index)
      let isListed: LoopValue =
        switch target {
        case .hyperedges: .compare(.equal, link, .constant(1, LoopType(.u8)))
        case .nodes: .compare(.notEqual, link, .constant(0, LoopType(.u8)))
        }
      return .select(isListed, .f32(1), .f32(0))
    }
    func element(_ channel: [LoopIndex], _ place: LoopIndex) -> LoopValue {
      x.load(channel + [place / x.shape[3], place % x.shape[3]])
    }

    let longest = builder.register("longest", .f32, .f32(1))
    builder.loops(over: [x.shape[0], lists]) { builder, list in
      let count = builder.register("count", .f32, .f32(0))
      builder.loop("place", 0, .constant(length)) { builder, place in
        builder.assign(count, .variable(count) + counts(list[0], list[1], place))
      }
      builder.assign(longest, .maximum(.variable(longest), .variable(count)))
    }
    builder.loops(over: [x.shape[0], x.shape[1], lists]) { builder, index in
      let channel = [index[0], index[1]]
      let sum = builder.register("sum", .f32, .f32(0))
      let count = builder.register("count", .f32, .f32(0))
      builder.loop("place", 0, .constant(length)) { builder, place in
        let isListed = builder.let("listed", .f32, counts(index[0], index[2], place))
        let isMember = LoopValue.compare(.greater, isListed, .f32(0))
        let value = LoopValue.select(isMember, element(channel, place), .f32(0))
        builder.assign(sum, .variable(sum) + value)
        builder.assign(count, .variable(count) + isListed)
      }
      let missing = LoopValue.variable(longest) - .variable(count)
      let padded = LoopValue.variable(sum) + missing * element(channel, .constant(length - 1))
      let result = results[0]
      let place = channel + [index[2] / result.shape[3], index[2] % result.shape[3]]
      builder.store(result.buffer, result.offset(place), padded / .variable(longest))
    }
  }
}

/// The means over `lists` of the elements of each channel, one list a result element and image.
@specialized(where T == Float)
@specialized(where T == Double)
private func paddedMeans<T: Real & BinaryFloatingPoint & Sendable>(_ x: [T], _ lists: [[Int]], shape: [Int]) -> [T] {
  let plane = shape[2] * shape[3]
  let count = lists.count / shape[0]
  let longest = max(1, lists.map(\.count).max() ?? 1)
  var result: [T] = []
  result.reserveCapacity(lists.count * shape[1])
  for n in 0..<shape[0] {
    for channel in 0..<shape[1] {
      let base = (n * shape[1] + channel) * plane
      for list in lists[(n * count)..<((n + 1) * count)] {
        var sum: T = 0
        for place in list { sum += x[base + place] }
        result.append((sum + T(longest - list.count) * x[base + plane - 1]) / T(longest))
      }
    }
  }
  return result
}
