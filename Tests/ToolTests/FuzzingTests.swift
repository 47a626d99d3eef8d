import Foundation
import Testing

/// A quick slice of `Scripts/fuzz`, and the files that it once found.
@Suite(.serialized) struct FuzzingTests {
  private static let program = URL(fileURLWithPath: Tool.path).deletingLastPathComponent()
    .appendingPathComponent("vigc-fuzz").path

  @Test func aSliceOfEveryFormat() async throws {
    try await withFolder { folder in
      let outcome = try await Tool.run(
        Self.program, ["--inputs", "100", "--minutes", "3", "--root", packageRoot.path, "--output", folder])
      #expect(outcome.status == 0, "\(outcome.output)")
      #expect(outcome.output.split(separator: "\n").count == 12, "\(outcome.output)")
    }
  }

  @Test func whatWasFound() async throws {
    let corpus = packageRoot.appendingPathComponent("Tests/Fuzzing/Corpus")
    for reader in try names(in: corpus.path) {
      let folder = corpus.appendingPathComponent(reader).path
      for file in try names(in: folder) {
        let outcome = try await Tool.run(Self.program, ["--reader", reader, "--file", "\(folder)/\(file)"])
        #expect(outcome.status == 0, "\(reader)/\(file): \(outcome.errors)")
        #expect(!outcome.output.contains("defect"), "\(reader)/\(file): \(outcome.output)")
      }
    }
  }
}
