import Foundation
import Frontends
import IR
import Passes

/// What is read: a kind of file, where the tests have some, how they are changed, and what `vigc` does with one.
struct Reader: Sendable {
  typealias Mutation = @Sendable ([UInt8], inout Generator, [[UInt8]]) -> [UInt8]

  let name: String
  /// How a file's name ends: what it is told by.
  let suffix: String
  /// Folders below `Tests`, and how the names of seeds in them end.
  let folders: [String]
  let endings: [String]
  let mutate: Mutation
  let read: @Sendable (String) throws -> Void

  static let all: [Reader] = [
    Reader(
      name: "yaml", suffix: ".yaml", folders: ["Fixtures/specs"], endings: [".yaml"], mutate: TextMutation.mutate
    ) { try Reading.graph(try ModelLoader.load(model: $0).graph) },
    Reader(
      name: "vir", suffix: ".vir", folders: ["FileTests/Cases", "Fixtures/onnx"], endings: [".vir"],
      mutate: GraphMutation.mutate
    ) { path in
      // What a file names is not there to be read: made up, it is as good.
      try Reading.graph(try GraphFile.read(path, weights: .synthetic(seed: 0)))
    },
    Reader(
      name: "vil", suffix: ".vil", folders: ["Fixtures/loops", "FileTests/Cases"], endings: [".vil"],
      mutate: TextMutation.mutate, read: Reading.loops),
    Reader(
      name: "onnx", suffix: ".onnx", folders: ["Fixtures/onnx", "Fuzzing/Corpus/onnx"], endings: [".onnx"],
      mutate: MessageMutation.mutate
    ) { try Reading.graph(try ModelLoader.load(model: $0).graph) },
    Reader(
      name: "tensor", suffix: ".pb", folders: ["Fuzzing/Corpus/tensor"], endings: [".pb"],
      mutate: MessageMutation.mutate
    ) { path in _ = try InputSource.tensor(path).load(TensorType(.f32, [2, 3]), name: "x") },
    Reader(
      name: "safetensors", suffix: ".safetensors", folders: ["Fixtures/weights"], endings: [".safetensors"],
      mutate: ContainerMutation.safetensors
    ) { _ = try WeightSummary(path: $0) },
    Reader(
      name: "pickle", suffix: ".pth", folders: ["Fixtures/weights"], endings: [".pth", ".pth.tar"],
      mutate: ContainerMutation.archive
    ) { _ = try WeightSummary(path: $0) },
    Reader(
      name: "npz", suffix: ".npz", folders: ["Fixtures/weights"], endings: [".npz"], mutate: ContainerMutation.archive
    ) { _ = try WeightSummary(path: $0) },
    Reader(
      name: "npy", suffix: ".npy", folders: ["Fixtures/weights", "Fixtures/images"], endings: [".npy"],
      mutate: ContainerMutation.numpy
    ) { path in
      _ = try? NumpyFile.read(path, as: .i64)
      _ = try NumpyFile.read(path)
    },
    Reader(
      name: "picture", suffix: ".png", folders: ["Fixtures/images"], endings: [".png", ".jpg", ".ppm"],
      mutate: ByteMutation.mutate
    ) { path in
      let preprocessing = ImagePreprocessing(
        mean: [0, 0, 0], standardDeviation: [1, 1, 1], resize: 36, crop: 32, interpolation: .bicubic)
      _ = try InputSource.image(path).load(shape: [1, 3, 24, 32], preprocessing: preprocessing)
    },
    Reader(
      name: "golden", suffix: ".json", folders: ["Fixtures/golden"], endings: [".json"], mutate: TextMutation.mutate,
      read: Reading.golden),
    Reader(
      name: "tuning", suffix: ".json", folders: ["Fuzzing/Corpus/tuning"], endings: [".json"],
      mutate: TextMutation.mutate, read: Reading.tuning),
  ]

  /// The contents of the seeds below a package's folder, the largest left out: a change to them costs too much.
  func seeds(in root: String, besides more: String?) -> [[UInt8]] {
    let places = folders.map { "\(root)/Tests/\($0)" } + ["\(root)/Tests/Fuzzing/Corpus/\(name)"] + (more.map { [$0] } ?? [])
    let paths = Set(places).sorted().flatMap { folder in
      ((try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []).sorted().map { "\(folder)/\($0)" }
    }
    return paths.filter { path in endings.contains { path.hasSuffix($0) } }.flatMap { path -> [[UInt8]] in
      guard let data = FileManager.default.contents(atPath: path), data.count <= 1 << 18 else { return [] }
      return Self.parts(Array(data))
    }
  }

  /// A case of a pass is two graphs, with a line between that says what the second is.
  private static func parts(_ bytes: [UInt8]) -> [[UInt8]] {
    guard bytes.starts(with: Array("//".utf8)), let text = String(validating: bytes, as: UTF8.self) else { return [bytes] }
    return text.components(separatedBy: "\n// expect").map { part in
      Array(part.split(separator: "\n").filter { !$0.hasPrefix("//") }.joined(separator: "\n").utf8)
    }
  }
}

/// What the tool would do after reading, as far as a process of its own is not needed.
enum Reading {
  /// What is wrong with the compiler, and not with a file.
  struct Defect: Error, CustomStringConvertible {
    var description: String
  }

  private static let target = Target.all.first { $0.name == "scalar" } ?? Target.all[0]

  /// Few enough that a run takes no time.
  private static let mostElements = 1 << 20

  static func graph(_ graph: Graph) throws {
    try GraphVerifier.verify(graph, fuses: Kernels.rules)
    _ = try GraphFile.text(graph)
    _ = graph.dot
    _ = try? ONNXExporter.export(graph, version: "0")
    let types = graph.values.compactMap(\.type.tensor)
    let counts = types.map { Extents.count($0.shape) }
    guard graph.nodes.count <= 256, let sum = Extents.sum(counts) else { return }
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: graph)
    let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: 2))
    do {
      try program.verify(target: target)
    } catch let problems as DiagnosticList {
      throw Defect(description: "not proved: \(problems.diagnostics.first.map(\.description) ?? "")")
    }
    _ = PlanMemory.plan(program, workers: 2)
    guard sum <= mostElements / 16, graph.inputs.allSatisfy({ graph.type(of: $0).tensor != nil }) else { return }
    let inputs = try graph.inputs.map { id in
      Tensor<Double>(try InputSource.synthetic(seed: 0).load(graph.tensorType(of: id), name: "x"))
    }
    _ = try GraphInterpreter<Double>().run(graph, inputs: inputs)
  }

  static func loops(_ path: String) throws {
    let program = try LoopProgram(parsing: String(decoding: try readFile(path), as: UTF8.self), file: path)
    try program.verify(target: target)
    let again = try LoopProgram(parsing: program.text, file: path)
    if again.text != program.text { throw Defect(description: "the text of a program is read as another") }
    _ = PlanMemory.plan(program, workers: 2)
  }

  static func golden(_ path: String) throws {
    let golden = try Golden(path: path)
    for module in golden.modules { _ = module.difference([1, 2, 3]) }
    _ = golden.relativeError(of: [1, 2])
  }

  static func tuning(_ path: String) throws {
    guard let tuning = try? JSONDecoder().decode(ProductTuning.self, from: Data(try readFile(path))) else {
      throw Diagnostic("no tuning")
    }
    try tuning.validate(for: target)
  }
}
