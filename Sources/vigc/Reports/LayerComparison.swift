import Codegen
import Frontends
import IR

/// Compares the output of every published module: with the golden's statistics, or with the interpreter's values.
///
/// The values live inside the arena, where they cannot be read. So a variant is compiled whose graph has them as
/// outputs too. Everything between them is fused as usual, but what a module returns is kept as a value of its own.
struct LayerComparison {
  var golden: Golden?
  var tolerance: Double
  var engine: Engine

  /// A table of all modules, and what is wrong with those that differ.
  func run(_ compilation: Compilation, _ inputs: [TensorData]) async throws -> (table: String, problems: [String]) {
    var probe = compilation
    let modules = modules(of: compilation.model)
    guard !modules.isEmpty else { throw Diagnostic("\(compilation.name) has no modules to compare") }
    probe.model.graph.outputs += modules.map(\.value)
    let outputs = try await probe.execute(engine, inputs).suffix(modules.count)
    var table = Table(["module", "shape", golden == nil ? "error" : "difference"], numbers: [2])
    var problems: [String] = []
    let reference = golden == nil ? Array(try await probe.reference(inputs).suffix(modules.count)) : []
    for (position, (module, values)) in zip(modules, outputs).enumerated() {
      let shape = compilation.model.graph.tensorType(of: module.value).shape
      let problem: String?
      let shown: String
      if let expected = golden?.modules.first(where: { $0.name == module.name }) {
        // The first image of a batch: all its inputs are the golden's.
        let one = Array(values.prefix(expected.shape.reduce(1, *)))
        problem = expected.mismatch(one, tolerance: tolerance)
        shown = short(expected.difference(one))
      } else {
        let error = relativeError(values, reference[position])
        problem = error <= tolerance ? nil : "\(module.name): relative L2 error \(short(error))"
        shown = short(error)
      }
      table.add([module.name, shape.map(String.init).joined(separator: "x"), shown])
      if let problem { problems.append(problem) }
    }
    return (table.text, problems)
  }

  /// The modules to compare, in the golden's order or the model's.
  private func modules(of model: ModelGraph) -> [ModelGraph.Module] {
    guard let golden else { return model.modules.filter { model.graph.type(of: $0.value).tensor != nil } }
    return golden.modules.compactMap { module in
      let value =
        model.modules.first { $0.name == module.name }?.value ?? model.graph.output(ofModule: module.name)
      return value.map { ModelGraph.Module(name: module.name, value: $0) }
    }
  }
}
