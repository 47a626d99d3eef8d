import Foundation
import IR

// How much stack a call of the library takes at most: the compiler's own count for each function, summed along the worst
// path of the call graph (GCC's -fcallgraph-info=su). Indirect calls may reach any task.

extension Toolchain {
  /// Bytes of stack that `PREFIX_run` takes at most, callees included; nil if the compiler cannot say.
  public func stackBytes(_ library: EmittedLibrary, in directory: String) async throws -> Int? {
    let source = "\(library.options.name).c"
    let flags = Toolchain.buildFlags(for: library.target) + ["-fcallgraph-info=su", "-I."]
    let object = "\(library.options.name).stack.o"
    let arguments = flags + ["-c", source, "-o", object]
    let output = try? await Toolchain.run(compiler, arguments, in: directory)
    guard output?.succeeded == true else { return nil }
    let base = "\(directory)/\(library.options.name).stack"
    defer { for suffix in ["o", "ci", "su"] { try? FileManager.default.removeItem(atPath: "\(base).\(suffix)") } }
    guard let text = try? String(contentsOfFile: "\(base).ci", encoding: .utf8) else { return nil }
    return CallGraph(text).bytes(from: "\(library.options.prefix)_run", tasks: "\(library.options.prefix)_task_")
  }
}

/// GCC's call graph in VCG text: `node: { title: "f" label: "f\nfile:1:2\n48 bytes (static)\n0 dynamic objects" }` and
/// `edge: { sourcename: "f" targetname: "g" ... }`.
struct CallGraph {
  private(set) var bytes: [String: Int] = [:]
  private(set) var callees: [String: [String]] = [:]

  init(_ text: String) {
    for line in text.split(separator: "\n") {
      if line.hasPrefix("node:"), let title = CallGraph.field("title", line) {
        guard let label = CallGraph.field("label", line) else { continue }
        let count = label.components(separatedBy: "\\n").first { $0.contains(" bytes (") }
        bytes[title] = count.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
      } else if line.hasPrefix("edge:"), let source = CallGraph.field("sourcename", line),
        let target = CallGraph.field("targetname", line)
      {
        callees[source, default: []].append(target)
      }
    }
  }

  private static func field(_ name: String, _ line: Substring) -> String? {
    guard let start = line.range(of: "\(name): \"") else { return nil }
    return String(line[start.upperBound...].prefix { $0 != "\"" })
  }

  /// Titles of static functions carry the file's name in front.
  private func title(of function: String) -> String? {
    bytes.keys.first { $0 == function || $0.hasSuffix(":\(function)") }
  }

  func bytes(from function: String, tasks prefix: String) -> Int? {
    guard let start = title(of: function) else { return nil }
    let tasks = bytes.keys.filter { ($0.split(separator: ":").last ?? "").hasPrefix(prefix) }
    var known: [String: Int] = [:]
    func worst(_ node: String) -> Int {
      if let bound = known[node] { return bound }
      // The code has no recursion; a cycle here can only come from an indirect call, which counts as a call of every
      // task.
      known[node] = 0
      let next = node.contains("__indirect_call") ? Array(tasks) : callees[node] ?? []
      let bound = (bytes[node] ?? 0) + (next.map(worst).max() ?? 0)
      known[node] = bound
      return bound
    }
    return worst(start)
  }
}
