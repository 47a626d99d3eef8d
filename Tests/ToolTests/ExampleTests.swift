import Foundation
import Testing

/// Every example does what its page says; each brings a script that does just that.
@Suite struct ExampleTests {
  /// An example and the programs that it cannot do without.
  static let examples: [(name: String, programs: [String])] = [
    ("c", ["cmake", "make", "awk"]), ("checkpoint", ["python3"]), ("firmware", []), ("python", ["python3"]),
  ]

  @Test func everyExampleIsRun() throws {
    let folders = try names(in: packageRoot.appendingPathComponent("examples").path).filter { !$0.hasPrefix(".") }
    #expect(folders == Self.examples.map(\.name), "list the example here")
  }

  @Test(arguments: examples.map(\.name)) func exampleRuns(_ name: String) async throws {
    let programs = Self.examples.first { $0.name == name }?.programs ?? []
    for program in programs where try await Tool.run("/bin/sh", ["-c", "command -v \(program)"]).status != 0 {
      try Test.cancel("the example \(name) needs \(program)")
    }
    let script = packageRoot.appendingPathComponent("examples/\(name)/run.sh").path
    try await withFolder { folder in
      expectSuccess(try await Tool.run("/bin/sh", [script, Tool.path, folder]))
    }
  }
}
