import Foundation
import Frontends
import IR
import Testing

/// Models that no exporter wrote: whatever they say of sizes and attributes, they get one line and status 1.
@Suite(.serialized) struct HostileModelTests {
  private func firstError(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
    let outcome = try await Tool.run(Tool.path, arguments)
    #expect(outcome.status == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
    return outcome.firstError
  }

  /// What a text file is refused with by `check`, less the file and its place.
  private func expect(
    _ message: String, of text: String, in type: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withFolder { folder in
      let path = "\(folder)/m.\(type)"
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      let line = try await firstError(["check", path, "--target", "scalar"], sourceLocation: sourceLocation)
      let start = "vigc: error: "
      #expect(line.hasPrefix(start), sourceLocation: sourceLocation)
      let place = line.dropFirst(start.count)
      let words = place.hasPrefix(path) ? place.dropFirst(path.count).drop { $0 == ":" || $0.isNumber } : place
      #expect(String(words.drop { $0 == " " }) == message, sourceLocation: sourceLocation)
    }
  }

  // MARK: Graphs

  @Test func extents() async throws {
    func graph(_ input: String, _ node: String) -> String { "graph g(%x: \(input)) -> (%y) {\n  %y = \(node)\n}\n" }
    let huge = 1 << 62
    try await expect("PLACEHOLDER", of: graph("f32[\(huge),\(huge)]", "relu(%x) : f32[1]"), in: "vir")
  }
}
