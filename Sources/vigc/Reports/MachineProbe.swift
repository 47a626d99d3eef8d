import Codegen
import IR
import Passes

/// What a target's code can do at best on this machine, measured through the same emitter, compiler and clock as a
/// model: the two sides of a roofline.
struct MachineProbe {
  /// 10^9 floating-point operations a second of one core, two for a multiply-add.
  var gigaflops: Double
  /// 10^9 bytes a second that one core reads out of `bytes` of memory, over and over.
  var gigabytesPerSecond: Double

  /// - Parameter bytes: What the model reads and writes in a run, so that the same level of memory is measured.
  static func measure(_ target: Target, bytes: Int, toolchain: Toolchain) async throws -> MachineProbe {
    let rounds = 20_000
    let chains = 12
    let arithmetic = try await milliseconds(
      multiplyAdds(target, rounds: rounds, chains: chains), target, input: 2 * target.lanes, toolchain)
    let vectors = max(8, bytes / (4 * target.lanes) / 8 * 8)
    let reading = try await milliseconds(
      reads(target, vectors: vectors), target, input: vectors * target.lanes, toolchain)
    return MachineProbe(
      gigaflops: Double(2 * chains * rounds * target.lanes) / arithmetic * 1e-6,
      gigabytesPerSecond: Double(4 * vectors * target.lanes) / reading * 1e-6)
  }

  /// Least milliseconds of a run.
  private static func milliseconds(
    _ program: LoopProgram, _ target: Target, input elements: Int, _ toolchain: Toolchain
  ) async throws -> Double {
    let options = LibraryOptions(
      name: program.name, inputShapes: [[elements]], outputShapes: [[target.lanes]], weightsDescription: "none")
    let library = try emitLibrary(
      program, plan: PlanMemory.plan(program, workers: 1), target: target, options: options)
    let input = [Float](repeating: 0.5, count: elements).withUnsafeBytes { Array($0) }
    return try await CompiledModel.with(library, toolchain: toolchain) { executable in
      try await executable.bench(input, seconds: 0.3).minimum
    }
  }

  /// Independent chains of multiply-adds in registers: twelve cover a latency of six at two a cycle.
  private static func multiplyAdds(_ target: Target, rounds: Int, chains: Int) -> LoopProgram {
    var program = ProgramBuilder(name: "machine_peak", target: target, workers: 1)
    let input = program.buffer("input", .input, count: 2 * target.lanes)
    let output = program.buffer("output", .output, count: target.lanes)
    let type = program.vector
    program.entry.layer("chains") { builder in
      let factor = builder.let("factor", type, .load(input, 0, type))
      let term = builder.let("term", type, .load(input, .constant(target.lanes), type))
      let names = (0..<chains).map { builder.register("chain_\($0)", type, .f32(Double($0), lanes: target.lanes)) }
      builder.loop("round", 0, .constant(rounds)) { builder, _ in
        for name in names { builder.assign(name, .fma(.variable(name), factor, term)) }
      }
      builder.store(output, 0, names.map { .variable($0) }.reduce(.f32(0, lanes: target.lanes), +))
    }
    return program.finished()
  }

  /// Eight streams of loads, each vector used once.
  private static func reads(_ target: Target, vectors: Int) -> LoopProgram {
    var program = ProgramBuilder(name: "machine_reads", target: target, workers: 1)
    let input = program.buffer("input", .input, count: vectors * target.lanes)
    let output = program.buffer("output", .output, count: target.lanes)
    let type = program.vector
    program.entry.layer("sweep") { builder in
      let names = (0..<8).map { builder.register("most_\($0)", type, .f32(0, lanes: target.lanes)) }
      builder.loop("group", 0, .constant(vectors / 8)) { builder, group in
        for (place, name) in names.enumerated() {
          let vector = LoopValue.load(input, (group * 8 + .constant(place)) * target.lanes, type)
          builder.assign(name, .maximum(vector, .variable(name)))
        }
      }
      let first = LoopValue.variable(names[0])
      builder.store(output, 0, names.dropFirst().reduce(first) { .maximum($0, .variable($1)) })
    }
    return program.finished()
  }
}
