import Foundation
import Frontends
import Testing

/// `vigc check`: one line and status 0, or a line for each thing that is wrong and status 1; nothing is run.
@Suite struct CheckTests {
  private func expect(
    _ line: String, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let outcome = try await Tool.run(Tool.path, ["check"] + arguments)
    #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.output == "\(arguments[0]): \(line)\n", sourceLocation: sourceLocation)
    #expect(outcome.errors.isEmpty, sourceLocation: sourceLocation)
  }

  /// All lines of what is refused.
  private func errors(_ arguments: String..., status: Int32 = 1) async throws -> [String] {
    let outcome = try await Tool.run(Tool.path, ["check"] + arguments)
    #expect(outcome.status == status)
    #expect(outcome.output.isEmpty)
    return outcome.errors.split(separator: "\n").map(String.init)
  }

  @Test func whatIsRight() async throws {
    try await expect(
      "a loop program of 2 functions, proved for avx2", fixture("loops/parallel_rows.vil"), "--target", "avx2")
    try await expect("a graph of 66 nodes, verified", tiny)
    try await expect(
      "a graph of 66 nodes, verified, and its loops proved for scalar", tiny, "--target", "scalar", "--weights",
      "synthetic:3")
    try await expect("a graph of 66 nodes, verified", fixture("onnx/mobilevig_dynamo.onnx"))
    try await expect("a PyTorch checkpoint of 4 tensors, 24 numbers in all", fixture("weights/protocol4.pth"))
    try await expect("an .npz archive of 4 tensors, 24 numbers in all", fixture("weights/deflated.npz"))
    try await expect("a safetensors file of 4 tensors, 24 numbers in all", fixture("weights/mixed.safetensors"))
  }

  @Test func whatIsWrong() async throws {
    try await withFolder { folder in
      func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        return "\(folder)/\(name)"
      }
      let loops = try write(
        "two.vil",
        """
        program two {
          buffer input x: f32[4]
          buffer output y: f32[4]
          entry {
            store y[4] = load f32 x[0]
            store y[0] = load f32 x[7]
          }
        }
        """)
      #expect(
        try await errors(loops, "--target", "scalar").filter { $0.hasPrefix("vigc: error: ") }.count == 2)
      let unknown = try write("net.vir", "graph g(%x: f32[2]) -> (%y) {\n  %y = rleu(%x) : f32[2]\n}\n")
      #expect(
        try await errors(unknown) == ["vigc: error: \(unknown):2:8: no op is called 'rleu'; is 'relu' meant?"])
      let weights = try write("w.safetensors", "nothing")
      #expect(
        try await errors(weights)
          == ["vigc: error: \(weights): not a safetensors file: 7 bytes, and the header's length alone takes 8"])
      #expect(
        try await errors(weights, "--target", "scalar")
          == ["vigc: error: \(weights) is read as a file of weights: leave out --target, --weights and --dim"])
      #expect(
        try await errors("\(folder)/none.onnx")
          == ["vigc: error: cannot read \(folder)/none.onnx: No such file or directory"])
      #expect(try await errors(tiny, "--memory-limit", "0", status: 64)[0].contains("from 1 to"))
    }
  }
}
