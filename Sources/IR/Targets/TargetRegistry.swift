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

  /// The widest target that is for processors like this machine's; `scalar` if there is none.
  public static func native(on host: HostMachine = .current) -> Target {
    let able = all.filter { target in
      switch target.machine {
      case .portable: false
      case .processor: host.lacks(target.machine).isEmpty
      }
    }
    return able.max { $0.lanes < $1.lanes } ?? .scalar
  }
}
