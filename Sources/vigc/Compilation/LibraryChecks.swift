import ArgumentParser
import Codegen
import Frontends
import IR

/// Looks for mistakes that a single right answer does not show. Each check throws a `Diagnostic` if it does not hold.
struct LibraryChecks {
  /// How many weight tensors are changed.
  enum Scope: String, CaseIterable, ExpressibleByArgument, Sendable {
    case sample
    case all
  }

  private static let sampleSize = 8
  private static let batch = 3

  var scope: Scope

  /// What held, a line each.
  func run(_ compilation: Compilation, _ inputs: [TensorData]) async throws -> [String] {
    var compilation = compilation
    let library = try compilation.compile().library
    let input = inputs.flatMap(\.bytes)
    let threads = compilation.workers
    // One run after another in the same place; the batch needs a library of its own.
    let unchanged = compilation
    var held = try await compilation.withExecutable(library) { executable in
      var held = try await executable.check(input, threads: threads).unique
      held.append(try await changedWeights(unchanged, library, executable, input))
      return held
    }
    if let line = try await batches(compilation) { held.append(line) }
    return held
  }

  // MARK: Weights

  /// Changes each weight tensor in turn; an output that stays the same says that the tensor is not used.
  private func changedWeights(
    _ compilation: Compilation, _ library: EmittedLibrary, _ executable: CompiledModel, _ input: [UInt8]
  ) async throws -> String {
    let names = sampled(compilation.model.graph.namedConstants.sorted())
    let expected = try await executable.run(input)
    for name in names {
      var changed = compilation
      guard let tensor = changed.model.graph.weights[name], tensor.element == .f32 else { continue }
      changed.model.graph.weights[name] = Self.changed(tensor)
      let other = try changed.compile(proving: false).library
      guard let blob = other.weightsBlob(withIDOf: library) else {
        throw InternalError("other values of \(name) lay the weights of \(compilation.name) out differently")
      }
      if try await executable.run(input, weights: blob) == expected {
        throw Diagnostic("the output does not change with \(name), a weight of the model")
      }
    }
    return "changed weights (\(names.count) of \(compilation.model.graph.namedConstants.count) tensors)"
  }

  /// Weights change up and down in turns: a common factor would be lost if the values are normalised later.
  private static func changed(_ tensor: TensorData) -> TensorData {
    let floats = tensor.floats.enumerated().map { $0.element * ($0.offset.isMultiple(of: 2) ? 1.25 : 0.75) }
    return TensorData(shape: tensor.shape, floats: floats)
  }

  private func sampled(_ names: [String]) -> [String] {
    switch scope {
    case .all: return names
    case .sample:
      guard names.count > Self.sampleSize else { return names }
      return (0..<Self.sampleSize).map { names[$0 * (names.count - 1) / (Self.sampleSize - 1)] }
    }
  }

  // MARK: Batches

  /// A batch gives the bytes of its inputs one by one. Nil for a `.vir` file, whose batch is fixed.
  private func batches(_ compilation: Compilation) async throws -> String? {
    let options = compilation.options
    if ModelLoader.isGraph(options.model) { return nil }
    if compilation.floatModel != nil { return "no batch: another one would be calibrated anew" }
    let constructions = compilation.model.graph.nodes.compactMap { ($0.op as? BuildNeighborhood)?.construction }
    if let coupling = constructions.first(where: \.couplesImages) {
      return "no batch: in a \(coupling.kind) the images of one depend on each other"
    }
    let count = options.batch ?? Self.batch
    func outputs(batch: Int, inputs: [UInt64]) async throws -> [UInt8] {
      var options = options
      options.batch = batch
      options.weights = options.weights ?? compilation.model.graph.weightSource
      if options.inputSize == nil { options.inputSize = compilation.inputSize }
      var other = try Compilation(options, workers: 1)
      let type = other.model.graph.tensorType(of: other.model.graph.inputs[0])
      let floats = inputs.flatMap { seed in
        SyntheticWeights(seed: seed).uniform("input", count: type.count / batch)
      }
      let library = try other.compile().library
      return try await other.withExecutable(library) { executable in
        try await executable.run(floats.withUnsafeBytes { Array($0) })
      }
    }
    let seeds = (0..<UInt64(count)).map { $0 }
    let together = try await outputs(batch: count, inputs: seeds)
    guard try await outputs(batch: 1, inputs: seeds) == together else {
      throw Diagnostic("a batch of \(count) gives another output than its inputs one by one")
    }
    return "batch of \(count)"
  }
}

extension Compilation {
  /// Height and width of the first input, if it is an image.
  var inputSize: InputSize? {
    guard let input = model.graph.inputs.first, case let shape = model.graph.tensorType(of: input).shape,
      shape.count == 4
    else { return nil }
    return InputSize(height: shape[2], width: shape[3])
  }
}

extension [String] {
  /// The lines without those that came before.
  fileprivate var unique: [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}
