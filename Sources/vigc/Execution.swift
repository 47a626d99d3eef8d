import Codegen
import Frontends
import IR

// Running a compiled model on inputs: as C, or by one of the interpreters. Outputs are reals, one list a tensor; what C
// computes in float32 is exact in them.

extension Compilation {
  /// The tensors of one run, in order of the graph's inputs.
  func inputs(_ source: InputSource) throws -> [TensorData] {
    let graph = model.graph
    return try graph.inputs.enumerated().map { position, value in
      let type = graph.tensorType(of: value)
      let name = graph.values[value.index].name
      guard type.element == .f32 else {
        throw Diagnostic("the input \(name) of \(self.name) is \(type.element.rawValue); only f32 can be given")
      }
      if position == 0 {
        return try source.load(
          shape: type.shape, preprocessing: model.preprocessing, normalizes: !options.normalize)
      }
      guard case .synthetic(let seed) = source else {
        throw Diagnostic("\(self.name) has \(graph.inputs.count) inputs, which only synthetic ones fill")
      }
      return TensorData(
        shape: type.shape, floats: SyntheticWeights(seed: seed).uniform(name, count: type.count))
    }
  }

  /// What the interpreter makes of a graph in double precision.
  static func interpret(_ graph: Graph, _ inputs: [TensorData]) throws -> [[Double]] {
    try GraphInterpreter<Double>().run(graph, inputs: inputs.map { Tensor($0) }).map(\.real)
  }

  /// What the loop interpreter makes of a program.
  func interpret(_ program: LoopProgram, _ inputs: [TensorData]) throws -> [[Double]] {
    let names = program.buffers.filter { $0.storage == .input }.map(\.name)
    let outputs = program.buffers.filter { $0.storage == .output }.map(\.name)
    let contents = Dictionary(uniqueKeysWithValues: zip(names, inputs.map(\.floats)))
    let found = try LoopInterpreter(program: program, target: target).run(floats: contents)
    return outputs.map { (found[$0] ?? []).map(Double.init) }
  }

  /// Compiles a library's C with its driver and hands it over; says so where the machine needs an emulation.
  func withExecutable<Result>(
    _ library: EmittedLibrary, options: CompiledModel.Options = CompiledModel.Options(),
    _ body: (CompiledModel) async throws -> Result
  ) async throws -> Result {
    if target.isEmulated(on: Target.machineFeatures()) {
      Console.warn("this machine has no AVX-512; running its code through an emulation on AVX2")
    }
    return try await Console.progress("compiling the C of \(name) and running it") {
      try await CompiledModel.with(library, toolchain: self.options.toolchain, options: options, body)
    }
  }

  /// One run of the model on an engine.
  mutating func execute(_ engine: Engine, _ inputs: [TensorData]) async throws -> [[Double]] {
    switch engine {
    case .c:
      let library = try compile().library
      let threads = options.runThreads
      return try await withExecutable(library) { executable in
        library.split(try await executable.run(inputs.flatMap(\.bytes), threads: threads))
      }
    case .graph:
      let graph = model.graph
      return try await Console.progress("interpreting the graph of \(name)") { try Self.interpret(graph, inputs) }
    case .loops:
      let compilation = self
      let program = try lower(optimize())
      return try await Console.progress("interpreting the loops of \(name)") {
        try compilation.interpret(program, inputs)
      }
    }
  }
}

extension EmittedLibrary {
  /// The output bytes of one run as one list of reals a tensor.
  func split(_ bytes: [UInt8]) -> [[Double]] {
    var position = 0
    return zip(outputElements, outputTypes).map { count, type in
      let end = position + count * type.byteCount
      defer { position = end }
      let data = TensorData(element: type, shape: [count], bytes: Array(bytes[position..<end]))
      switch Tensor<Double>(data).storage {
      case .real(let values): return values
      case .integer(let values): return values.map(Double.init)
      }
    }
  }
}

/// The distance of `found` from `expected` relative to the length of `expected`; infinite where a number is missing or
/// is not one.
func relativeError(_ found: [Double], _ expected: [Double]) -> Double {
  guard found.count == expected.count else { return .infinity }
  var difference = 0.0
  var length = 0.0
  for (a, b) in zip(found, expected) {
    difference += (a - b) * (a - b)
    length += b * b
  }
  if difference == 0 { return 0 }
  let error = (difference / length).squareRoot()
  return error.isNaN ? .infinity : error
}
