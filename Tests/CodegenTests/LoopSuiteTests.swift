import Foundation
import IR
import Testing

@testable import Codegen

/// The loop language's own suite, as C for every target: the same bytes as in the interpreter.
@Suite struct LoopSuiteTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/loops")

  static let files: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".vil") }.sorted()

  static func program(_ file: String) throws -> LoopProgram {
    let url = folder.appendingPathComponent(file)
    return try LoopProgram(parsing: String(contentsOf: url, encoding: .utf8), file: file).withRandomWeights()
  }

  @Test(arguments: files, Machine.all)
  func sameBytesAsTheInterpreter(_ file: String, _ machine: Machine) async throws {
    let program = try LoopSuiteTests.program(file)
    var machine = machine
    machine.target.instructions["dot4_i8"] = dot4
    try await expectSameBytes(program, on: machine, checks: machine.compiler == "gcc")
  }

  @Test func suiteIsNotEmpty() { #expect(LoopSuiteTests.files.count >= 5) }
}

/// a0 + the sums of four products of int8: spelled by no target here, so its meaning is emitted.
let dot4: Target.Instruction = {
  func wide(_ name: String) -> LoopValue { .convert(.variable(name), LoopType(.i32, lanes: 32), saturating: false) }
  let products = wide("a1") * wide("a2")
  let terms = (0..<4).map { first in LoopValue.shuffle(products, nil, (0..<8).map { $0 * 4 + first }) }
  return Target.Instruction(
    spelling: "", operands: [LoopType(.i32, lanes: 8), LoopType(.i8, lanes: 32), LoopType(.i8, lanes: 32)],
    result: LoopType(.i32, lanes: 8), semantics: terms.reduce(.variable("a0")) { $0 + $1 })
}()
