import Foundation
import Frontends
import IR
import Testing

/// `--features`, seen from outside.
@Suite(.serialized) struct FeatureTests {
  @Test func runWritesAnArchive() async throws {
    try await withFolder { folder in
      for engine in ["c", "graph", "loops"] {
        expectSuccess(
          try await Tool.run(
            "run", tiny, "--weights", "synthetic", "--features", "--batch", "2", "--engine", engine, "--output",
            "\(folder)/\(engine).npz"))
      }
      // What C computes is what the loop interpreter does, bit for bit.
      #expect(try bytes("\(folder)/c.npz") == bytes("\(folder)/loops.npz"))
      let shown = try await Tool.run("run", tiny, "--weights", "synthetic", "--features", "--engine", "loops")
      expectSuccess(shown)
      let rows = shown.output.split(separator: "\n").map { $0.split(separator: " ").prefix(2).map(String.init) }
      #expect(rows == [["output", "shape"], ["stride4", "1x10x8x10"], ["stride8", "1x12x4x5"]])
    }
  }

  @Test(.enabled(if: ONNXRuntime.hasNumPy, "Python has no NumPy")) func numPyReadsTheArchive() async throws {
    try await withFolder { folder in
      let path = "\(folder)/f.npz"
      expectSuccess(
        try await Tool.run(
          "run", tiny, "--weights", "synthetic", "--features", "--input-size", "30x41", "--engine", "loops", "--output",
          path))
      let program = """
        import numpy, sys, zipfile
        assert zipfile.ZipFile(sys.argv[1]).testzip() is None
        for name, x in numpy.load(sys.argv[1]).items():
            print(name, x.shape, x.dtype, float(numpy.abs(x).max()) > 0)
        """
      let outcome = try await Tool.run("python3", ["-c", program, path])
      expectSuccess(outcome)
      #expect(
        outcome.output == "stride4 (1, 10, 8, 11) float32 True\nstride8 (1, 12, 4, 6) float32 True\n")
    }
  }

  @Test func everyCommandThatCompiles() async throws {
    try await withFolder { folder in
      expectSuccess(try await Tool.run("verify", tiny, "--features", "--layers"))
      expectSuccess(
        try await Tool.run("compile", tiny, "--weights", "synthetic", "--features", "-o", "\(folder)/out"))
      let header = try String(contentsOfFile: "\(folder)/out/tiny.h", encoding: .utf8)
      #expect(header.contains("{1, 10, 8, 10}") && header.contains("{1, 12, 4, 5}"))
      let parsed = try await Tool.run("inspect", tiny, "--features", "--stage", "parsed")
      #expect(parsed.output.contains(" -> (%stride4, %stride8) {"))
      #expect(!parsed.output.contains("dist_head"))
    }
  }

  @Test func mistakes() async throws {
    try await withFolder { folder in
      #expect(try await Tool.run("run", tiny, "--features", "--top", "3").status == 64)
      let plain = try await Tool.run(
        "run", tiny, "--weights", "synthetic", "--features", "--engine", "graph", "--output", "\(folder)/f.npy")
      #expect(
        plain.firstError
          == "vigc: error: \(folder)/f.npy cannot hold 2 outputs; give it a name that ends in .npz")
      #expect(try names(in: folder).isEmpty)
      let golden = fixture("golden/mobilevig_ti.json")
      let verified = try await Tool.run("verify", "mobilevig_ti", "--features", "--golden", golden)
      #expect(verified.firstError == "vigc: error: a golden has logits, and --features leaves none")
    }
  }
}
