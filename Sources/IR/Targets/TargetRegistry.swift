import Foundation

extension Target {
  /// Every target, one line each.
  public static let all: [Target] = [
    .scalar,
    .avx2,
    .avx512,
  ]

  /// The target called `name`, or the best one for this machine for `native`. Throws a `Diagnostic`.
  public static func named(_ name: String) throws -> Target {
    if name == "native" { return native() }
    if let target = all.first(where: { $0.name == name }) { return target }
    let names = all.map(\.name) + ["native"]
    let close = nearest(to: name, among: names)
    let hint = close.isEmpty ? "" : " (did you mean \(close.joined(separator: " or "))?)"
    throw Diagnostic("no target is called \(name)\(hint)", notes: ["targets: \(names.joined(separator: ", "))"])
  }

  /// The widest target whose CPU features this machine has; `scalar` where nothing is known about it.
  public static func native() -> Target {
    let features = machineFeatures()
    let able = all.filter { !$0.cpuFeatures.isEmpty && $0.runs(on: features) }
    return able.max { $0.lanes < $1.lanes } ?? .scalar
  }

  /// Whether a machine with these CPU features executes the target's code.
  public func runs(on features: Set<String>) -> Bool { cpuFeatures.allSatisfy(features.contains) }

  /// CPU features of this machine as the kernel names them; empty where it does not say.
  public static func machineFeatures() -> Set<String> {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") }),
      let list = line.split(separator: ":", maxSplits: 1).last
    else { return [] }
    return Set(list.split(separator: " ").map(String.init))
  }
}
