import Foundation
import Testing

/// Rules of the sources that no formatter knows: short files, short functions, a README where a reader arrives.
@Suite struct SourceRulesTests {
  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Sources")

  /// Swift files below Sources that somebody wrote.
  static func files() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: sources.path)
      .filter { $0.hasSuffix(".swift") && !$0.hasSuffix(".pb.swift") }.sorted()
  }

  private static func lines(_ file: String) throws -> [String] {
    try String(contentsOf: sources.appendingPathComponent(file), encoding: .utf8).components(separatedBy: "\n")
  }

  @Test func noFileIsLongerThanFourHundredLines() throws {
    for file in try Self.files() {
      let count = try Self.lines(file).count - 1
      #expect(count <= 400, "\(file) has \(count) lines and wants to be two files")
    }
  }

  /// A longer function says why in a comment that begins with `Long because`.
  @Test func noFunctionIsLongerThanSixtyLines() throws {
    let start = /^ *(?:(?:public|private|fileprivate|static|mutating|override) )*(?:func|init)\b.*/
    for file in try Self.files() {
      let lines = try Self.lines(file)
      for (number, line) in lines.enumerated() where line.wholeMatch(of: start) != nil && !line.hasSuffix("}") {
        let indentation = String(line.prefix { $0 == " " })
        // A requirement of a protocol has no body: what ends it is no brace of its own.
        guard
          let opening = lines[number...].firstIndex(where: {
            $0.hasSuffix("{") || $0.isEmpty || $0 == indentation + "}"
          }),
          lines[opening].hasSuffix("{"), let end = lines[number...].firstIndex(of: indentation + "}")
        else { continue }
        let isReasoned = lines[max(0, number - 12)..<number].reversed().prefix { $0.contains("//") }.contains {
          $0.contains("Long because")
        }
        #expect(end - number < 60 || isReasoned, "\(file):\(number + 1): \(end - number + 1) lines")
      }
    }
  }

  /// The folders that a reader meets first say what lives there.
  @Test func foldersHaveREADMEs() throws {
    for library in ["IR", "Passes", "Codegen", "Frontends", "vigc"] {
      let root = Self.sources.appendingPathComponent(library)
      let names = try FileManager.default.contentsOfDirectory(atPath: root.path).filter { !$0.contains(".") }
      for folder in [""] + names {
        let readme = root.appendingPathComponent(folder).appendingPathComponent("README.md")
        #expect(FileManager.default.fileExists(atPath: readme.path), "\(library)/\(folder) has no README.md")
      }
    }
  }
}
