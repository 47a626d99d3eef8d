import Foundation
import Frontends
import IR
import Testing

/// ONNX models through the tool, to the numbers that their compiled C returns.
@Suite(.serialized) struct ImportTests {
  private func relativeError(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    var difference: Float = 0
    var length: Float = 0
    for (a, b) in zip(found, expected) {
      difference += (a - b) * (a - b)
      length += b * b
    }
    return (difference / length).squareRoot()
  }

  @Test(arguments: ["mobilevig_torchscript", "mobilevig_dynamo", "mobilevigv2_dynamo", "greedyvig_dynamo"])
  func runsWhatPyTorchExported(_ name: String) async throws {
    let family = name.prefix { $0 != "_" }
    try await withFolder { folder in
      let input = fixture("onnx/mobilevig_input.npy")
      let outcome = try await Tool.run(
        "run", fixture("onnx/\(name).onnx"), "--input", input, "--output", "\(folder)/y.npy", "--target",
        "scalar")
      expectSuccess(outcome)
      #expect(outcome.errors.isEmpty)
      let found = try NumpyFile.read("\(folder)/y.npy")
      let expected = try NumpyFile.read(fixture("onnx/\(family)_output.npy"))
      #expect(found.shape == expected.shape && relativeError(found.floats, expected.floats) <= 1e-5)
    }
  }

  /// A published case's input as a file, and its output.
  private func contents(of path: String, in folder: String, side: Int) throws -> (input: String, output: [Float]) {
    // The contents are the last field of a stored tensor.
    func tensor(_ file: String, _ shape: [Int]) throws -> TensorData {
      let count = 4 * shape.reduce(1, *)
      return TensorData(
        element: .f32, shape: shape, bytes: Array(try bytes("\(path)/test_data_set_0/\(file)").suffix(count)))
    }
    try NumpyFile.write(try tensor("input_0.pb", [1, 3, side, side]), to: "\(folder)/x.npy")
    return ("\(folder)/x.npy", try tensor("output_0.pb", [1, 10]).floats)
  }

  @Test(
    .enabled(if: PublishedCases.folder != nil, PublishedCases.absent),
    arguments: ["mobilevig", "mobilevigv2", "greedyvig"], ["legacy", "dynamo"])
  func runsPublishedCases(_ family: String, _ exporter: String) async throws {
    let path = try PublishedCases.path(family, exporter)
    try await withFolder { folder in
      let known = try contents(of: path, in: folder, side: 96)
      let outcome = try await Tool.run(
        "run", "\(path)/model.onnx", "--input", known.input, "--output", "\(folder)/y.npy")
      expectSuccess(outcome)
      #expect(relativeError(try NumpyFile.read("\(folder)/y.npy").floats, known.output) <= 1e-5)
    }
  }

  /// Those whose neighbours may flip on the last bit: on the neighbours that were chosen, and the interpreter of what was
  /// read, in double, against what PyTorch said.
  @Test(
    .enabled(if: PublishedCases.folder != nil, PublishedCases.absent), arguments: ["vig", "pvig"], ["legacy", "dynamo"])
  func replaysPublishedCases(_ family: String, _ exporter: String) async throws {
    let path = try PublishedCases.path(family, exporter)
    try await withFolder { folder in
      let known = try contents(of: path, in: folder, side: 224)
      let replay = try await Tool.run("verify", "\(path)/model.onnx", "--input", known.input, "--replay")
      expectSuccess(replay)
      #expect(replay.output.contains("on the same graphs"))
      let outcome = try await Tool.run(
        "run", "\(path)/model.onnx", "--input", known.input, "--output", "\(folder)/y.npy", "--engine", "graph")
      expectSuccess(outcome)
      #expect(relativeError(try NumpyFile.read("\(folder)/y.npy").floats, known.output) <= 1e-5)
    }
  }

