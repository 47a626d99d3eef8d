import Codegen
import Frontends
import IR

// Running a compiled model on inputs: as C, or by one of the interpreters. Outputs are reals, one list a tensor; what C
// computes in float32 is exact in them.

extension Compilation {
  /// The tensors of one run, in order of the graph's inputs.
  ///
  /// - Parameter given: Sources of inputs by their names; a source without a name is for the first input. An empty list
  ///   means synthetic tensors. A synthetic source without a name fills every input that has no other.
  func inputs(_ given: [InputOption]) throws -> [TensorData] {
    let graph = model.graph
    try graph.requireTensorBoundary()
    let names = graph.inputs.map { graph.values[$0.index].name }
    var sources: [String: InputSource] = [:]
    var rest: InputSource? = given.isEmpty ? .synthetic(seed: 0) : nil
    for option in given {
      guard let name = option.name ?? names.first else {
        throw Diagnostic("\(self.name) has no input; leave out --input \(option.source)")
      }
      guard names.contains(name) else {
        let hint = names.isEmpty ? "it has none" : "there is \(names.joined(separator: ", "))"
        throw Diagnostic("\(self.name) has no input '\(name)'; \(hint)")
      }
      if sources.updateValue(option.source, forKey: name) != nil {
        throw Diagnostic("the input '\(name)' is given twice")
      }
      if case .synthetic = option.source, option.name == nil { rest = option.source }
    }
    let missing = names.filter { sources[$0] == nil }
    if rest == nil, !missing.isEmpty {
      throw Diagnostic(
        "\(self.name) takes \(names.count) inputs, and nothing is given for \(missing.joined(separator: ", "))",
        notes: ["name each: --input \(missing[0])=FILE.npy"])
    }
    return try graph.inputs.enumerated().map { position, value in
      let type = graph.tensorType(of: value)
      guard let source = sources[names[position]] ?? rest else { preconditionFailure("missing ones were refused") }
      if position == 0, type.element == .f32 {
        return try source.load(
          shape: type.shape, preprocessing: model.preprocessing, normalizes: !options.normalize)
      }
      return try source.load(type, name: names[position])
    }
  }

  /// What the interpreter makes of a graph, as numbers: in double precision, or in that of the C if the graph rounds to
  /// integers, since a value between two of them may round either way.
  static func interpret(_ graph: Graph, _ inputs: [TensorData]) throws -> [[Double]] {
    try results(graph, inputs).map(\.numbers)
  }

  private static func results(_ graph: Graph, _ inputs: [TensorData]) throws -> [Tensor<Double>] {
    if !graph.isQuantized { return try GraphInterpreter<Double>().run(graph, inputs: inputs.map { Tensor($0) }) }
    return try GraphInterpreter<Float>().run(graph, inputs: inputs.map { Tensor($0) }).map { Tensor(widening: $0) }
  }

  /// What the loop interpreter makes of a program.
  func interpret(_ program: LoopProgram, _ inputs: [TensorData]) throws -> [TensorData] {
    let names = program.buffers.filter { $0.storage == .input }.map(\.name)
    let contents = Dictionary(uniqueKeysWithValues: zip(names, inputs.map(\.bytes)))
    let found = try LoopInterpreter(program: program, target: target).run(contents)
    return program.buffers.filter { $0.storage == .output }.map { buffer in
      TensorData(element: buffer.element, shape: [buffer.count], bytes: found[buffer.name] ?? [])
    }
  }

  /// Compiles a library's C with its driver and hands it over; says so if the machine needs an emulation.
  func withExecutable<Result>(
    _ library: EmittedLibrary, options: CompiledModel.Options = CompiledModel.Options(),
    _ body: (CompiledModel) async throws -> Result
  ) async throws -> Result {
    var options = options
    options.runner = self.options.runnerWords
    options.limit = nil
    if options.runner.isEmpty, let substitute = target.execution(compiler: self.options.cc).substitute {
      Console.warn("this machine does not run code for \(target.name); running it through \(substitute)")
    }
    let settings = options
    let outputs = zip(library.outputElements, library.outputTypes).map { $0 * $1.byteCount }
    try MemoryLimit.require(
      Extents.sum([library.arenaBytes, library.weightBytes] + outputs), for: "the arena, weights and outputs of \(name)"
    )
    return try await Console.progress("compiling the C of \(name) and running it") {
      try await CompiledModel.with(library, toolchain: self.options.toolchain, options: settings, body)
    }
  }

  /// One run of the model on an engine, as numbers.
  mutating func execute(_ engine: Engine, _ inputs: [TensorData]) async throws -> [[Double]] {
    if engine == .graph {
      let graph = model.graph
      return try await Console.progress("interpreting the graph of \(name)") { try Self.interpret(graph, inputs) }
    }
    return try await tensors(engine, inputs).map { Tensor<Double>($0).numbers }
  }

  /// One run of the model on an engine: each output in its own element type.
  mutating func tensors(_ engine: Engine, _ inputs: [TensorData]) async throws -> [TensorData] {
    let graph = model.graph
    let shapes = graph.outputs.map { graph.tensorType(of: $0).shape }
    let flat: [TensorData]
    switch engine {
    case .c:
      let library = try compile().library
      let threads = options.runThreads
      flat = try await withExecutable(library) { executable in
        library.split(try await executable.run(inputs.flatMap(\.bytes), threads: threads))
      }
    case .graph:
      return try await Console.progress("interpreting the graph of \(name)") {
        try Self.results(graph, inputs).map { TensorData(encoding: $0) }
      }
    case .loops:
      let compilation = self
      let program = try lower(optimize())
      flat = try await Console.progress("interpreting the loops of \(name)") {
        try compilation.interpret(program, inputs)
      }
    }
    return zip(flat, shapes).map { TensorData(element: $0.element, shape: $1, bytes: $0.bytes) }
  }
}

extension EmittedLibrary {
  /// The output bytes of one run, each output as a tensor of one axis.
  func split(_ bytes: [UInt8]) -> [TensorData] {
    var position = 0
    return zip(outputElements, outputTypes).map { count, type in
      let end = position + count * type.byteCount
      defer { position = end }
      return TensorData(element: type, shape: [count], bytes: Array(bytes[position..<end]))
    }
  }
}

extension Tensor where T == Double {
  /// The same numbers in double precision.
  init(widening tensor: Tensor<Float>) {
    switch tensor.storage {
    case .real(let values): self.init(element: tensor.element, shape: tensor.shape, real: values.map(Double.init))
    case .integer(let values): self.init(element: tensor.element, shape: tensor.shape, integer: values)
    }
  }

  /// The elements as doubles, to which large integers are rounded.
  var numbers: [Double] {
    switch storage {
    case .real(let values): values
    case .integer(let values): element == .u64 ? values.map { Double(UInt64(bitPattern: $0)) } : values.map(Double.init)
    }
  }
}

/// The distance of `found` from `expected` relative to the length of `expected`; infinite if a number is missing or is
/// not one.
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
