import Foundation
import IR
import Testing

/// What `vigc verify` allows if no tolerance is set: the sum of the roundings of half floats.
@Suite struct ToleranceTests {
  private func verify(_ text: String, _ more: String...) async throws -> Tool.Outcome {
    var outcome: Tool.Outcome?
    try await withFolder { folder in
      try text.write(toFile: "\(folder)/m.vir", atomically: true, encoding: .utf8)
      outcome = try await Tool.run(Tool.path, ["verify", "\(folder)/m.vir", "--target", "scalar"] + more)
    }
    return try #require(outcome)
  }

  /// PyTorch's half floats: right, and far from what float32 would give.
  @Test func halvesOfPyTorch() async throws {
    let model = fixture("onnx/half_attention.onnx")
    let outcome = try await Tool.run("verify", model)
    expectSuccess(outcome)
    let tail = outcome.output.split(separator: ";").last.map(String.init) ?? ""
    #expect(tail == " tolerance 0.00331, since up to 46 results in a row are rounded to f16\n")
    let strict = try await Tool.run("verify", model, "--tolerance", "1e-5")
    #expect(strict.status == 1)
    #expect(strict.firstError.hasSuffix(", tolerance 1e-05"))
    #expect(!strict.output.contains("rounded to f16"))
  }

  /// Roundings in a row count, side by side they do not; conversions that are exact and constants are none.
  @Test func countsRoundings() async throws {
    func graph(_ element: String) -> String {
      """
      graph m(%x: \(element)[2,3]) -> (%y) {
        %one = constant {values = [1]} : \(element)[]
        %a = add(%x, %one) : \(element)[2,3]
        %b = multiply(%x, %x) : \(element)[2,3]
        %c = add(%a, %b) : \(element)[2,3]
        %d = cast(%c) {to = "f32"} : f32[2,3]
        %y = add(%d, %d) : f32[2,3]
      }
      """
    }
    for (element, allowed) in [("f16", "0.000691"), ("bf16", "0.00552")] {
      let outcome = try await verify(graph(element))
      expectSuccess(outcome)
      #expect(
        outcome.output.hasSuffix("; tolerance \(allowed), since up to 2 results in a row are rounded to \(element)\n"))
    }
    let single = try await verify(graph("f32"))
    expectSuccess(single)
    #expect(single.output.hasSuffix(" against the interpreter\n"))
  }

  /// Weights in halves that float32 computes with are exact.
  @Test func halvesThatAreOnlyStored() async throws {
    let outcome = try await verify(
      """
      graph m(%x: f32[2,3]) -> (%y) {
        %w = constant {values = [0.5]} : f16[]
        %v = cast(%w) {to = "f32"} : f32[]
        %y = multiply(%x, %v) : f32[2,3]
      }
      """)
    expectSuccess(outcome)
    #expect(outcome.output.hasSuffix(" against the interpreter\n"))
  }
}
