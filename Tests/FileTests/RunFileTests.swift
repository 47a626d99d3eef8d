import Codegen
import Foundation
import IR
import Passes
import Testing

/// `// run [--target a,b] [--tolerance T]`: a graph or a loop program, with `// input NAME: 1 2 ...` and
/// `// output NAME: 3 4 ...` below it. Weights of a loop program are inputs too.
///
/// A graph runs in the interpreter in double; then, through the whole pipeline, as loops of each target; a loop program
/// runs as loops of each target. Loops run in their interpreter and as compiled C, and those two give the same bytes.
@Suite struct RunFileTests {
  @Test(arguments: FileCase.cases(of: .run)) func fileCase(_ path: String) async throws {
    let file = try FileCase(path)
    let given = try file.numbers("input")
    var outputs = try file.numbers("output")
    // Float32 rounds what a graph computes; a loop program says every rounding itself.
    let tolerance = try file.option("tolerance").map { try #require(Double($0)) } ?? (file.isLoops ? 0 : 1e-5)

    let graph = file.isLoops ? nil : try file.graph()
    if let graph {
      let found = try interpreted(graph, given)
      if FileCase.isBlessing {
        outputs = found
        try bless(file, found)
      }
      try expect(found, outputs, within: 1e-9 + tolerance)
    }
    for target in try file.targets("scalar,avx2,avx512") {
      var program = try file.program(for: target, passes: Pipeline.passes(for: target))
      let names = graph?.inputs.map { input in graph?.values[input.index].name ?? "" }
      var inputs: [String: [UInt8]] = [:]
      for (place, buffer) in program.buffers.filter({ $0.storage == .input }).enumerated() {
        inputs[buffer.name] = encoded(
          try #require(given[names?[place] ?? buffer.name], "no input \(buffer.name)"), buffer)
      }
      for buffer in program.buffers where buffer.storage == .weights && program.constants[buffer.name] == nil {
        program.constants[buffer.name] = encoded(try #require(given[buffer.name], "no input \(buffer.name)"), buffer)
      }
      try program.verify(target: target)
      let buffers = program.buffers.filter { $0.storage == .output }
      let bytes = try LoopInterpreter(program: program, target: target).run(inputs)
      var found: [String: [Double]] = [:]
      for (place, buffer) in buffers.enumerated() {
        let name = graph.map { $0.values[$0.outputs[place].index].name } ?? buffer.name
        found[name] = decoded(bytes[buffer.name] ?? [], buffer.element)
      }
      if FileCase.isBlessing, file.isLoops, outputs.isEmpty || target.name == "scalar" {
        outputs = found
        try bless(file, found)
      }
      try expect(found, outputs, within: tolerance)
      try await expectCompiled(program, target, file, inputs, buffers.flatMap { bytes[$0.name] ?? [] })
    }
  }

  private func interpreted(_ graph: Graph, _ given: [String: [Double]]) throws -> [String: [Double]] {
    let inputs = try graph.inputs.map { input in
      let name = graph.values[input.index].name
      return Tensor<Double>(
        shape: graph.tensorType(of: input).shape, real: try #require(given[name], "there is no '// input \(name)'"))
    }
    let results = try GraphInterpreter<Double>().run(graph, inputs: inputs)
    return Dictionary(uniqueKeysWithValues: zip(graph.outputs.map { graph.values[$0.index].name }, results.map(\.real)))
  }

  private func expect(_ found: [String: [Double]], _ wanted: [String: [Double]], within tolerance: Double) throws {
    #expect(found.keys.sorted() == wanted.keys.sorted(), "VIGC_BLESS=1 writes '// output' lines")
    for (name, values) in found {
      let expected = wanted[name] ?? []
      #expect(values.count == expected.count, "\(name)")
      for (place, (a, b)) in zip(values, expected).enumerated() {
        let isSame = a == b || (a.isNaN && b.isNaN) || abs(a - b) <= tolerance * max(1, abs(b))
        #expect(isSame, "\(name)[\(place)] is \(a), and the case says \(b)")
      }
    }
  }

  private func expectCompiled(
    _ program: LoopProgram, _ target: Target, _ file: FileCase, _ inputs: [String: [UInt8]], _ expected: [UInt8]
  ) async throws {
    // An emulated target takes seconds to compile; CodegenTests have those.
    guard HostMachine.current.lacks(target.machine).isEmpty else { return }
    var options = CompiledModel.Options()
    options.optimisation = "-O1"
    let flat = program.buffers.filter { $0.storage == .input }.flatMap { inputs[$0.name] ?? [] }
    let found = try await CompiledModel.with(file.library(program, target), options: options) { try await $0.run(flat) }
    #expect(found == expected, "the C for \(target.name) and the interpreter differ")
  }

  private func bless(_ file: FileCase, _ outputs: [String: [Double]]) throws {
    let kept = file.text.components(separatedBy: "\n").filter { !$0.hasPrefix("// output ") }
    let text = kept.joined(separator: "\n")
    let lines = outputs.keys.sorted().map { name -> String in
      let values = (outputs[name] ?? []).map { $0 == $0.rounded() && abs($0) < 1e6 ? String(Int($0)) : "\($0)" }
      return "// output \(name): \(values.joined(separator: " "))\n"
    }
    try file.bless(text + (text.hasSuffix("\n") ? "" : "\n") + lines.joined())
  }

  private func encoded(_ values: [Double], _ buffer: LoopBuffer) -> [UInt8] {
    let shape = [values.count]
    let tensor =
      buffer.element.isFloat
      ? Tensor<Double>(element: buffer.element, shape: shape, real: values)
      : Tensor<Double>(element: buffer.element, shape: shape, integer: values.map { Int64($0) })
    return TensorData(encoding: tensor).bytes
  }

  private func decoded(_ bytes: [UInt8], _ element: ElementType) -> [Double] {
    let data = TensorData(element: element, shape: [bytes.count / element.byteCount], bytes: bytes)
    switch Tensor<Double>(data).storage {
    case .real(let values): return values
    case .integer(let values): return values.map(Double.init)
    }
  }
}

extension FileCase {
  /// The numbers after `// KIND NAME: `; several lines of one name go on.
  fileprivate func numbers(_ kind: String) throws -> [String: [Double]] {
    var result: [String: [Double]] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("// \(kind) ") {
      let parts = line.dropFirst("// \(kind) ".count).split(separator: ":", maxSplits: 1)
      try #require(parts.count == 2, "\(path): '// \(kind) NAME: numbers'")
      let values = try parts[1].split(separator: " ").map { try #require(Double($0), "\(path): \($0) is no number") }
      result[String(parts[0]), default: []] += values
    }
    return result
  }

  /// The loop program in the text, or the graph in it through `passes` and lowered.
  func program(for target: Target, passes: @autoclosure () throws -> [any Pass]) throws -> LoopProgram {
    isLoops ? try LoopProgram(parsing: source, file: path) : try lowered(graph(), for: target, passes: passes())
  }

  /// The library of a program, with zeros for weights that have no contents.
  func library(_ program: LoopProgram, _ target: Target) throws -> EmittedLibrary {
    var program = program
    for buffer in program.buffers where buffer.storage == .weights && program.constants[buffer.name] == nil {
      program.constants[buffer.name] = [UInt8](repeating: 0, count: buffer.byteCount)
    }
    func shapes(_ storage: LoopBuffer.Storage) -> [[Int]] {
      program.buffers.filter { $0.storage == storage }.map { [$0.count] }
    }
    return try emitLibrary(
      program, plan: PlanMemory.plan(program, workers: 1), target: target,
      options: LibraryOptions(
        name: program.name, inputShapes: shapes(.input), outputShapes: shapes(.output), weightsDescription: "the case's"
      ))
  }
}

/// A folder that goes with the value that holds it.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("vigc-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
