import Foundation
import IR
import Passes
import Testing

/// `// verify [--target T]`: a `.vir` or `.vil` file that must be refused. `// expect-error: TEXT` stands after the code of
/// the line where it is reported, or on a line of its own below that. Every error must be expected, and every one
/// expected must come; TEXT is a part of its message.
@Suite struct VerifyFileTests {
  private static let mark = "// expect-error: "

  /// An error and the number of its line, from 1; nil where it says none.
  private struct Found {
    var line: Int?
    var message: String
  }

  @Test(arguments: FileCase.cases(of: .verify)) func fileCase(_ path: String) throws {
    let file = try FileCase(path)
    let found = try errors(of: file, file.text)
    if FileCase.isBlessing { try bless(file) }
    var expected = expectations(in: file.text)
    #expect(!expected.isEmpty, "\(path) expects no error; VIGC_BLESS=1 writes what there is")
    for error in found {
      let place = expected.firstIndex { $0.line == error.line && error.message.contains($0.message) }
      let line = error.line.map(String.init) ?? "nowhere"
      #expect(place != nil, "\(path):\(line): not expected there: \(error.message)")
      if let place { expected.remove(at: place) }
    }
    for error in expected { Issue.record("\(path):\(error.line ?? 0): nobody says: \(error.message)") }
  }

  private func expectations(in text: String) -> [Found] {
    var found: [Found] = []
    var code = 0
    for (number, line) in text.components(separatedBy: "\n").enumerated() {
      let parts = line.components(separatedBy: Self.mark)
      if !parts[0].allSatisfy(\.isWhitespace) { code = number + 1 }
      if parts.count > 1 { found.append(Found(line: code, message: parts[1])) }
    }
    return found
  }

  private func errors(of file: FileCase, _ text: String) throws -> [Found] {
    let target = try file.target("avx2")
    do {
      if file.isLoops {
        try LoopProgram(parsing: text, file: file.path).verify(target: target)
      } else {
        try GraphVerifier.verify(GraphParser.parse(text, file: file.path), fuses: Kernels.rules)
      }
      return []
    } catch let error as Diagnostic {
      return [located(error, in: text)]
    } catch let list as DiagnosticList {
      return list.diagnostics.map { located($0, in: text) }
    }
  }

  /// Loop programs have no lines: what is said of them names the statements around the place and it, outermost first.
  private func located(_ error: Diagnostic, in text: String) -> Found {
    if let line = error.location?.line { return Found(line: line, message: error.message) }
    let steps = (error.location?.file ?? "").components(separatedBy: " / ")
    let lines = text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    var place = 0
    for (depth, step) in steps.enumerated() {
      let start = step.hasSuffix("...") ? String(step.dropLast(3)) : step
      guard let next = lines[place...].firstIndex(where: { $0.hasPrefix(start) }) else {
        return Found(line: nil, message: error.message)
      }
      place = depth == steps.count - 1 ? next : next + 1
    }
    return Found(line: place + 1, message: error.message)
  }

  private func bless(_ file: FileCase) throws {
    let lines = file.text.components(separatedBy: "\n").compactMap { line -> String? in
      let parts = line.components(separatedBy: Self.mark)
      if parts.count == 1 { return line }
      return parts[0].allSatisfy(\.isWhitespace) ? nil : String(parts[0].reversed().drop { $0.isWhitespace }.reversed())
    }
    let found = try errors(of: file, lines.joined(separator: "\n"))
    var result: [String] = []
    for (number, line) in lines.enumerated() {
      result.append(line)
      let indent = String(line.prefix { $0 == " " })
      result += found.filter { $0.line == number + 1 }.map { "\(indent)\(Self.mark)\($0.message)" }
    }
    try file.bless(result.joined(separator: "\n"))
  }
}
