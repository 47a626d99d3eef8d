import Foundation
import Frontends
import IR
import Testing

/// The package's root, two folders above this file.
let packageRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

func fixture(_ path: String) -> String {
  packageRoot.appendingPathComponent("Tests/Fixtures/\(path)").path
}

/// A file of the published reference data, which lies beside the package and is not part of a clone.
func reference(_ path: String) -> String? {
  // A work tree may lie one folder deeper than the package itself.
  for folder in ["../shared/reference", "../../shared/reference"] {
    let url = packageRoot.appendingPathComponent("\(folder)/\(path)").standardizedFileURL
    if FileManager.default.fileExists(atPath: url.path) { return url.path }
  }
  return nil
}

/// A folder that disappears with the test.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vigc-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

/// The message of the diagnostic that `body` must throw.
func message(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> some Any
) -> String {
  do {
    _ = try body()
    Issue.record("expected a diagnostic", sourceLocation: sourceLocation)
  } catch let error as Diagnostic {
    return error.description
  } catch let error as DiagnosticList {
    return error.description
  } catch {
    Issue.record("expected a diagnostic, not \(error)", sourceLocation: sourceLocation)
  }
  return ""
}

/// Whether `body` either succeeds or throws a diagnostic, as it must on any input at all.
func succeedsOrDiagnoses(_ body: () throws -> some Any) -> Bool {
  do {
    _ = try body()
    return true
  } catch {
    return error is Diagnostic || error is DiagnosticList
  }
}

/// The finaliser of splitmix64 as a generator: the same mutations in every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A copy with a few bytes changed, removed, inserted or cut off.
func mutated(_ bytes: [UInt8], with generator: inout SeededGenerator) -> [UInt8] {
  var result = bytes
  for _ in 0..<Int.random(in: 1...4, using: &generator) where !result.isEmpty {
    let place = Int.random(in: 0..<result.count, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: result[place] = UInt8.random(in: 0...255, using: &generator)
    case 1: result.remove(at: place)
    case 2: result.insert(UInt8.random(in: 0...255, using: &generator), at: place)
    case 3: result[place] = Array("0123456789-:[]{}, \n\"#&*".utf8).randomElement(using: &generator) ?? 0
    default: result.removeLast(min(result.count, Int.random(in: 0..<16, using: &generator)))
    }
  }
  return result
}
