import IR

/// The models that come with the compiler, each a spec in the same YAML a user would write.
public enum Zoo {
  /// One built-in model.
  public struct Entry: Hashable, Sendable {
    public var name: String
    public var family: String
    /// The whole spec; also a starting point for a new model.
    public var yaml: String
  }

  /// Every family's models, smallest first.
  public static let entries: [Entry] = mobileViG + mobileViGv2 + greedyViG + viG + viHGNN

  public static func entry(named name: String) -> Entry? { entries.first { $0.name == name } }

  /// A built-in model's spec.
  ///
  /// - Throws: A one-line `Diagnostic` with the nearest names when there is no such model.
  public static func spec(named name: String) throws -> ModelSpec {
    guard let entry = entry(named: name) else { throw unknown(name) }
    return try ModelSpec(parsing: entry.yaml, file: "\(name).yaml")
  }

  static func unknown(_ name: String) -> Diagnostic {
    let near = nearest(to: name, among: entries.map(\.name))
    let hint =
      near.isEmpty
      ? "expected a name that 'vigc models' lists, or a .yaml or .vir file"
      : "did you mean \(near.joined(separator: ", "))?"
    return Diagnostic("unknown model '\(name)'; \(hint)")
  }
}
