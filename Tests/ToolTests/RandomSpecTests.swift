import Foundation
import Frontends
import IR
import Testing

/// Networks that nobody thought of: their C, for strict C and for this machine, and what ONNX Runtime makes of their
/// exports, against the interpreter. `Scripts/random-specs` runs more of them.
@Suite(.serialized) struct RandomSpecTests {
  /// How many networks and the first seed, where the script asks; the tests alone take one of each family.
  private static let asked = ProcessInfo.processInfo.environment["VIGC_RANDOM_SPECS"]

  static let seeds: [UInt64] = {
    let words = (asked ?? "6 0").split(separator: " ").compactMap { UInt64($0) }
    return words.count == 2 ? (0..<words[0]).map { words[1] + $0 } : []
  }()

  /// Most of the time goes to the C compiler: the tests alone take the targets in turn.
  private static func targets(_ seed: UInt64) -> [String] {
    asked != nil ? ["scalar", "native"] : seed.isMultiple(of: 2) ? ["scalar"] : ["native"]
  }

  private static let tolerance = "1e-5"

  /// Every seed gives a network that can be built, whose extents can be told apart, and always the same.
  @Test func specsAreValid() throws {
    for seed in 0..<600 as Range<UInt64> {
      let random = RandomSpec(seed: seed)
      #expect(Set(random.graphed).count == 3, "seed \(seed)")
      #expect(RandomSpec(seed: seed).yaml == random.yaml)
      do {
        let model = try ModelSpec(parsing: random.yaml, file: random.name).build(batch: random.batch)
        let graphs = model.graph.nodes.filter { $0.op is BuildNeighborhood }
        #expect(!graphs.isEmpty)
        for node in graphs {
          #expect(model.graph.tensorType(of: node.operands[0]).shape == [random.batch] + random.graphed)
        }
      } catch {
        Issue.record("seed \(seed): \(error)\n\(random.yaml)")
      }
    }
  }

  @Test(arguments: seeds) func holds(_ seed: UInt64) async throws {
    let random = RandomSpec(seed: seed)
    try await withFolder { folder in
      let spec = "\(folder)/\(random.name).yaml"
      try random.yaml.write(toFile: spec, atomically: true, encoding: .utf8)
      let path = "\(folder)/input.npy"
      try NumpyFile.write(random.inputs(0), to: path)
      let options = ["--batch", "\(random.batch)"]
      for target in Self.targets(seed) {
        // Where a graph depends on the features, on the graphs that the library chose.
        let replay = random.family.isDiscontinuous ? ["--replay"] : []
        let outcome = try await Tool.run(
          Tool.path,
          ["verify", spec, "--input", path, "--target", target, "--tolerance", Self.tolerance] + options + replay)
        if outcome.firstError.contains("there are no loops for") {
          print("seed \(seed): \(random.family.rawValue): \(outcome.firstError)")
          continue
        }
        #expect(outcome.status == 0, "seed \(seed), \(target): \(outcome.output)\(outcome.errors)\n\(random.yaml)")
      }
      guard ONNXRuntime.isInstalled else { return }
      guard let input = try steadyInput(of: random) else {
        // Nothing that computes in float32 and chooses its own graphs could be held against it.
        print("seed \(seed): \(random.family.rawValue): every input that was tried has a near tie")
        return
      }
      try NumpyFile.write(input, to: path)
      let outcome = try await ONNXRuntime.verify(["-t", Self.tolerance, "-i", path, spec, "--"] + options)
      #expect(outcome.status == 0, "seed \(seed), ONNX: \(outcome.output)\(outcome.errors)\n\(random.yaml)")
    }
  }

  /// An input whose graphs do not hang on the last bits of float32: they stay what they are when it changes by some
  /// hundred times as much. Nil where none of a few is.
  private func steadyInput(of random: RandomSpec) throws -> TensorData? {
    let spec = try ModelSpec(parsing: random.yaml, file: random.name)
    var model = try spec.build(batch: random.batch)
    let weights = try WeightSource.synthetic(seed: 0).load(model.entries, model: random.name)
    model.graph.weights.merge(weights) { _, loaded in loaded }
    for attempt in 0..<8 {
      let input = random.inputs(attempt)
      guard random.family.isDiscontinuous else { return input }
      let values = input.floats
      let graphs = try graphs(of: model.graph, values.map(Double.init))
      let isSteady = try (0..<3 as Range<UInt64>).allSatisfy { change in
        let noise = SyntheticWeights(seed: change).uniform("noise", count: values.count)
        let changed = zip(values, noise).map { Double($0) * (1 + 1e-5 * Double($1)) }
        return try self.graphs(of: model.graph, changed) == graphs
      }
      if isSteady { return input }
    }
    return nil
  }

  /// Every graph that a run builds: for each what it consists of, in no particular order.
  private func graphs(of graph: Graph, _ input: [Double]) throws -> [[Set<Int>]] {
    var found: [[Set<Int>]] = []
    let shape = graph.tensorType(of: graph.inputs[0]).shape
    _ = try GraphInterpreter<Double>().run(graph, inputs: [Tensor(shape: shape, real: input)]) { _, results in
      guard case .neighborhood(let value, _)? = results.first else { return }
      switch value {
      case .offsets: break
      case .gatedOffsets(_, let admitted):
        found.append(admitted.map { bits in Set(bits.indices.filter { bits[$0] }) })
      case .indices(let indices, let count):
        found.append(stride(from: 0, to: indices.count, by: count).map { Set(indices[$0..<$0 + count]) })
      case .incidence(let nodeEdges, let edgeNodes):
        found.append((nodeEdges + edgeNodes).map(Set.init))
      }
    }
    return found
  }
}

extension RandomSpec {
  /// Inputs to try, the same for the same number.
  fileprivate func inputs(_ attempt: Int) -> TensorData {
    let shape = [batch] + input
    let values = SyntheticWeights(seed: seed).uniform("input \(attempt)", count: shape.reduce(1, *))
    return TensorData(shape: shape, floats: values)
  }
}
