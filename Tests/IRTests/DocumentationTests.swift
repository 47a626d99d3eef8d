import Foundation
import Testing

@testable import IR

/// The pages of `docs/` and the others in Markdown: what they quote is in the sources, what they show works, and where
/// they point there is something.
@Suite struct DocumentationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Paths from the root.
  static let pages: [String] = {
    let folders = ["", "docs", "examples/c", "examples/firmware", "examples/python", "generated"]
    return folders.flatMap { folder -> [String] in
      let place = root.appendingPathComponent(folder)
      let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
      return names.filter { $0.hasSuffix(".md") }.sorted().map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
    }
  }()

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Fenced blocks in a language, each with the text of the page before it.
  private static func blocks(_ language: String, in page: String) throws -> [(before: String, code: String)] {
    var found: [(before: String, code: String)] = []
    var rest = try text(page)[...]
    var before = ""
    while let start = rest.range(of: "```\(language)\n") {
      before += rest[..<start.lowerBound]
      guard let end = rest.range(of: "\n```", range: start.upperBound..<rest.endIndex) else { break }
      found.append((before, String(rest[start.upperBound..<end.lowerBound])))
      rest = rest[end.upperBound...]
    }
    return found
  }

  @Test(arguments: pages) func quotedSwiftIsInTheSources(_ page: String) throws {
    for (before, code) in try Self.blocks("swift", in: page) {
      let words = before.split(separator: "`").map(String.init)
      let file = try #require(
        words.last { $0.hasPrefix("Sources/") && $0.hasSuffix(".swift") }, "\(page): say which file is quoted")
      #expect(try Self.text(file).contains(code), "\(page) quotes \(file), which now reads otherwise")
    }
  }

  @Test(arguments: pages) func graphsParseAndVerify(_ page: String) throws {
    for (_, code) in try Self.blocks("vir", in: page) {
      let graph = try GraphParser.parse(code, file: page)
      try GraphVerifier.verify(graph)
      #expect(GraphPrinter.print(try GraphParser.parse(GraphPrinter.print(graph))) == GraphPrinter.print(graph))
    }
  }

  @Test(arguments: pages) func loopProgramsAreProved(_ page: String) throws {
    for (_, code) in try Self.blocks("vil", in: page) {
      let program = try LoopProgram(parsing: code, file: page)
      try program.verify(target: .avx2)
    }
  }

  @Test(arguments: pages) func linksLeadSomewhere(_ page: String) throws {
    // Brackets inside code are not links.
    let prose = try Self.text(page).split(separator: "`", omittingEmptySubsequences: false).enumerated()
    let text = prose.map { $0.offset % 2 == 0 ? String($0.element) : "" }.joined()
    let folder = Self.root.appendingPathComponent(page).deletingLastPathComponent()
    for part in text.components(separatedBy: "](").dropFirst() {
      let target = String(part.prefix { $0 != ")" })
      if target.contains("://") { continue }
      let pieces = target.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
      let file = pieces[0].isEmpty ? Self.root.appendingPathComponent(page) : folder.appendingPathComponent(pieces[0])
      #expect(FileManager.default.fileExists(atPath: file.path), "\(page) points to \(target)")
      if pieces.count == 2, let linked = try? String(contentsOf: file, encoding: .utf8) {
        let anchors = linked.split(separator: "\n").filter { $0.hasPrefix("#") }.map(Self.anchor)
        #expect(anchors.contains(pieces[1]), "\(page) points to \(target), and the page has no such heading")
      }
    }
  }

  /// What a heading is called in links.
  private static func anchor(_ heading: Substring) -> String {
    let title = heading.drop { $0 == "#" || $0 == " " }.lowercased()
    return String(title.filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" }).replacing(" ", with: "-")
  }
}
