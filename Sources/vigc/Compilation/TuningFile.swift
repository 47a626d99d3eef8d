import Foundation
import Frontends
import IR
import Passes

/// The file that `vigc tune` writes: JSON, one object.
enum TuningFile {
  static func read(_ path: String, for target: Target) throws -> ProductTuning {
    guard let data = FileManager.default.contents(atPath: path) else { throw Diagnostic("cannot read \(path)") }
    guard let tuning = try? JSONDecoder().decode(ProductTuning.self, from: data) else {
      throw Diagnostic("\(path) is no tuning; 'vigc tune' writes one")
    }
    do {
      try tuning.validate(for: target)
    } catch let problem as Diagnostic {
      throw Diagnostic("\(path): \(problem.message)")
    }
    return tuning
  }

  static func write(_ tuning: ProductTuning, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    do {
      try encoder.encode(tuning).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw Diagnostic("cannot write \(path)")
    }
  }
}
