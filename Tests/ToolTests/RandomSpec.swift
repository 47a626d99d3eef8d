/// A small network drawn at random from the blocks of a family, as the YAML of a spec; the same seed gives the same one.
///
/// Sizes are odd and tiny as often as not, and rows, columns and channels of the images that graphs are built on all
/// differ, so that no mistake in their order can hide.
struct RandomSpec {
  enum Family: String, CaseIterable {
    case svga, mgc, dagc, knn, pooledKnn, hypergraph

    /// Whether a graph depends on the features, and so may depend on their last bits.
    var isDiscontinuous: Bool {
      switch self {
      case .svga, .mgc: false
      case .dagc, .knn, .pooledKnn, .hypergraph: true
      }
    }
  }

  let seed: UInt64
  let family: Family
  let name: String
  let batch: Int
  /// Channels, rows and columns of the input.
  let input: [Int]
  /// Channels, rows and columns of the images that graphs are built on.
  let graphed: [Int]
  private(set) var yaml = ""

  /// The draw that decides everything.
  private var generator: SplitMix

  /// Seeds that follow each other go through the families in turn.
  init(seed: UInt64) {
    self.seed = seed
    family = Family.allCases[Int(seed % UInt64(Family.allCases.count))]
    name = "random_\(family.rawValue.lowercased())_\(seed)"
    var generator = SplitMix(state: seed)
    func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    batch = [1, 1, 2, 3][draw(0...3)]

    // The graph's image first, then an input that strides bring there.
    let reduction = family == .pooledKnn ? draw(2...3) : 1
    let least =
      switch family {
      case .svga, .mgc, .dagc: 1
      case .knn, .pooledKnn: 2
      case .hypergraph: 3
      }
    let height = reduction * draw(least...(8 / reduction))
    var width = height
    while width == height { width = reduction * draw(least...(10 / reduction)) }
    var channels = height
    while channels == height || channels == width {
      channels = family == .svga || family == .mgc || family == .dagc ? draw(3...19) : 4 * draw(1...5)
    }
    graphed = [channels, height, width]
    let strides = [[1, 2], [2, 1], [2, 2], [3, 1]][draw(0...3)]
    let isStaged = draw(0...1) == 1
    let stride = strides[0] * strides[1] * (isStaged ? 2 : 1)
    input = [draw(1...5), (height - 1) * stride + draw(1...stride), (width - 1) * stride + draw(1...stride)]
    self.generator = generator

    yaml = """
      name: \(name)
      input: {channels: \(input[0]), height: \(input[1]), width: \(input[2])}
      classes: \(number(1...7))
      modules:
        - kind: convolutions
          path: stem
          channels: [\(number(2...9)), \(isStaged ? number(3...11) : channels)]
          stride: \(strides)
          kernel: \(pick([1, 3, 5]))
          activation: \(activation())
          last_activation: \(pick(["none", "gelu", "relu"]))

      """
    if isStaged {
      yaml += "  - kind: sequence\n    path: local\n    of:\n"
      for _ in 0..<number(1...2) { yaml += "      - \(localBlock())\n" }
      yaml += "      - {kind: convolutions, within: conv, channels: \(channels), stride: 2, activation: none}\n"
    }
    if number(0...2) == 0 { yaml += "  - {kind: positions, path: pos_embed}\n" }
    yaml += "  - kind: sequence\n    path: global\n    of:\n"
    for _ in 0..<number(1...2) { yaml += globalBlock(reduction: reduction) }
    if number(0...1) == 0 {
      yaml += "  - {kind: embedding, path: embedding, channels: \(number(3...17)), activation: \(activation())}\n"
      yaml += "  - {kind: classifiers, heads: \(pick(["[head]", "[head, dist_head]", "[a, b, c]"]))}\n"
    } else {
      yaml += "  - {kind: prediction, path: prediction, channels: \(number(3...17)), activation: \(activation())}\n"
    }
  }

  // MARK: Blocks

  private mutating func localBlock() -> String {
    let common = "expansion: \(expansion()), kernel: \(pick([1, 3, 5])), activation: \(activation())"
    switch number(0...2) {
    case 0: return "{kind: inverted_residual, \(common), layer_scale: \(pick([true, false]))}"
    case 1: return "{kind: inverted_residual, repeat: 2, \(common)}"
    default:
      return "{kind: separable_residual, \(common), layer_scale: layer_scale_1, "
        + "scale_shape: \(pick(["image", "vector"]))}"
    }
  }

  private mutating func globalBlock(reduction: Int) -> String {
    let feedForward =
      "      - {kind: feed_forward, expansion: \(expansion()), activation: \(activation()), "
      + "residual: \(pick([true, false]))}\n"
    switch family {
    case .svga, .mgc, .dagc:
      let step = number(1...4)
      // Where no pixel is so far away there are no neighbours, and something must be there to start at.
      let hasNeighbors = family == .mgc || step < max(graphed[1], graphed[2])
      let construction = "{kind: \(family.rawValue), step: \(step)}"
      let aggregation = aggregation(needsStart: !hasNeighbors)
      if number(0...1) == 0 {
        return "      - {kind: grapher, construction: \(construction), aggregation: \(aggregation), "
          + "expansion: 2, groups: \(pick([1, 2])), activation: \(activation())}\n" + feedForward
      }
      return "      - {kind: graph_mixer, construction: \(construction), aggregation: \(aggregation), "
        + "position_kernel: \(pick([1, 3, 7])), expansion: \(expansion()), activation: \(activation()), "
        + "scale_shape: \(pick(["image", "vector"]))}\n"
    case .knn, .pooledKnn:
      let candidates = graphed[1] / reduction * (graphed[2] / reduction)
      let dilation = number(1...max(1, min(3, candidates / 2)))
      let k = number(1...max(1, min(9, candidates / dilation)))
      let positions = family == .pooledKnn || pick([true, false])
      return "      - {kind: dynamic_grapher, construction: {kind: knn, k: \(k), dilation: \(dilation)}, "
        + "aggregation: \(aggregation(needsStart: false)), reduction: \(reduction), "
        + "relative_positions: \(positions), groups: \(pick([1, 2, 4])), activation: \(activation())}\n" + feedForward
    case .hypergraph:
      return "      - {kind: hypergrapher, hyperedges: \(number(2...(graphed[1] * graphed[2] / 2))), "
        + "relative_positions: \(pick([true, false])), groups: \(pick([1, 2, 4])), activation: \(activation())}\n"
        + feedForward
    }
  }

  private mutating func aggregation(needsStart: Bool) -> String {
    let direction = pick(["self_minus_neighbor", "neighbor_minus_self"])
    let start = needsStart ? ", start: 0" : pick([", start: 0", ", start: 0", ", start: -0.25", ""])
    return "{kind: max_relative, direction: \(direction)\(start)}"
  }

  // MARK: Draws

  private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  private mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[number(0...(choices.count - 1))] }

  private mutating func activation() -> String {
    pick(["gelu", "gelu", "gelu_tanh", "relu", "relu6", "silu", "hard_swish"])
  }

  private mutating func expansion() -> String { pick(["1", "1.5", "2", "3", "4"]) }
}

/// The finaliser of splitmix64 as a generator.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
