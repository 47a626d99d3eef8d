import Codegen
import IR
import Passes
import Testing

/// `// emit [--target T] [--passes a,b]`: a loop program, or a graph that is lowered first; then `// expect` and the C of its
/// functions, layers, tasks and run. What a library has besides is the same for every program.
///
/// Beyond the text, each case holds that the C is what `checkC` accepts: for its target, and without a warning.
@Suite struct EmitFileTests {
  @Test(arguments: FileCase.cases(of: .emit)) func fileCase(_ path: String) throws {
    let file = try FileCase(path)
    let target = try file.target("scalar")
    let program = try file.program(for: target, passes: file.passes(from: Pipeline.registry(for: target)))
    let library = try file.library(program, target)
    let source = try #require(library.text(of: "\(program.name).c"))
    try file.expect(functions(of: program, in: source))
    let directory = try TemporaryDirectory()
    try library.write(to: directory.path)
    #expect(try library.checkC(in: directory.path).map(\.description) == [])
  }

  /// The definitions that come out of the program, in the order of the file.
  private func functions(of program: LoopProgram, in source: String) -> String {
    let own = program.functions.map(\.name) + program.valueFunctions.map(\.name)
    let wanted = own.map { " \($0)(" } + ["run(", "layer_", "task_"].map { "\(program.name)_\($0)" }
    var blocks: [[Substring]] = []
    var block: [Substring] = []
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
      block.append(line)
      if line == "}" || line.isEmpty {
        if line == "}", block.contains(where: { $0 == "{" || $0.hasPrefix("{") }) { blocks.append(block) }
        block = []
      }
    }
    let kept = blocks.filter { block in
      let head = block.prefix { $0 != "{" }.joined(separator: " ")
      return wanted.contains { head.contains($0) }
    }
    return kept.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
  }
}
