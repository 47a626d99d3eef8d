import Foundation
import IR
import Testing

@testable import Frontends

/// Small ONNX models whose results were once wrong, or nearly: through the compiled C and through the interpreter, element
/// by element.
///
/// `Tests/Fixtures/onnx/values` has a model and an archive of what it takes and gives for each. What it gives is ONNX
/// Runtime's result, but where ONNX says otherwise: `ValueCases.otherwise` has these, and why.
@Suite struct ValueTests {
  @Test(arguments: try ValueCases.own()) func isWhatONNXSays(_ name: String) async throws {
    let tensors = try ValueCases.tensors(fixture("onnx/values/\(name).npz"))
    func part(_ prefix: String) -> [String: TensorData] {
      var result: [String: TensorData] = [:]
      for (key, data) in tensors where key.hasPrefix(prefix) { result[String(key.dropFirst(prefix.count))] = data }
      return result
    }
    let (inputs, expected) = (part("inputs/"), part("expected/"))
    #expect(!expected.isEmpty)
    let path = fixture("onnx/values/\(name).onnx")
    for (engine, found) in try await ValueCases.results(of: path, inputs) {
      #expect(Set(found.keys) == Set(expected.keys), "\(name), \(engine)")
      for (output, data) in expected {
        guard let other = found[output] else { continue }
        let problem = ValueCases.difference(other, data)
        #expect(problem == nil, "\(name), \(engine): \(output) \(problem ?? "")")
      }
    }
  }

  /// Libclang reads the C when it is compiled for good; GCC warns of other things.
  @Test(arguments: ["IsInf_11", "IsInf_00", "Mod_fmod_float32", "Mod_fmod_float64", "TopK_nan", "Concat_600_parts"])
  func isPlainToEveryCompiler(_ name: String) async throws {
    try await withFolder { folder in
      let words = ["compile", fixture("onnx/values/\(name).onnx"), "--target", "scalar", "-o", folder]
      expectSuccess(try await Tool.run(Tool.path, words))
      let file = try #require(try names(in: folder).first { $0.hasSuffix(".c") })
      let warned = try await Tool.run(
        "cc", ["-std=c11", "-O3", "-Wall", "-Wextra", "-Werror", "-c", file, "-o", "\(folder)/o.o"], in: folder)
      expectSuccess(warned)
    }
  }

  @Test(.enabled(if: ValueCases.faults != nil, PublishedCases.absent), arguments: try ValueCases.published())
  func isWhatONNXRuntimeSays(_ name: String) async throws {
    let folder = try #require(ValueCases.faults) + "/\(name)"
    let archive = "\(folder)/onnxruntime.npz"
    let refuses = !FileManager.default.fileExists(atPath: archive)
    let inputs = try ValueCases.tensors("\(folder)/inputs.npz")
    let expected = refuses ? [:] : try ValueCases.tensors(archive)
    let isOtherwise = ValueCases.otherwise.contains { name.hasPrefix($0.prefix) }
    for (engine, found) in try await ValueCases.results(of: "\(folder)/model.onnx", inputs) {
      let problems = expected.keys.sorted().compactMap { output in
        found[output].map { ValueCases.difference($0, expected[output] ?? $0) } ?? "is missing"
      }
      #expect((refuses || !problems.isEmpty) == isOtherwise, "\(name), \(engine): \(problems)")
    }
  }
}

