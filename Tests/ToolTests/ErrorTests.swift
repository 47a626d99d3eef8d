import Foundation
import Frontends
import IR
import Testing

/// What a user reads when something is wrong: one line that says it, the details below, exit status 1, and nothing left
/// behind.
@Suite(.serialized) struct ErrorTests {
  /// The first line of a failed command.
  private func message(_ arguments: String..., status: Int32 = 1) async throws -> String {
    let outcome = try await Tool.run(Tool.path, arguments)
    #expect(outcome.status == status)
    #expect(outcome.output.isEmpty)
    return outcome.firstError
  }

  @Test func unknownModel() async throws {
    #expect(
      try await message("run", "mobilevig_t")
        == "vigc: error: unknown model 'mobilevig_t'; did you mean mobilevig_b, mobilevig_m, mobilevig_s?")
    #expect(
      try await message("run", "models/what.pt")
        == "vigc: error: cannot tell what model 'models/what.pt' is; expected a zoo name, a .yaml, an .onnx or a .vir file"
    )
  }

  @Test func unknownTarget() async throws {
    let outcome = try await Tool.run("compile", tiny, "-o", "/tmp/never", "--target", "avx51")
    #expect(outcome.status == 1)
    #expect(outcome.firstError == "vigc: error: no target is called avx51 (did you mean avx512 or avx2?)")
    let names = (Target.all.map(\.name) + ["native"]).joined(separator: ", ")
    #expect(outcome.errors.contains("\n  targets: \(names)\n"))
    #expect(!FileManager.default.fileExists(atPath: "/tmp/never"))
  }

  @Test func unknownPass() async throws {
    #expect(
      try await message("inspect", tiny, "--stage", "parsed", "--print-ir-after", "fold-scales")
        == "vigc: error: no pass is called 'fold-scales'; did you mean fold-scale?")
    #expect(
      try await message("opt", tiny, "--passes", "fold-constants,form-product")
        == "vigc: error: no pass is called 'form-product'; did you mean form-products?")
  }

  @Test func loweringsThatDoNotApply() async throws {
    let module = "backbone.0.0.graph_conv"
    #expect(
      try await message("explain", tiny, "--lowering", "backbone.0.graph_conv=windowed")
        == "vigc: error: no node with a choice of lowerings is called 'backbone.0.graph_conv'; did you mean \(module)?")
    let outcome = try await Tool.run("explain", tiny, "--lowering", "\(module)=rolled")
    #expect(outcome.status == 1)
    #expect(outcome.firstError.hasSuffix("'\(module)' cannot be lowered as 'rolled'"))
    #expect(outcome.errors.contains("\n  what applies there: fused_rolls, windowed\n"))
    #expect(try await message("explain", tiny, "--lowering", "windowed", status: 64).contains("expected MODULE=NAME"))
    #expect(
      try await message("explain", tiny, "--lowering", "a=b", "--lowering", "a=c", status: 64)
        .contains("--lowering says twice how 'a' is lowered"))
  }

  @Test func nothingToReplay() async throws {
    let outcome = try await Tool.run("verify", tiny, "--replay")
    #expect(outcome.status == 1)
    #expect(outcome.firstError == "vigc: error: tiny has no graph that depends on data: leave out --replay")
    #expect(try await message("verify", tiny, "--replay", "--layers", status: 64).contains("leave out --replay"))
  }

  @Test func specWithATypo() async throws {
    try await withFolder { folder in
      let text = try String(contentsOfFile: tiny, encoding: .utf8)
      let path = "\(folder)/typo.yaml"
      try text.replacing("expansion: 4}\n      - {kind: conv", with: "expnsion: 4}\n      - {kind: conv")
        .write(toFile: path, atomically: true, encoding: .utf8)
      let line = try await message("compile", path, "-o", "\(folder)/out")
      #expect(line.hasPrefix("vigc: error: \(path):22:35: unknown key "), "\(line)")
      #expect(line.contains("'expnsion'") && line.contains("expansion"), "\(line)")
      #expect(try names(in: folder) == ["typo.yaml"])
    }
  }

  @Test func wrongWeightName() async throws {
    try await withFolder { folder in
      let path = "\(folder)/weights.safetensors"
      var tensors = try ModelLoader.load(model: tiny).graph.weights
      tensors["head.wieght"] = tensors.removeValue(forKey: "head.weight")
      try Safetensors(tensors).write(to: path)
      let outcome = try await Tool.run("compile", tiny, "-o", "\(folder)/out", "--weights", path)
      #expect(outcome.status == 1)
      #expect(
        outcome.firstError
          == "vigc: error: \(path) does not hold the weights of tiny: 1 missing, 1 unexpected")
      #expect(outcome.errors.contains("\n  missing: head.weight [7, 20, 1, 1]; the file has head.wieght\n"))
      #expect(try names(in: folder) == ["weights.safetensors"])
    }
  }

  @Test func truncatedWeights() async throws {
    try await withFolder { folder in
      let path = "\(folder)/weights.safetensors"
      try Safetensors(try ModelLoader.load(model: tiny).graph.weights).write(to: path)
      try Data(try bytes(path).dropLast(100)).write(to: URL(fileURLWithPath: path))
      let line = try await message("compile", tiny, "-o", "\(folder)/out", "--weights", path)
      #expect(line.hasPrefix("vigc: error: \(path)") && line.contains("truncated"), "\(line)")
      #expect(try names(in: folder) == ["weights.safetensors"])
    }
  }

  @Test func missingCompiler() async throws {
    let outcome = try await Tool.run("run", tiny, "--cc", "/nonexistent/cc", "--weights", "synthetic")
    #expect(outcome.status == 1)
    #expect(
      outcome.errors
        == "vigc: error: there is no C compiler called /nonexistent/cc\n  install one (gcc or clang), or name it with --cc\n"
    )
  }

  @Test func missingRunner() async throws {
    #expect(
      try await message("run", tiny, "--weights", "synthetic", "--target", "scalar", "--runner", "no-such-emulator -x")
        == "vigc: error: there is no no-such-emulator to run the code for scalar")
    #expect(
      try await message("bench", tiny, "--target", "scalar", "--runner", "no-such-emulator")
        == "vigc: error: scalar would run through no-such-emulator, and the time of an emulation means nothing")
  }

  @Test func compilerThatFails() async throws {
    try await withFolder { folder in
      let path = "\(folder)/cc"
      try "#!/bin/sh\necho 'tiny.c:1:1: error: no such luck' >&2\nexit 1\n"
        .write(toFile: path, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      let line = try await message(
        "compile", tiny, "-o", "\(folder)/out", "--weights", "synthetic", "--build", "static", "--cc", path)
      #expect(line == "vigc: error: \(path) failed: tiny.c:1:1: error: no such luck")
      #expect(try names(in: folder) == ["cc"])
    }
  }

  /// Whether this machine lets a test mount a disk of its own.
  private static func canMount() async -> Bool {
    let words = ["-Urm", "sh", "-c", "mount -t tmpfs -o size=16k none /mnt"]
    return (try? await Tool.run("/usr/bin/unshare", words))?.status == 0
  }

  @Test(.enabled("needs user namespaces") { await canMount() }) func fullDisk() async throws {
    let script = """
      mount -t tmpfs -o size=16k none /mnt || exit 99
      "$0" compile "$1" -o /mnt/out --weights synthetic
      status=$?
      ls -A /mnt
      exit $status
      """
    let outcome = try await Tool.run("/usr/bin/unshare", ["-Urm", "sh", "-c", script, Tool.path, tiny])
    #expect(outcome.status == 1)
    #expect(outcome.output.isEmpty, "something was left behind")
    #expect(outcome.firstError.hasPrefix("vigc: error: cannot write /mnt/out/tiny."), "\(outcome.firstError)")
    #expect(outcome.firstError.hasSuffix(": No space left on device"), "\(outcome.firstError)")
  }

  @Test func fullDiskBehindAnOutput() async throws {
    #expect(
      try await message("run", tiny, "--weights", "synthetic", "--engine", "graph", "--output", "/dev/full")
        == "vigc: error: cannot write /dev/full: No space left on device")
    let outcome = try await Tool.run("/bin/sh", ["-c", "\"$0\" models > /dev/full", Tool.path])
    #expect(outcome.status == 1)
    #expect(outcome.errors == "vigc: error: cannot write to standard output: No space left on device\n")
  }

  @Test func unwritablePlace() async throws {
    #expect(
      try await message("compile", tiny, "-o", "/dev/null/out", "--weights", "synthetic").hasPrefix(
        "vigc: error: cannot make the directory /dev/null/out"))
  }

  @Test func inputsThatDoNotFit() async throws {
    #expect(
      try await message("run", tiny, "--weights", "synthetic", "--input", fixture("images/pattern_16.npy"))
        .contains("and the model takes [1, 3, 32, 40]"))
    #expect(
      try await message("run", tiny, "--weights", "synthetic", "--input", "picture.gif")
        .hasPrefix("vigc: error: cannot tell what input 'picture.gif' is; expected synthetic"))
    #expect(
      try await message("compile", tiny, "-o", "/tmp/never", "--batch", "2000", status: 64)
        .contains("'2000' is not a whole number from 1 to 1024"))
  }

  @Test(arguments: ["224", "0x5", "axb", "3x4x5", "1 x4", ""])
  func wrongSize(_ size: String) async throws {
    #expect(
      try await message("inspect", tiny, "--stage", "parsed", "--input-size", size, status: 64)
        .contains("'\(size)' is not a size; expected HEIGHTxWIDTH in pixels, like 224x224"))
  }

  @Test func normalizeWithoutNormalization() async throws {
    try await withFolder { folder in
      let path = "\(folder)/graph.vir"
      let written = try await Tool.run("opt", tiny, "--passes", "fold-constants", "-o", path)
      expectSuccess(written)
      #expect(
        try await message("run", path, "--normalize")
          == "vigc: error: \(path) does not say how its input is normalised")
      #expect(
        try await message("run", path, "--batch", "2")
          == "vigc: error: \(path) has fixed shapes; a batch needs a spec or a zoo model")
    }
  }

  @Test func goldenOfAnotherModel() async throws {
    let golden = fixture("golden/mobilevig_ti.json")
    #expect(
      try await message("verify", "mobilevig_s", "--golden", golden)
        == "vigc: error: \(golden) is the golden of mobilevig_ti, and the model is mobilevig_s")
  }
}
