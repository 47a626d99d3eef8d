extension NeighborhoodValue {
  /// The neighbours of an image's pixels, place by place in their order: for each place, every pixel's candidate. For a
  /// graph without gates, whose pixels all have equally many.
  func places(image n: Int, height: Int, width: Int) -> [[Int]] {
    let pixels = height * width
    switch self {
    case .offsets(let offsets):
      return offsets.map { offset in
        (0..<pixels).map { pixel in
          let y = (pixel / width - offset.dy) % height
          let x = (pixel % width - offset.dx) % width
          return (y < 0 ? y + height : y) * width + (x < 0 ? x + width : x)
        }
      }
    case .indices(let indices, let count):
      return (0..<count).map { place in (0..<pixels).map { indices[(n * pixels + $0) * count + place] } }
    case .gatedOffsets, .incidence:
      preconditionFailure("typing wants as many neighbours for every pixel")
    }
  }
}

extension OperandChecker {
  /// How many neighbours each pixel of operand 0 has, for operands x, a neighbourhood and, by index, candidates. For
  /// typing the ops that read neighbours' features. How many neighbours a gate admits is not known, so it counts as all
  /// of them.
  func neighborCount(over x: TensorType) throws -> Int {
    let graph = try neighborhood(1)
    if graph.batch != x.shape[0] || graph.height != x.shape[2] || graph.width != x.shape[3] {
      throw failure(1, mustBe: "over the pixels of operand 0, \(x)")
    }
    var candidates = x.shape[2] * x.shape[3]
    switch graph.form {
    case .offsets(let offsets), .gatedOffsets(let offsets):
      if has(2) { throw problem("neighbours by offset are pixels of x and take no candidates") }
      return offsets.count
    case .indices(let count, let total):
      if has(2) {
        let features = try real(2, rank: 4)
        try sameElement(2, as: x)
        if features.shape[..<2] != x.shape[..<2] {
          throw failure(2, mustBe: "[\(x.shape[0]), \(x.shape[1]), rows, columns], as many channels as x")
        }
        candidates = features.shape[2] * features.shape[3]
      }
      if total != candidates {
        throw failure(1, mustBe: "of indices into the \(candidates) pixels of operand \(has(2) ? 2 : 0)")
      }
      return count
    case .incidence:
      throw failure(1, mustBe: "of offsets or indices: \(mnemonic) does not run over hyperedges")
    }
  }

  /// Refuses gates: only for max-relative is it published what a neighbour that is not admitted counts as.
  func refuseGates(_ what: String) throws {
    if case .gatedOffsets = try neighborhood(1).form {
      let reason = "what \(what) does about a neighbour that is not admitted is not defined"
      throw failure(1, mustBe: "of fixed offsets or of indices: \(reason)")
    }
  }
}

/// Plain loops over the neighbours of a pixel, for operands x, a neighbourhood without gates and, by index, candidates.
struct NeighborLoops {
  let graph: NeighborhoodType
  private let stored: LoopTensor
  private let candidates: LoopTensor

  init(_ operands: [LoopTensor]) {
    guard let graph = operands[1].neighborhood else { preconditionFailure("typing wants a neighbourhood") }
    self.graph = graph
    stored = operands[1]
    candidates = operands.count > 2 ? operands[2] : operands[0]
  }

  /// Gives `body` each place among the neighbours of the pixel at [n, c, y, x], and what channel c holds there.
  func forEach(
    _ builder: inout LoopBuilder, at index: [LoopIndex],
    _ body: (inout LoopBuilder, LoopIndex, LoopValue) -> Void
  ) {
    switch graph.form {
    case .offsets(let offsets):
      for (place, offset) in offsets.enumerated() {
        let row = (index[2] - .constant(offset.dy)) % graph.height
        let column = (index[3] - .constant(offset.dx)) % graph.width
        body(&builder, .constant(place), candidates.load([index[0], index[1], row, column]))
      }
    case .indices(let count, let total):
      let pixel = index[2] * graph.width + index[3]
      builder.loop("place", 0, .constant(count)) { builder, place in
        let element = stored.load([index[0], pixel, place])
        let neighbor = builder.letIndex("neighbor", range: 0...(total - 1), element)
        let channel = (index[0] * candidates.shape[1] + index[1]) * total
        body(&builder, place, .load(candidates.buffer, candidates.base + channel + neighbor, .f32))
      }
    case .gatedOffsets, .incidence:
      preconditionFailure("typing wants as many neighbours for every pixel")
    }
  }
}
