import Foundation
import Frontends
import IR
import Testing

/// `vigc quantize` and `--quantize`, from a model to its C.
@Suite(.serialized) struct QuantizeTests {
  private static let made = ["--weights", "synthetic:3", "--calibration", "synthetic:4"]

  private func message(_ arguments: [String], status: Int32 = 1) async throws -> String {
    let outcome = try await Tool.run(Tool.path, arguments)
    #expect(outcome.status == status && outcome.output.isEmpty)
    return outcome.firstError
  }

  @Test func fromAModelToItsC() async throws {
    try await withFolder { folder in
      let path = "\(folder)/tiny.vir"
      let written = try await Tool.run(Tool.path, ["quantize", tiny, "-o", path] + Self.made)
      expectSuccess(written)
      #expect(written.errors.isEmpty)
      #expect(try names(in: folder) == ["tiny.safetensors", "tiny.vir"])
      #expect(written.output.hasPrefix("tiny: 13 of 13 layers in int8, "), "\(written.output)")
      // The same command writes the same bytes.
      let first = try (bytes(path), bytes("\(folder)/tiny.safetensors"))
      expectSuccess(try await Tool.run(Tool.path, ["quantize", tiny, "-o", path] + Self.made))
      #expect(try first == (bytes(path), bytes("\(folder)/tiny.safetensors")))

      expectSuccess(try await Tool.run("check", path, "--target", "avx2"))
      expectSuccess(try await Tool.run("compile", path, "--target", "scalar", "-o", "\(folder)/out"))
      let run = try await Tool.run("run", path, "--output", "\(folder)/own.npy")
      expectSuccess(run)
      let verified = try await Tool.run("verify", path)
      expectSuccess(verified)
      #expect(verified.output.contains(" of 7 outputs are equal bit for bit"))
      // The short way gives the same model.
      let short = try await Tool.run(
        Tool.path,
        ["run", tiny, "--quantize", "int8", "--output", "\(folder)/short.npy"] + Self.made)
      expectSuccess(short)
      #expect(try bytes("\(folder)/own.npy") == bytes("\(folder)/short.npy"))
      #expect(short.firstError.contains("mean nothing for accuracy"))
      let compared = try await Tool.run(Tool.path, ["verify", tiny, "--quantize", "int8", "--checks"] + Self.made)
      expectSuccess(compared)
      #expect(compared.output.contains(" to the float32 model"))
    }
  }

  /// ONNX Runtime computes what the interpreter does, but for values that lie between two integers.
  @Test(.enabled(if: ONNXRuntime.isInstalled, "Python has no ONNX Runtime")) func exportsForONNXRuntime() async throws {
    let options = ["--", "--quantize", "int8", "--calibration", "synthetic:4"]
    let outcome = try await ONNXRuntime.verify(["-t", "2e-2", tiny, fixture("specs/small.yaml")] + options)
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
  }

  private struct Report: Decodable {
    struct Layer: Decodable {
      var layer: String
      var op: String
      var int8: Bool
      var snr_db: Double?
      var alone_snr_db: Double?
    }

    var range: String
    var activations: String
    var bias_correction: Bool
    var inputs: Int
    var snr_db: Double
    var relative_l2: Double
    var weight_bytes_before: Int
    var weight_bytes_after: Int
    var layers: [Layer]
  }

  @Test func reportsInJSON() async throws {
    try await withFolder { folder in
      let options = [
        "--range", "percentile:99.9", "--activations", "float", "--no-bias-correction", "--keep", "stem",
        "--sensitivity",
        "--json",
      ]
      let outcome = try await Tool.run(Tool.path, ["quantize", tiny, "-o", "\(folder)/q.vir"] + Self.made + options)
      expectSuccess(outcome)
      let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
      #expect(report.range == "percentile:99.9" && report.activations == "float" && !report.bias_correction)
      #expect(report.inputs == 4 && report.layers.count == 13)
      #expect(report.layers.filter { !$0.int8 }.allSatisfy { $0.layer.hasPrefix("stem.") })
      #expect(report.layers.filter { !$0.int8 }.count == 2)
      let alone = report.layers.compactMap(\.alone_snr_db)
      #expect(alone.count == 13 && alone == alone.sorted())
      #expect(abs(report.snr_db + 20 * log10(report.relative_l2)) < 1e-9)
      #expect(report.weight_bytes_after < report.weight_bytes_before / 2)
    }
  }