  @Test func explainNamesWhatIsLikeAGraphAndWasNotRecognised() async throws {
    try await withFolder { folder in
      let text = """
        graph left(%x: f32[1,3,4,6]) -> (%m, %g) {
          %d = roll(%x) {shifts = [1], axes = [2]} : f32[1,3,4,6]
          %u = roll(%x) {shifts = [2], axes = [3]} : f32[1,3,4,6]
          %a = subtract(%x, %d) : f32[1,3,4,6] layer "maxima"
          %b = subtract(%x, %u) : f32[1,3,4,6] layer "maxima"
          %m = maximum(%a, %b) : f32[1,3,4,6] layer "maxima"
          %v, %i = top_k(%x) {axis = 3, k = 2, largest = false} : f32[1,3,4,2], i64[1,3,4,2] layer "choice"
          %g = gather_elements(%x, %i) {axis = 3} : f32[1,3,4,2] layer "choice"
        }
        """
      try text.write(toFile: "\(folder)/left.vir", atomically: true, encoding: .utf8)
      let explained = try await Tool.run("explain", "\(folder)/left.vir", "--target", "scalar")
      expectSuccess(explained)
      #expect(explained.output.contains("Not recognised as a graph construction"))
      #expect(explained.output.contains("choice: top_k chooses") && explained.output.contains("maxima: maxima over"))
      let verified = try await Tool.run("verify", "\(folder)/left.vir", "--target", "scalar")
      expectSuccess(verified)
    }
  }

  @Test func everyCommandTakesAModel() async throws {
    let model = fixture("onnx/mobilevig_dynamo.onnx")
    try await withFolder { folder in
      expectSuccess(try await Tool.run("compile", model, "-o", "\(folder)/out", "--target", "scalar"))
      #expect(try names(in: "\(folder)/out").contains("mobilevig_dynamo.h"))
      let header = try String(contentsOfFile: "\(folder)/out/mobilevig_dynamo.h", encoding: .utf8)
      #expect(header.contains("mobilevig_dynamo.onnx") || !header.contains("synthetic"))
      let parsed = try await Tool.run("inspect", model, "--stage", "parsed")
      expectSuccess(parsed)
      #expect(parsed.output.contains("%logits = divide("))
      let explained = try await Tool.run("explain", model, "--target", "scalar")
      #expect(explained.output.contains("svga") && explained.output.contains("Everything has a kernel."))
      let verified = try await Tool.run("verify", model, "--target", "scalar")
      expectSuccess(verified)
      let bench = try await Tool.run("bench", model, "--target", "scalar", "--seconds", "0.01", "--json")
      #expect(bench.output.contains("\"model\": \"mobilevig_dynamo\""))
    }
  }

  @Test func refusesWhatDoesNotApply() async throws {
    let model = fixture("onnx/mobilevig_dynamo.onnx")
    for (options, said) in [
      (["--input-size", "32x32"], "has fixed shapes; an input size needs a spec or a zoo model"),
      (["--batch", "2"], "has fixed shapes; a batch needs a spec or a zoo model"),
      (["--weights", "synthetic"], "holds its own weights; leave out --weights"),
      (["--features"], "does not say what its stages are; features need a spec or a zoo model"),
      (["--dim", "batch=2"], "it has no dimension 'batch'; all are fixed"),
    ] {
      let outcome = try await Tool.run(Tool.path, ["inspect", model, "--stage", "parsed"] + options)
      #expect(outcome.status == 1 && outcome.firstError.contains(said), "\(outcome.errors)")
    }
    let spec = try await Tool.run("inspect", tiny, "--stage", "parsed", "--dim", "batch=2")
    #expect(spec.status == 1 && spec.firstError.contains("has no symbolic dimensions"))
    for wrong in ["batch", "batch=0", "=3", "batch=x"] {
      let outcome = try await Tool.run("inspect", model, "--stage", "parsed", "--dim", wrong)
      #expect(outcome.status == 64 && outcome.errors.contains("'\(wrong)' is no dimension; expected NAME=N"))
    }
    let twice = try await Tool.run("inspect", model, "--stage", "parsed", "--dim", "n=1", "--dim", "n=2")
    #expect(twice.status == 64 && twice.errors.contains("--dim gives two sizes to 'n'"))
    let missing = try await Tool.run("inspect", "/nowhere/model.onnx", "--stage", "parsed")
    #expect(missing.firstError == "vigc: error: cannot read /nowhere/model.onnx: No such file or directory")
  }
}
