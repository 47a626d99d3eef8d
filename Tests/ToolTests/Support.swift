import Codegen
import Foundation
import IR
import Testing

/// The package's root, two folders above this file.
let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

func fixture(_ path: String) -> String { packageRoot.appendingPathComponent("Tests/Fixtures/\(path)").path }

/// A file of the reference data, which lie beside the package and are not part of a clone.
func reference(_ path: String) -> String? {
  // A work tree may lie one folder deeper than the package itself.
  for folder in ["../shared/reference", "../../shared/reference"] {
    let url = packageRoot.appendingPathComponent("\(folder)/\(path)").standardizedFileURL
    if FileManager.default.fileExists(atPath: url.path) { return url.path }
  }
  return nil
}

/// A spec small enough to compile many times.
let tiny = fixture("specs/tiny.yaml")

/// One whose graphs depend on data.
let dynamic = fixture("specs/dynamic.yaml")

/// The tool as a user runs it: the built program, which lies beside the test bundle.
enum Tool {
  struct Outcome {
    var status: Int32
    var output: String
    var errors: String

    /// What a user reads first.
    var firstError: String { errors.split(separator: "\n").first.map(String.init) ?? "" }
  }

  static let path = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("vigc").path

  static func run(_ arguments: String..., in directory: String? = nil) async throws -> Outcome {
    try await run(path, arguments, in: directory)
  }

  /// Runs any program to its end.
  static func run(_ program: String, _ arguments: [String], in directory: String? = nil) async throws -> Outcome {
    let output = try await Toolchain.run(program, arguments, in: directory, seconds: 300)
    #expect(!output.timedOut, "\(program) \(arguments.joined(separator: " ")) takes too long")
    return Outcome(
      status: Int32(output.exitCode ?? -1), output: output.standardOutput, errors: output.standardError)
  }
}

/// A folder that disappears with the test.
func withFolder(_ body: (String) async throws -> Void) async throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vigc-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try await body(folder.path)
}

func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

func names(in folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// Fails unless the command succeeded, with what it said.
func expectSuccess(_ outcome: Tool.Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
}