/// The cases, how they are run, and what counts as the same.
enum ValueCases {
  /// What ONNX Runtime 1.32 computes differently, by the beginning of the cases' names.
  static let otherwise: [(prefix: String, because: String)] = [
    (
      "AveragePool_19_", "it pads a dilated window as if it were not, against ONNX's formula for pad_shape"
    ),
    ("AveragePool_22_", "the same"),
    ("MaxPool_12_None_dil_same", "the same; the reference implementation of onnx is with us"),
    (
      "Resize_linear_align_corners_",
      "it rounds the size that a scale gives before it aligns corners; ONNX's node test "
        + "resize_downsample_scales_linear_align_corners does not"
    ),
    ("Resize_cubic_align_corners_", "the same"),
    ("Resize_nearest_floor_align_corners_", "the same"),
    ("Resize_nearest_round_prefer_ceil_align_corners_", "the same"),
    ("LRN_4", "it refuses even sizes; expected is ONNX's formula, which the reference sums over images by mistake"),
    ("TopK_00", "an order is asked for by `sorted` only, and ours is sorted all the same"),
    ("fn_older_opset", "it takes a function's nodes for those of the model's set; onnx.inliner converts them"),
    (
      "tconv_same_lower_k2s3",
      "its result is smaller than stride times operand, which SAME asks for; the reference is "
        + "with us"
    ),
  ]

  /// The published models, which lie beside the package and are no part of a clone.
  static let faults: String? = ["../shared/reference/faults", "../../shared/reference/faults"]
    .map { packageRoot.appendingPathComponent("\($0)/onnx_wrong").standardizedFileURL.path }
    .first { FileManager.default.fileExists(atPath: $0) }

  static func published() throws -> [String] { try faults.map(names(in:)) ?? [] }

  static func own() throws -> [String] {
    let found = try names(in: fixture("onnx/values")).filter { $0.hasSuffix(".onnx") }.map { String($0.dropLast(5)) }
    precondition(found.count > 100, "the cases are missing")
    return found
  }

  /// The tensors of a `.npz` file.
  static func tensors(_ path: String) throws -> [String: TensorData] {
    let file = RandomAccessBytes(try bytes(path), file: path)
    return try NumpyWeights.tensors(in: ZipArchive(file), file: path).mapValues { try $0.read() }
  }

  /// The outputs by their names, of the interpreter in double and of the C.
  static func results(
    of model: String, _ inputs: [String: TensorData]
  ) async throws -> [(engine: String, outputs: [String: TensorData])] {
    let graph = try ONNXImporter.read(model)
    let given = try graph.inputs.map { id in
      Tensor<Double>(try #require(inputs[graph.values[id.index].name]))
    }
    let values = try GraphInterpreter<Double>().run(graph, inputs: given)
    var interpreted: [String: TensorData] = [:]
    for (id, value) in zip(graph.outputs, values) {
      interpreted[graph.values[id.index].name] = TensorData(encoding: value)
    }
    var compiled: [String: TensorData] = [:]
    try await withFolder { folder in
      var words = ["run", model, "--target", "scalar", "--output", "\(folder)/found.npz"]
      for (name, data) in inputs {
        try NumpyFile.write(data, to: "\(folder)/\(name).npy")
        words += ["--input", "\(name)=\(folder)/\(name).npy"]
      }
      expectSuccess(try await Tool.run(Tool.path, words))
      compiled = try tensors("\(folder)/found.npz")
    }
    return [("interpreter", interpreted), ("C", compiled)]
  }

  /// What differs, in a word; nil where nothing does. Integers are equal, NaN is NaN, and zeros have the same sign.
  static func difference(_ found: TensorData, _ expected: TensorData) -> String? {
    if found.type != expected.type { return "is \(found.type), not \(expected.type)" }
    if !found.element.isFloat { return found.bytes == expected.bytes ? nil : "differs" }
    let pairs = zip(Tensor<Double>(found).real, Tensor<Double>(expected).real)
    for (place, (a, b)) in pairs.enumerated() {
      if a.isNaN && b.isNaN || a == b && (a != 0 || a.sign == b.sign) { continue }
      // The interpreter rounds halves at the end only, and ONNX Runtime not at every node.
      let allowed = expected.element == .f16 ? 3e-3 * abs(b) + 2e-3 : 1e-5 * abs(b) + 2e-6
      if abs(a - b) <= allowed, a.isFinite, b.isFinite, a != 0 || b != 0 { continue }
      return "is \(a) at \(place), not \(b)"
    }
    return nil
  }
}
