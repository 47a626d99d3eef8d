import Foundation
import Frontends
import IR
import Passes
import Testing

/// The programs that kernels write, and those of the language's own suite: none breaks, and no mutant of one that the
/// verifier accepts does.
@Suite struct KernelMutantTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures")

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: fixtures.appending(path: path), encoding: .utf8)
  }

  /// How many mutants of each program, and the first seed.
  private static let asked: (mutants: Int, seed: UInt64)? = {
    let words = (ProcessInfo.processInfo.environment["VIGC_FUZZ_KERNELS"] ?? "").split(separator: " ")
    guard words.count == 2, let mutants = Int(words[0]), let seed = UInt64(words[1]) else { return nil }
    return (mutants, seed)
  }()

  /// Specs, made small.
  static let models = ["tiny", "dynamic", "small"]

  static let loops = [
    "early_stop", "gated_roll", "inverted_residual_banded", "parallel_rows", "product_14x2", "ragged", "top_k_streamed",
    "value_functions",
  ]

  private static func program(_ model: String, target: Target, workers: Int) throws -> LoopProgram {
    var yaml = try text("specs/\(model).yaml").components(separatedBy: "\n")
      .map { $0.hasPrefix("input:") ? "input: {channels: 3, height: 8, width: 12}" : $0 }
    if let first = yaml.firstIndex(where: { $0.hasPrefix("normalization") }),
      let last = yaml.firstIndex(where: { $0.hasPrefix("modules") })
    {
      yaml.removeSubrange(first..<last)
    }
    var graph = try ModelSpec(parsing: yaml.joined(separator: "\n"), file: model).build(batch: 1).graph
    for node in graph.nodes {
      guard let constant = node.op as? Constant, case .named(let name) = constant.source, graph.weights[name] == nil
      else { continue }
      graph.weights[name] = SyntheticWeights(seed: 1).tensor(name, shape: constant.type.shape)
    }
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: graph)
    return try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
  }

  private func judge(_ program: LoopProgram, _ name: String, _ target: Target, mutants: Int, budget: Int) throws {
    var adversary = Adversary(target: target)
    adversary.executions = Self.asked == nil ? 1 : 2
    adversary.budget = budget
    let seed = Self.asked?.seed ?? 1
    #expect(try adversary.judge(program, seed: seed, label: name, isOriginal: true), "\(name) is refused")
    #expect(adversary.tally.unfinished == 0)
    try adversary.judgeMutants(of: program, seed: seed, label: name, count: Self.asked?.mutants ?? mutants)
    if Self.asked != nil { print("\(name) for \(target.name): \(adversary.tally.summary)") }
    for fault in adversary.tally.faults.prefix(10) { Issue.record("\(name): \(fault)") }
    #expect(adversary.tally.faults.isEmpty)
  }

  @Test(arguments: loops) func suite(_ name: String) throws {
    let program = try LoopProgram(parsing: try Self.text("loops/\(name).vil"), file: "\(name).vil")
    try judge(program, name, .avx2, mutants: 60, budget: 300_000)
  }

  @Test(arguments: ["scalar", "avx2", "avx512"], models)
  func kernels(_ target: String, _ model: String) throws {
    let target = try Target.named(target)
    for workers in Self.asked == nil ? [2] : [1, 2, 3] {
      let program = try Self.program(model, target: target, workers: workers)
      let inputs = RandomInputs.make(for: program, seed: 3, flavour: 0)
      let found = try ShadowExecution(program: program, target: target).run(inputs, budget: 3_000_000)
      #expect(try LoopInterpreter(program: program, target: target).run(inputs) == found)
      try judge(program, "\(model) with \(workers) workers", target, mutants: 10, budget: 3_000_000)
    }
  }
}
