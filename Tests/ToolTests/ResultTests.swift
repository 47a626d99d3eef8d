import Codegen
import Foundation
import Frontends
import IR
import Testing

/// Whether what the tool compiles computes the right thing, seen from outside.
@Suite(.serialized) struct ResultTests {
  /// Targets that this machine runs or emulates.
  static let targets = Target.all.filter { target in
    if case .impossible = target.execution() { false } else { true }
  }.map(\.name)

  private func error(_ outcome: Tool.Outcome) -> Double {
    let words = outcome.output.split(separator: " ").map(String.init)
    guard let place = words.firstIndex(of: "error"), words.indices.contains(place + 1) else { return .infinity }
    return Double(words[place + 1]) ?? .infinity
  }

  @Test(arguments: targets) func tinyModel(_ target: String) async throws {
    let outcome = try await Tool.run("verify", tiny, "--target", target, "--layers")
    expectSuccess(outcome)
    #expect(error(outcome) < 1e-6)
    #expect(outcome.output.contains("\nbackbone.0.0 "))
    let substitute = try Target.named(target).execution().substitute
    #expect(outcome.errors.contains("running it through \(substitute ?? "")") == (substitute != nil))
  }

  @Test func goldenOnTheBestTarget() async throws {
    let golden = fixture("golden/mobilevig_ti.json")
    let outcome = try await Tool.run("verify", "mobilevig_ti", "--golden", golden, "--layers")
    expectSuccess(outcome)
    #expect(error(outcome) < 1e-5)
    #expect(outcome.output.contains("\nbackbone.1.1 ") && outcome.output.contains("\ndist_head "))
  }

  @Test func verifyFailsOutsideTheTolerance() async throws {
    let outcome = try await Tool.run("verify", tiny, "--tolerance", "1e-12")
    #expect(outcome.status == 1)
    #expect(outcome.firstError.hasPrefix("vigc: error: tiny for \(Target.native().name) is wrong: relative L2 error "))
    #expect(outcome.firstError.hasSuffix(", tolerance 1e-12"))
  }

  @Test func checksHold() async throws {
    let outcome = try await Tool.run("verify", tiny, "--checks=all")
    expectSuccess(outcome)
    let held = [
      "repeat", "arena of NaN", "arena of random bytes", "guard pages before", "guard pages behind", "threads",
      "callers at once",
      "changed weights (77 of 77 tensors)", "batch of 3",
    ]
    #expect(outcome.output.split(separator: "\n").dropFirst().map(String.init) == held.map { "held: \($0)" })
  }

  /// Odd, not square, divisible by nothing, and so small that the last stage has one pixel. The loop interpreter gives
  /// the bytes of the C, and needs no C compiler.
  @Test(arguments: [
    ("1x1", 1), ("7x9", 2), ("31x57", 3), ("64x32", 4), ("33x48", 5), ("9x8", 6), ("17x1", 7), ("40x24", 8),
  ])
  func sizesAndBatches(_ size: String, _ batch: Int) async throws {
    let outcome = try await Tool.run(
      "verify", tiny, "--input-size", size, "--batch", "\(batch)", "--engine", "loops")
    expectSuccess(outcome)
    #expect(outcome.output.hasPrefix("tiny's loops for \(Target.native().name): "))
    #expect(error(outcome) < 1e-6)
  }

  @Test(arguments: [("1x1", 8), ("31x57", 3)])
  func sizesAndBatchesInC(_ size: String, _ batch: Int) async throws {
    let outcome = try await Tool.run("verify", tiny, "--input-size", size, "--batch", "\(batch)")
    expectSuccess(outcome)
    #expect(error(outcome) < 1e-6)
  }

