import IR

/// Finds and reads whatever the user called a model, and gives it weights.
public enum ModelLoader {
  /// Whether a model is a graph and not a spec: its shapes, or its dimensions, and its weights are then fixed by its
  /// file.
  public static func isGraph(_ model: String) -> Bool { model.hasSuffix(".vir") || model.hasSuffix(".onnx") }

  /// A zoo name, a `.yaml` spec, an `.onnx` model or a `.vir` graph as a graph with its weights.
  ///
  /// - Parameters:
  ///   - weights: Nil for synthetic ones, those a `.vir` file names, or those an `.onnx` file holds.
  ///   - inputSize: Nil for the model's own; the shapes of `.vir` and `.onnx` files are fixed.
  ///   - batch: Nil for 1, or what a `.vir` or `.onnx` file has.
  ///   - resizePositions: Whether positions made for the model's own size may be resized to `inputSize`.
  ///   - membershipSeed: What hypergraphs start from; a `.vir` file holds that itself.
  ///   - features: Whether the outputs are those of the stages instead of the classes: `ModelGraph.backbone`. Weights may
  ///     then be of a backbone or of the whole model.
  ///   - dimensions: Extents of an `.onnx` file's symbolic dimensions, by name.
  ///   - bindings: Contents of inputs of an `.onnx` file, by name.
  /// - Throws: A `Diagnostic` or a `DiagnosticList`; an unknown model is one line with the nearest names.
  public static func load(
    model: String, weights: WeightSource? = nil, inputSize: (height: Int, width: Int)? = nil, batch: Int? = nil,
    resizePositions: Bool = false, membershipSeed: UInt64 = 0, features: Bool = false,
    dimensions: [String: Int] = [:], bindings: [String: InputSource] = [:]
  ) throws -> ModelGraph {
    if !bindings.isEmpty && !model.hasSuffix(".onnx") {
      throw Diagnostic("\(model) is no .onnx model, the inputs of which are bound")
    }
    if !dimensions.isEmpty && !model.hasSuffix(".onnx") {
      throw Diagnostic("\(model) has no symbolic dimensions; those of an .onnx model are given sizes")
    }
    if isGraph(model) {
      if inputSize != nil {
        let hint = model.hasSuffix(".onnx") ? "; symbolic dimensions are given sizes with --dim NAME=N" : ""
        throw Diagnostic("\(model) has fixed shapes; an input size needs a spec or a zoo model\(hint)")
      }
      if features {
        throw Diagnostic("\(model) does not say what its stages are; features need a spec or a zoo model")
      }
      if batch != nil { throw Diagnostic("\(model) has fixed shapes; a batch needs a spec or a zoo model") }
      if model.hasSuffix(".onnx") {
        if weights != nil { throw Diagnostic("\(model) holds its own weights; leave out --weights") }
        return ModelGraph(graph: try ONNXImporter.read(model, dimensions: dimensions, bindings: bindings))
      }
      return ModelGraph(graph: try GraphFile.read(model, weights: weights))
    }
    var result = try spec(of: model).build(
      height: inputSize?.height, width: inputSize?.width, batch: batch ?? 1, resizePositions: resizePositions,
      membershipSeed: membershipSeed)
    if features { result = try result.backbone() }
    let source = weights ?? .synthetic(seed: 0)
    let weights = try source.load(result.entries, model: result.graph.name)
    result.graph.weights.merge(weights) { _, loaded in loaded }
    if features {
      let read = result.graph.namedConstants
      result.graph.weights = result.graph.weights.filter { read.contains($0.key) }
    }
    result.graph.weightSource = source.description
    return result
  }

  /// The spec of a zoo name or of a `.yaml` file.
  public static func spec(of model: String) throws -> ModelSpec {
    if model.hasSuffix(".yaml") || model.hasSuffix(".yml") {
      return try ModelSpec(parsing: readText(model), file: model)
    }
    if model.contains("/") || (model.contains(".") && Zoo.entry(named: model) == nil) {
      throw Diagnostic("cannot tell what model '\(model)' is; expected a zoo name, a .yaml, an .onnx or a .vir file")
    }
    return try Zoo.spec(named: model)
  }
}
