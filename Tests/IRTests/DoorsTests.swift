import Foundation
import Testing

/// The list of doors in Sources/Doors.txt: which folder may use the types of which other.
@Suite struct DoorsTests {
  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Sources")

  /// A file's text without comments and strings, line by line.
  private static func code(_ file: String) throws -> String {
    try String(contentsOf: sources.appendingPathComponent(file), encoding: .utf8)
      .replacing(/"""[\s\S]*?"""/, with: "").replacing(/"(?:\\.|[^"\\\n])*"/, with: "").replacing(
        /\/\/[^\n]*/, with: "")
  }

  /// The folder that a door belongs to: two levels, and for kernels the family.
  private static func room(of file: String) -> String {
    let parts = file.split(separator: "/").dropLast()
    return parts.prefix(parts.starts(with: ["Passes", "Kernels"]) ? 3 : 2).joined(separator: "/")
  }

  private static func doors() throws -> [String: Set<String>] {
    let text = try String(contentsOf: sources.appendingPathComponent("Doors.txt"), encoding: .utf8)
    var doors: [String: Set<String>] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") && !line.contains("<->") {
      let parts = line.split(separator: ":", maxSplits: 1)
      doors[String(parts[0])] = Set(parts[1].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
    }
    return doors
  }

  /// What `user` names of other rooms of its library: the room and the type, each pair once.
  private struct Use: Hashable, Comparable {
    var user: String
    var room: String
    var type: String

    static func < (a: Use, b: Use) -> Bool { (a.user, a.room, a.type) < (b.user, b.room, b.type) }
  }

  private static func uses() throws -> [Use] {
    var rooms: [String: Set<String>] = [:]
    var texts: [(file: String, text: String)] = []
    let declaration = /^(?:(?:public|internal|final|indirect) )*(?:struct|enum|class|protocol|actor|typealias) (\w+)/
    for file in try SourceRulesTests.files() {
      let text = try code(file)
      texts.append((file, text))
      for line in text.split(separator: "\n") {
        if let match = line.prefixMatch(of: declaration) { rooms[String(match.1), default: []].insert(room(of: file)) }
      }
    }
    var found: Set<Use> = []
    for (file, text) in texts {
      let user = room(of: file)
      for match in text.matches(of: /[A-Za-z_.][A-Za-z_0-9]*/) where match.0.first?.isUppercase == true {
        // A name that several rooms declare says nothing.
        guard let owners = rooms[String(match.0)], owners.count == 1, let owner = owners.first, owner != user,
          owner.split(separator: "/")[0] == user.split(separator: "/")[0]
        else { continue }
        found.insert(Use(user: user, room: owner, type: String(match.0)))
      }
    }
    return found.sorted()
  }

  /// Pairs that may use each other: a line `A <-> B: why` each.
  private static func openBothWays() throws -> [Set<String>] {
    try String(contentsOf: sources.appendingPathComponent("Doors.txt"), encoding: .utf8).split(separator: "\n")
      .compactMap { line in
        try /([^#\s]+) <-> (\S+): (.+)/.wholeMatch(in: line).map { [String($0.1), String($0.2)] }
      }
  }

  /// Folders use each other in one direction, but for the pairs that the list names with a reason.
  @Test func doorsOpenOneWay() throws {
    let doors = try Self.doors()
    let named = try Self.openBothWays()
    var found: Set<Set<String>> = []
    for (user, rooms) in doors {
      for room in rooms where doors[room]?.contains(user) == true { found.insert([user, room]) }
    }
    #expect(!found.isEmpty, "no line of Sources/Doors.txt was read")
    for pair in found where !named.contains(pair) {
      Issue.record("\(pair.sorted().joined(separator: " and ")) use each other, and Sources/Doors.txt gives no reason")
    }
    for pair in named where !found.contains(pair) {
      let names = pair.sorted().joined(separator: " and ")
      Issue.record("\(names) use each other no more; Sources/Doors.txt still says so")
    }
  }

  @Test func foldersUseWhatTheListLetsThem() throws {
    let doors = try Self.doors()
    let uses = try Self.uses()
    for use in uses where doors[use.user]?.contains(use.room) != true {
      Issue.record("\(use.user) uses \(use.type) of \(use.room), which Sources/Doors.txt does not let it")
    }
    let open = Set(uses.map { "\($0.user): \($0.room)" })
    for (user, rooms) in doors {
      for room in rooms where !open.contains("\(user): \(room)") {
        Issue.record("Sources/Doors.txt lets \(user) use \(room), and it does not")
      }
    }
  }
}
