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

  @Test(arguments: ["torchscript", "dynamo"]) func runsWhatPyTorchExported(_ exporter: String) async throws {
    try await withFolder { folder in
      let input = fixture("onnx/mobilevig_input.npy")
      let outcome = try await Tool.run(
        "run", fixture("onnx/mobilevig_\(exporter).onnx"), "--input", input, "--output", "\(folder)/y.npy", "--target",
        "scalar")
      expectSuccess(outcome)
      #expect(outcome.errors.isEmpty)
      let found = try NumpyFile.read("\(folder)/y.npy")
      let expected = try NumpyFile.read(fixture("onnx/mobilevig_output.npy"))
      #expect(found.shape == expected.shape && relativeError(found.floats, expected.floats) <= 1e-5)
    }
  }

  /// The published cases, where they lie beside the package.
  @Test(arguments: [
    "mobilevig_tiny_legacy", "mobilevig_tiny_dynamo", "mobilevigv2_tiny_legacy", "mobilevigv2_tiny_dynamo",
  ])
  func runsPublishedCases(_ name: String) async throws {
    let folders = ["../shared/reference/onnx", "../../shared/reference/onnx"].map {
      packageRoot.appendingPathComponent("\($0)/\(name)").standardizedFileURL.path
    }
    guard let path = folders.first(where: { FileManager.default.fileExists(atPath: $0) }) else { return }
    // The contents are the last field of a stored tensor.
    func contents(_ file: String, _ shape: [Int]) throws -> TensorData {
      let count = 4 * shape.reduce(1, *)
      return TensorData(
        element: .f32, shape: shape, bytes: Array(try bytes("\(path)/test_data_set_0/\(file)").suffix(count)))
    }
    try await withFolder { folder in
      try NumpyFile.write(try contents("input_0.pb", [1, 3, 96, 96]), to: "\(folder)/x.npy")
      let outcome = try await Tool.run(
        "run", "\(path)/model.onnx", "--input", "\(folder)/x.npy", "--output", "\(folder)/y.npy")
      expectSuccess(outcome)
      let expected = try contents("output_0.pb", [1, 10])
      #expect(relativeError(try NumpyFile.read("\(folder)/y.npy").floats, expected.floats) <= 1e-5)
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