  @Test func optionsBelongTogether() async throws {
    let calibration = try await message(["run", tiny, "--calibration", "synthetic:4"], status: 64)
    #expect(calibration == "Error: --calibration is about --quantize int8: add that, or leave it out")
    let none = try await message(["compile", tiny, "-o", "/tmp/never", "--quantize", "int8"], status: 64)
    #expect(none.hasPrefix("Error: --quantize needs inputs: --calibration"))
    #expect(
      try await message(["quantize", tiny, "-o", "/tmp/never.vir"], status: 64).contains("--calibration is missing"))
    #expect(
      try await message(["quantize", tiny, "-o", "/tmp/never.onnx"] + Self.made, status: 64)
        .contains("expected FILE.vir"))
    #expect(
      try await message(["quantize", tiny, "-o", "/tmp/never.vir", "--threads", "2"] + Self.made, status: 64)
        .contains("--threads is about generated C"))
    #expect(
      try await message(["verify", tiny, "--dataset", "d.npz", "--layers"], status: 64)
        .contains("leave the other comparisons out"))
    #expect(!FileManager.default.fileExists(atPath: "/tmp/never.vir"))
  }

  @Test func refusesInOneLine() async throws {
    try await withFolder { folder in
      func refusal(_ calibration: String, _ more: [String] = []) async throws -> String {
        let line = try await message(
          ["quantize", tiny, "--weights", "synthetic", "-o", "\(folder)/q.vir", "--calibration", calibration] + more)
        return line.replacing(folder, with: "DIR")
      }
      #expect(try await refusal("\(folder)/none").hasPrefix("vigc: error: there is no folder 'DIR/none'; expected"))
      try FileManager.default.createDirectory(atPath: "\(folder)/empty", withIntermediateDirectories: true)
      #expect(
        try await refusal("\(folder)/empty") == "vigc: error: DIR/empty holds no picture (png, jpg, jpeg, ppm or pnm)")
      try NumpyFile.write(
        TensorData(shape: [2, 3, 8, 8], floats: [Float](repeating: 0, count: 384)), to: "\(folder)/s.npy")
      #expect(
        try await refusal("\(folder)/s.npy")
          == "vigc: error: DIR/s.npy holds [2, 3, 8, 8], and the input input takes [N, 3, 32, 40]")
      #expect(
        try await refusal("synthetic:2", ["--keep", "stem.stem.9"])
          == "vigc: error: no convolution or matrix product of tiny is in a layer 'stem.stem.9'")
      #expect(try names(in: folder) == ["empty", "s.npy"])
      let vir = "\(folder)/q.vir"
      expectSuccess(try await Tool.run(Tool.path, ["quantize", tiny, "-o", vir] + Self.made))
      #expect(
        try await message(["quantize", vir, "-o", "\(folder)/r.vir", "--calibration", "synthetic:2"])
          == "vigc: error: tiny is quantised already; give the model that it was made of")
      let before = try bytes(vir)
      #expect(
        try await message(["quantize", vir, "-o", vir, "--calibration", "synthetic:2"]).contains("name another file"))
      #expect(try bytes(vir) == before)
    }
  }

  /// A set whose labels are the classes that the model itself finds.
  @Test func countsRightClasses() async throws {
    try await withFolder { folder in
      let count = 6
      let images = (0..<count).map { SyntheticWeights(seed: UInt64($0)).uniform("input", count: 3 * 32 * 40) }
      var model = try ModelLoader.load(model: tiny, weights: .synthetic(seed: 3)).graph
      model.name = "tiny"
      let classes = try images.map { image -> Double in
        let scores = try GraphInterpreter<Double>().run(
          model, inputs: [Tensor(shape: [1, 3, 32, 40], real: image.map(Double.init))])[0].real
        return Double(scores.indices.max { scores[$0] < scores[$1] } ?? 0)
      }
      // One of them is wrong.
      let labels = [(Int(classes[0]) + 1) % 7].map(Double.init) + classes.dropFirst()
      let path = "\(folder)/set.npz"
      try NumpyArchive.write(
        [
          ("images", TensorData(shape: [count, 3, 32, 40], floats: images.flatMap { $0 })),
          ("labels", TensorData(.i64, shape: [count], labels)),
        ], to: path)
      let float = try await Tool.run("verify", tiny, "--weights", "synthetic:3", "--dataset", path)
      expectSuccess(float)
      #expect(float.output.hasSuffix(": top-1 83.33 % (5 of 6)\n"), "\(float.output)")
      let quantized = try await Tool.run(
        Tool.path, ["verify", tiny, "--quantize", "int8", "--dataset", path] + Self.made)
      expectSuccess(quantized)
      let lines = quantized.output.split(separator: "\n").map(String.init)
      #expect(lines.count == 3 && lines[1] == "the float32 model: top-1 83.33 % (5 of 6)")
      #expect(lines.last?.contains(", relative L2 of the scores ") == true)
    }
  }
}
