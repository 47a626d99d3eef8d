import Foundation
import Testing

/// Models trained on a real task lose next to nothing in int8, with the default settings, and are closer to float32
/// than ONNX Runtime's static quantisation of them.
@Suite(.serialized) struct TrainedModelTests {
  private static let isThere = reference("trained") != nil && ONNXRuntime.hasNumPy

  /// The relative L2 of the logits of ONNX Runtime's models with u8 activations.
  private static let peers = ["mobilevig": 5.7e-2, "greedyvig": 4.9e-2, "vig": 8.6e-2]

  @Test(
    .enabled(if: isThere, "the reference data are not beside the package, or Python has no NumPy"),
    arguments: ["mobilevig", "greedyvig", "vig"])
  func losesNextToNothing(_ name: String) async throws {
    let model = try #require(reference("trained/\(name).onnx"))
    let script = try #require(reference("../tools/trained.py"))
    try await withFolder { folder in
      let calibration = "\(folder)/calibration.npy"
      expectSuccess(
        try await Tool.run(
          "python3", [script, "prepare", name, calibration, "--split", "calibration", "--count", "100"]))
      let data = """
        import sys, numpy, pathlib
        sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent)); import trained
        images = trained.prepare(sys.argv[2])
        labels = numpy.load(trained.HERE / "animals.npz")["labels"][:len(images)].astype(numpy.int64)
        numpy.savez(sys.argv[3], images=images, labels=labels)
        """
      expectSuccess(try await Tool.run("python3", ["-c", data, script, name, "\(folder)/test.npz"]))
      let outcome = try await Tool.run(
        "verify", model, "--quantize", "int8", "--calibration", calibration, "--dataset", "\(folder)/test.npz")
      expectSuccess(outcome)
      let shares = outcome.output.matches(of: /top-1 ([0-9.]+) %/).compactMap { Double($0.1) }
      let error = outcome.output.firstMatch(of: /scores ([-0-9.e]+)/).flatMap { Double($0.1) }
      #expect(shares.count == 2 && shares[0] >= shares[1] - 0.3, "\(outcome.output)")
      #expect(try #require(error) < #require(Self.peers[name]), "\(outcome.output)")
    }
  }
}
