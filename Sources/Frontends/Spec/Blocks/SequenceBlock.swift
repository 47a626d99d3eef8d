import IR

/// Modules one after the other, numbered from 0 as PyTorch numbers the children of a list.
struct SequenceBlock: BlockKind {
  static let kind = "sequence"
  static let keys = ["of"]

  /// Deeper than any published model, and a bound on the recursion.
  private static let deepest = 8
  private var modules: [ModuleSpec]

  init(_ reader: SpecReader) throws {
    modules = try ModuleSpec.list(try reader.node("of", "a list of modules"), key: "of")
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    guard path.split(separator: ".").count <= Self.deepest else {
      throw builder.problem("sequences nest more than \(Self.deepest) deep at \(path)")
    }
    var value = x
    var number = 0
    for module in modules {
      for _ in 0..<module.repeats {
        value = try builder.module(module, value, path: "\(path).\(module.path ?? String(number))")
        number += 1
      }
    }
    return value
  }
}
