import Frontends
import IR
import Passes
import Testing

/// `// lower [--target T] [--workers N] [--passes a,b]`: a graph, then `// expect` and the loop program for the target.
///
/// Beyond the text, each case holds that the program is proved safe, that its text parses to the same program, and that it
/// computes what the graph does.
@Suite struct LowerFileTests {
  @Test(arguments: FileCase.cases(of: .lower)) func fileCase(_ path: String) throws {
    let file = try FileCase(path)
    let target = try file.target("avx2")
    let graph = try file.graph()
    let program = try file.lowered(graph, for: target, passes: file.passes(from: Pipeline.registry(for: target)))
    try file.expect(program.text)
    try program.verify(target: target)
    #expect(try LoopProgram(parsing: program.text, file: path).text == program.text)

    var tensors: [Tensor<Double>] = []
    var inputs: [String: [Float]] = [:]
    for (input, buffer) in zip(graph.inputs, program.buffers.filter { $0.storage == .input }) {
      let shape = graph.tensorType(of: input).shape
      let values = SyntheticWeights(seed: 3).uniform(buffer.name, count: shape.reduce(1, *))
      tensors.append(Tensor(shape: shape, real: values.map(Double.init)))
      inputs[buffer.name] = values
    }
    let expected = try GraphInterpreter<Double>().run(graph, inputs: tensors)
    let found = try LoopInterpreter(program: program, target: target).run(floats: inputs)
    for (tensor, buffer) in zip(expected, program.buffers.filter { $0.storage == .output }) {
      let values = try #require(found[buffer.name])
      #expect(values.count == tensor.count)
      for (a, b) in zip(values, tensor.real) { #expect(abs(Double(a) - b) <= 1e-5 * max(1, abs(b)), "\(buffer.name)") }
    }
  }
}
