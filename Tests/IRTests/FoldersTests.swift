import Foundation
import Testing

/// The picture of the folders in docs/Architecture.md is the folders.
@Suite struct FoldersTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Paths below Sources, out of lines indented by two spaces a level.
  private static func drawn() throws -> Set<String> {
    let page = try String(contentsOf: root.appendingPathComponent("docs/Architecture.md"), encoding: .utf8)
    let lines = page.components(separatedBy: "\n").drop { $0 != "    Sources/" }.dropFirst().prefix {
      $0.hasPrefix("    ")
    }
    var path: [String] = []
    var found: Set<String> = []
    for line in lines {
      let depth = (line.prefix { $0 == " " }.count - 4) / 2
      path = path.prefix(depth - 1) + [String(line.drop { $0 == " " }.prefix { $0 != "/" })]
      found.insert(path.joined(separator: "/"))
    }
    return found
  }

  private static func folders() throws -> Set<String> {
    let sources = root.appendingPathComponent("Sources")
    let paths = try FileManager.default.subpathsOfDirectory(atPath: sources.path)
    return Set(
      paths.filter { path in
        var isFolder: ObjCBool = false
        let full = sources.appendingPathComponent(path).path
        return FileManager.default.fileExists(atPath: full, isDirectory: &isFolder) && isFolder.boolValue
      })
  }

  @Test func architectureDrawsTheFolders() throws {
    let (drawn, real) = (try Self.drawn(), try Self.folders())
    #expect(drawn.subtracting(real).sorted() == [], "docs/Architecture.md draws folders that are not there")
    #expect(real.subtracting(drawn).sorted() == [], "docs/Architecture.md does not draw these")
  }

  @Test func noFolderHoldsMoreThanTwentyFiles() throws {
    let sources = Self.root.appendingPathComponent("Sources")
    for folder in try Self.folders() {
      let names = try FileManager.default.contentsOfDirectory(atPath: sources.appendingPathComponent(folder).path)
      #expect(names.filter { $0.hasSuffix(".swift") }.count <= 20, "\(folder) wants to be two folders")
    }
  }
}
