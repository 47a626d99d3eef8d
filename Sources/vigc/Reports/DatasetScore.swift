import Foundation
import Frontends
import IR

/// How often a compiled model finds the class of an input, and how often it agrees with the float32 model that it was
/// made of. Both run as C.
struct DatasetScore {
  /// Inputs that one process of the driver is given.
  private static let chunk = 64

  var path: String

  /// A line for the model, and one for the float32 model if there is one.
  func run(_ compilation: Compilation) async throws -> [String] {
    let archive = try InputArchive(path)
    let inputs = try archive.inputs(compilation.slots)
    let graph = compilation.model.graph
    guard let output = graph.outputs.first, case let type = graph.tensorType(of: output), type.element == .f32,
      let batch = type.shape.first, batch == graph.inputs.first.flatMap({ graph.tensorType(of: $0).shape.first })
    else { throw Diagnostic("\(compilation.name) has no scores of classes to hold against labels") }
    let labels = try archive.labels(count: inputs.count * batch)
    let classes = type.count / batch
    if let label = labels.first(where: { !(0..<classes).contains($0) }) {
      throw Diagnostic("\(path): the label \(label) is none of the \(classes) classes of \(compilation.name)")
    }
    let scores = try await scores(compilation, inputs, classes)
    let found = scores.map(best)
    let score = share(zip(found, labels).filter { $0 == $1 }.count, of: labels.count)
    var lines = ["\(compilation.name) for \(compilation.target.name): top-1 \(score)"]
    if let floatModel = compilation.floatModel {
      var reference = compilation
      reference.model = floatModel
      guard reference.slots.map(\.type) == compilation.slots.map(\.type) else {
        throw Diagnostic("\(floatModel.graph.name) takes other inputs than \(compilation.name)")
      }
      let expected = try await self.scores(reference, inputs, classes)
      let classes = expected.map(best)
      let own = share(zip(classes, labels).filter { $0 == $1 }.count, of: labels.count)
      let same = share(zip(classes, found).filter { $0 == $1 }.count, of: labels.count)
      let error = relativeError(scores.flatMap { $0 }, expected.flatMap { $0 })
      lines.append("the float32 model: top-1 \(own)")
      lines.append("agreement \(same), relative L2 of the scores \(short(error))")
    }
    return lines
  }

  private func scores(
    _ compilation: Compilation, _ inputs: InputSequence, _ classes: Int
  ) async throws -> [[Double]] {
    var compilation = compilation
    let library = try await compilation.compileVisibly().library
    let threads = compilation.options.runThreads
    return try await compilation.withExecutable(library) { executable in
      var scores: [[Double]] = []
      for start in stride(from: 0, to: inputs.count, by: Self.chunk) {
        let runs = start..<min(start + Self.chunk, inputs.count)
        let bytes = try await executable.run(
          runs.flatMap { try inputs.tensors($0).flatMap(\.bytes) }, threads: threads)
        let each = bytes.count / runs.count
        for run in 0..<runs.count {
          let first = library.split(Array(bytes[run * each..<(run + 1) * each]))[0].floats.map(Double.init)
          for row in stride(from: 0, to: first.count, by: classes) { scores.append(Array(first[row..<row + classes])) }
        }
      }
      return scores
    }
  }

  /// The class of the largest score; of equal ones the first.
  private func best(_ scores: [Double]) -> Int {
    scores.indices.max { scores[$0] < scores[$1] || scores[$0] == scores[$1] && $0 > $1 } ?? 0
  }

  private func share(_ count: Int, of total: Int) -> String {
    "\(String(format: "%.2f", 100 * Double(count) / Double(max(1, total)))) % (\(count) of \(total))"
  }
}
