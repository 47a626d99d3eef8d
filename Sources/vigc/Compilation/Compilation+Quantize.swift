import Frontends
import IR
import Passes

// The short way from a float32 model to an int8 one: the model is loaded, folded, calibrated and quantised, and goes on
// through the compiler as if it had been read so.

extension Compilation {
  /// Loads a model as the options say, and quantises it if they ask for that.
  static func load(
    _ options: CompileOptions, workers: Int? = nil, golden: Golden? = nil
  ) async throws -> Compilation {
    try options.quantization.requireTogether()
    var compilation = try await Console.progress("loading \(options.model)") {
      try Compilation(options, workers: workers, golden: golden)
    }
    if options.quantization.quantize != nil, let calibration = options.quantization.calibration {
      let report = try compilation.quantize(options.quantization.settings, calibration: calibration)
      if case .synthetic = try InputSequenceSource(parsing: calibration) {
        Console.warn("ranges of synthetic inputs are right in size and speed, and mean nothing for accuracy")
      }
      for layer in report.layers where !layer.isQuantized {
        Console.note("vigc: note: \(layer.name) stays in float32\n")
      }
    }
    return compilation
  }

  /// The model's inputs, as sequences of inputs are read for them.
  var slots: [InputSequence.Slot] {
    model.graph.inputs.map {
      InputSequence.Slot(name: model.graph.values[$0.index].name, type: model.graph.tensorType(of: $0))
    }
  }

  /// Puts the quantised model in the place of the float one, which is kept beside it.
  mutating func quantize(_ settings: QuantizationSettings, calibration: String) throws -> QuantizationReport {
    try model.graph.requireTensorBoundary()
    let source = try InputSequenceSource(parsing: calibration)
    let inputs = try source.open(slots, preprocessing: model.preprocessing, normalizes: !options.normalize)
    let folded = try run(Pipeline.folding, on: model.graph)
    let (graph, report) = try Console.progress { update in
      let sequence = CalibrationInputs(count: inputs.count, name: inputs.name, tensors: inputs.tensors)
      return try Quantizer(folded, settings, inputs: sequence, progress: update).run()
    }
    floatModel = model
    model.graph = graph
    // Values have other numbers now; passes keep the names of layers.
    model.modules = model.modules.compactMap { module in
      graph.output(ofModule: module.name).map { ModelGraph.Module(name: module.name, value: $0) }
    }
    return report
  }
}

extension Graph {
  /// Whether it computes on integers that stand for reals.
  var isQuantized: Bool { nodes.contains { $0.op is Quantize } }
}
