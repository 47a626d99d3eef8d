import Foundation
import Frontends
import IR
import Testing

@Suite(.serialized) struct ExportTests {
  @Test func writesOneFile() async throws {
    try await withFolder { folder in
      let outcome = try await Tool.run(
        "export", tiny, "-o", "\(folder)/tiny.onnx", "--weights", "synthetic:3", "--batch", "2", "--input-size", "24x33"
      )
      expectSuccess(outcome)
      #expect(outcome.output.isEmpty && outcome.errors.isEmpty)
      #expect(try names(in: folder) == ["tiny.onnx"])
      let model = try ModelLoader.load(
        model: tiny, weights: .synthetic(seed: 3), inputSize: (height: 24, width: 33), batch: 2)
      let version = try await Tool.run("--version").output.split(separator: "\n").first.map(String.init) ?? ""
      #expect(try bytes("\(folder)/tiny.onnx") == ONNXExporter.export(model.graph, version: version))
    }
  }

  @Test func warnsOfMadeUpWeights() async throws {
    try await withFolder { folder in
      let outcome = try await Tool.run("export", tiny, "-o", "\(folder)/tiny.onnx")
      expectSuccess(outcome)
      #expect(outcome.firstError.hasPrefix("vigc: warning: no --weights: the model gets synthetic ones"))
    }
  }

  @Test func refusesWhatIsNotOfTheGraph() async throws {
    try await withFolder { folder in
      for option in [["--target", "avx2"], ["--threads", "2"], ["--prefix", "p"], ["--build", "static"]] {
        let outcome = try await Tool.run(Tool.path, ["export", tiny, "-o", "\(folder)/tiny.onnx"] + option)
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("\(option[0]) is about generated C"))
      }
      let path = "\(folder)/optimized.vir"
      try await Tool.run("inspect", tiny, "--stage", "optimized", "--target", "scalar").output
        .write(toFile: path, atomically: true, encoding: .utf8)
      let outcome = try await Tool.run("export", path, "-o", "\(folder)/tiny.onnx", "--weights", "synthetic")
      #expect(outcome.status == 1)
      #expect(outcome.firstError.hasSuffix("which only passes make; export the graph as it was before them"))
      #expect(try names(in: folder) == ["optimized.vir"])
      let nowhere = try await Tool.run("export", tiny, "--weights", "synthetic", "-o", "\(folder)/no/tiny.onnx")
      #expect(nowhere.firstError == "vigc: error: cannot write \(folder)/no/tiny.onnx: No such file or directory")
    }
  }

  @Test(.enabled(if: ONNXRuntime.isInstalled, "Python has no ONNX Runtime")) func everyOpInONNXRuntime() async throws {
    let outcome = try await ONNXRuntime.verify(["-t", "1e-6", fixture("onnx/ops.vir")])
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    #expect(outcome.output.split(separator: "\n").count > 80)
  }

  @Test(.enabled(if: ONNXRuntime.isInstalled, "Python has no ONNX Runtime")) func modelsInONNXRuntime() async throws {
    for arguments in [
      [tiny, fixture("specs/small.yaml"), "mobilevig_ti"], [tiny, "--", "--batch", "3", "--input-size", "17x41"],
      [tiny, "--", "--normalize", "--features", "--input-size", "33x50"],
    ] {
      let outcome = try await ONNXRuntime.verify(arguments)
      #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }
    // The script does notice: no float32 is that exact.
    let outcome = try await ONNXRuntime.verify(["-t", "1e-12", tiny])
    #expect(outcome.status == 1 && outcome.output.contains(": too much"))
  }
}