  @Test(arguments: ["32x40", "33x41"]) func normalizationFoldsExactly(_ size: String) async throws {
    try await withFolder { folder in
      let sides = size.split(separator: "x").compactMap { Int($0) }
      let shape = [1, 3] + sides
      let pixels = sides.reduce(1, *)
      let raw = SyntheticWeights(seed: 5).uniform("input", count: 3 * pixels).map { 0.5 + 0.5 * $0 }
      let mean: [Float] = [0.485, 0.456, 0.406]
      let deviation: [Float] = [0.229, 0.224, 0.225]
      let normalized = raw.enumerated().map { ($0.element - mean[$0.offset / pixels]) / deviation[$0.offset / pixels] }
      try NumpyFile.write(TensorData(shape: shape, floats: raw), to: "\(folder)/raw.npy")
      try NumpyFile.write(TensorData(shape: shape, floats: normalized), to: "\(folder)/normalized.npy")
      func output(_ input: String, _ options: [String]) async throws -> [Float] {
        expectSuccess(
          try await Tool.run(
            Tool.path,
            [
              "run", tiny, "--weights", "synthetic", "--input-size", size, "--input", "\(folder)/\(input).npy",
              "--output", "\(folder)/output.npy", "--engine", "loops",
            ] + options))
        return try NumpyFile.read("\(folder)/output.npy").floats
      }
      let expected = try await output("normalized", [])
      let found = try await output("raw", ["--normalize"])
      let scale = expected.map { $0 * $0 }.reduce(0, +).squareRoot()
      let distance = zip(expected, found).map { ($0 - $1) * ($0 - $1) }.reduce(0, +).squareRoot()
      #expect(distance < 2e-6 * scale)
      // Layer by layer too: a wrong border hardly shows in the mean over an image.
      expectSuccess(
        try await Tool.run(
          "verify", tiny, "--normalize", "--layers", "--input-size", size, "--input", "\(folder)/raw.npy",
          "--tolerance", "2e-6"))
    }
  }

  @Test(arguments: [2, 3]) func threadsGiveTheSameBytes(_ threads: Int) async throws {
    try await withFolder { folder in
      expectSuccess(
        try await Tool.run("run", tiny, "--weights", "synthetic", "--output", "\(folder)/one.npy"))
      expectSuccess(
        try await Tool.run(
          "run", tiny, "--weights", "synthetic", "--threads", "\(threads)", "--output", "\(folder)/many.npy"))
      #expect(try bytes("\(folder)/one.npy") == bytes("\(folder)/many.npy"))
    }
  }

  /// Logits are not padded, so no task may write a whole vector where the last one's channels end within it.
  @Test(arguments: [2, 3, 4, 7]) func everyNumberOfWorkersCanBeProved(_ workers: Int) async throws {
    for target in Target.all {
      expectSuccess(
        try await Tool.run(
          "inspect", "mobilevig_ti", "--stage", "loops", "--target", target.name, "--workers", "\(workers)"))
    }
  }

  @Test func programAgainstTheHeaderAlone() async throws {
    try await withFolder { folder in
      expectSuccess(
        try await Tool.run(
          "compile", tiny, "-o", "\(folder)/lib", "--weights", "synthetic", "--target", "native", "--build", "static"))
      let build = try await Tool.run(
        "/usr/bin/env",
        [
          "cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Ilib", fixture("c/program.c"), "-Llib",
          "-ltiny", "-lm", "-o", "program",
        ], in: folder)
      expectSuccess(build)
      let floats = SyntheticWeights(seed: 0).uniform("input", count: 3 * 32 * 40)
      try Data(TensorData(shape: [floats.count], floats: floats).bytes)
        .write(to: URL(fileURLWithPath: "\(folder)/input.bin"))
      let run = try await Tool.run(
        "/bin/sh", ["-c", "./program lib/tiny.weights input.bin > output.bin"], in: folder)
      expectSuccess(run)
      expectSuccess(
        try await Tool.run("run", tiny, "--weights", "synthetic", "--output", "\(folder)/output.npy"))
      #expect(try bytes("\(folder)/output.bin") == NumpyFile.read("\(folder)/output.npy").bytes)
    }
  }
}
