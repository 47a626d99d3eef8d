import Codegen
import Foundation
import Frontends
import IR
import Passes

/// One way through the compiler, a step a method: options, loaded model, optimised graph, loop program, memory plan,
/// library. A command stops at the step that gives what it prints.
struct Compilation {
  var options: CompileOptions
  var target: Target
  var workers: Int
  /// The graph as it was loaded, with the input's normalisation before it if that was asked for. The interpreter runs
  /// this.
  var model: ModelGraph
  /// The model that the quantised one was made of; nil if it was read as it is.
  var floatModel: ModelGraph?
  /// Measured schedules of products, if the options name some.
  var tuning: ProductTuning?
  var passReports: [PassManager.Report] = []

  /// Everything that comes out of a compilation.
  struct Result {
    var optimized: Graph
    var program: LoopProgram
    var plan: MemoryPlan
    var library: EmittedLibrary
  }

  /// Loads the model.
  ///
  /// - Parameters:
  ///   - workers: Nil for what the options say.
  ///   - golden: Decides size and batch if the options do not, and the seed of synthetic weights.
  init(_ options: CompileOptions, workers: Int? = nil, golden: Golden? = nil) throws {
    self.options = options
    self.workers = workers ?? options.workerCount
    target = try Target.named(options.target)
    try Self.checkPassName(options)
    var size = options.inputSize.map { (height: $0.height, width: $0.width) }
    if size == nil, let shape = golden?.inputShape, shape.count == 4, !ModelLoader.isGraph(options.model) {
      size = (shape[2], shape[3])
    }
    var weights = try options.weights.map { try WeightSource(parsing: $0, averaged: options.ema) }
    if weights == nil, let golden, !ModelLoader.isGraph(options.model) { weights = .synthetic(seed: golden.seed) }
    model = try ModelLoader.load(
      model: options.model, weights: weights, inputSize: size, batch: options.batch,
      resizePositions: options.resizePositions, membershipSeed: options.membershipSeed, features: options.features,
      dimensions: options.dimensions, bindings: options.bindings)
    if golden != nil && options.features { throw Diagnostic("a golden has logits, and --features leaves none") }
    tuning = try options.tuning.map { try TuningFile.read($0, for: target) }
    if options.normalize { try normalize() }
  }

  private mutating func normalize() throws {
    guard let preprocessing = model.preprocessing else {
      throw Diagnostic(
        "\(options.model) does not say how its input is normalised",
        notes: ["--normalize needs a spec with a 'normalization' and three channels"])
    }
    let pass = NormalizeInput(mean: preprocessing.mean, standardDeviation: preprocessing.standardDeviation)
    model.graph = try run([pass], on: model.graph)
  }

  /// Whether weights were named neither on the command line nor by the model.
  var hasDefaultWeights: Bool { options.weights == nil && hasSyntheticWeights }

  /// Says so of what a command writes.
  func warnOfDefaultWeights(of product: String) {
    guard hasDefaultWeights else { return }
    Console.warn("no --weights: the \(product) gets synthetic ones, right in shape and speed, meaningless in result")
  }

  var hasSyntheticWeights: Bool {
    model.graph.weightSource.split(separator: "+").contains { text in
      if case .synthetic? = try? WeightSource(parsing: String(text)) { true } else { false }
    }
  }

  /// The name of files and, unless the options say otherwise, of symbols. A `.vir` file may call its graph anything.
  var name: String {
    let safe = model.graph.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    let name = String(safe)
    return name.first.map { $0.isLetter } ?? false ? name : "model_\(name)"
  }

  // MARK: Steps

  /// Runs passes with `--print-ir-after` observing.
  mutating func run(_ passes: [any Pass], on graph: Graph) throws -> Graph {
    let wanted = options.printIrAfter
    var manager = PassManager { pass, graph in
      if wanted == "all" || wanted == pass {
        Console.note("// after \(pass)\n\(try GraphFile.text(graph))")
      }
    }
    let result = try manager.run(passes, on: graph)
    passReports += manager.reports
    return result
  }

  mutating func optimize() throws -> Graph {
    try run(Pipeline.passes(for: target, lowerings: options.lowerings), on: model.graph)
  }

  /// The proved loop program of an optimised graph.
  func lower(_ graph: Graph, proving: Bool = true) throws -> LoopProgram {
    let program = try GraphLowering.lower(
      graph, for: CompilationTarget(target: target, workers: workers, tuning: tuning))
    if proving {
      do {
        try program.verify(target: target)
      } catch let problems as DiagnosticList {
        throw InternalError(
          "the kernels of \(name) for \(target.name) cannot be proved safe",
          details: problems.diagnostics.map(\.description))
      }
    }
    return program
  }

  func library(_ program: LoopProgram, _ plan: MemoryPlan, of graph: Graph) throws -> EmittedLibrary {
    let options = LibraryOptions(
      name: name, prefix: options.prefix, inputShapes: graph.inputs.map { graph.tensorType(of: $0).shape },
      outputShapes: graph.outputs.map { graph.tensorType(of: $0).shape }, weightsDescription: weightsDescription,
      hasSyntheticWeights: hasSyntheticWeights, version: Vigc.version, weightsForm: options.weightsAs,
      threads: options.threads.packaging)
    return try emitLibrary(program, plan: plan, target: target, options: options)
  }

  /// All steps. `proving` is false for a program that differs from a proved one in its constants only.
  mutating func compile(proving: Bool = true) throws -> Result {
    let optimized = try optimize()
    let program = try lower(optimized, proving: proving)
    let plan = PlanMemory.plan(program, workers: workers)
    return Result(
      optimized: optimized, program: program, plan: plan, library: try library(program, plan, of: optimized))
  }

  /// "synthetic, seed 0" or base names of files: paths would make equal models differ.
  private var weightsDescription: String {
    let sources = model.graph.weightSource.split(separator: "+").map { text in
      switch try? WeightSource(parsing: String(text)) {
      case .synthetic(let seed)?: "synthetic, seed \(seed)"
      case .file(let path, _)?: URL(fileURLWithPath: path).lastPathComponent
      case nil: String(text)
      }
    }
    return sources.isEmpty ? "in the code" : sources.joined(separator: " and ")
  }

  // MARK: Passes by name

  /// Every pass that a name on the command line may mean.
  static func passes(
    for target: Target, _ preprocessing: ImagePreprocessing?, lowerings: LoweringRequests
  ) -> [any Pass] {
    let normalization = preprocessing.map {
      NormalizeInput(mean: $0.mean, standardDeviation: $0.standardDeviation)
    }
    return (normalization.map { [$0] } ?? []) + Pipeline.registry(for: target, lowerings: lowerings)
  }

  static func passNames(for target: Target) -> [String] {
    [NormalizeInput.name] + Pipeline.registry(for: target).map(\.name)
  }

  static func unknownPass(_ name: String, for target: Target) -> Diagnostic {
    let names = passNames(for: target)
    let close = nearest(to: name, among: names)
    return Diagnostic(
      "no pass is called '\(name)'"
        + (close.isEmpty ? "; 'vigc passes' lists them" : "; did you mean \(close.joined(separator: ", "))?"))
  }

  private static func checkPassName(_ options: CompileOptions) throws {
    guard let name = options.printIrAfter, name != "all" else { return }
    let target = try Target.named(options.target)
    if !passNames(for: target).contains(name) { throw unknownPass(name, for: target) }
  }
}
