import Codegen
import Foundation
import Frontends
import IR
import Passes
import Testing

/// What each command prints and writes: the words of these tests are a contract.
@Suite(.serialized) struct CommandTests {
  @Test func listings() async throws {
    let models = try await Tool.run("models")
    expectSuccess(models)
    for entry in Zoo.entries { #expect(models.output.contains("\n\(entry.name) ")) }
    let rows = models.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(rows.contains("mobilevig_ti MobileViG 3x224x224 1000 5271074"))
    let passes = try await Tool.run("passes")
    expectSuccess(passes)
    #expect(passes.output.contains("\nform-products  ") && passes.output.contains("\nnormalize-input  "))
    let targets = try await Tool.run("targets")
    expectSuccess(targets)
    for target in Target.all { #expect(targets.output.contains("\n\(target.name) ")) }
    let portable = targets.output.split(separator: "\n").first { $0.hasPrefix("scalar ") }
    #expect(portable?.contains(" runs it ") == true)
    #expect(targets.output.contains("the best this machine has: \(Target.native().name)\n"))
  }

  @Test func compileWritesALibrary() async throws {
    try await withFolder { folder in
      let outcome = try await Tool.run("compile", tiny, "-o", "\(folder)/out")
      expectSuccess(outcome)
      #expect(outcome.errors.hasPrefix("vigc: warning: no --weights: the library gets synthetic ones"))
      #expect(try names(in: folder) == ["out"])
      #expect(
        try names(in: "\(folder)/out") == ["CMakeLists.txt", "tiny.c", "tiny.h", "tiny.pc", "tiny.weights"])
      let header = try String(contentsOfFile: "\(folder)/out/tiny.h", encoding: .utf8)
      #expect(header.contains("WEIGHTS ARE SYNTHETIC (synthetic, seed 0)"))
      for macro in ["ARENA_BYTES", "ALIGNMENT", "INPUT_ELEMENTS", "OUTPUT_ELEMENTS", "WEIGHT_BYTES", "MAX_WORKERS"] {
        #expect(header.contains("#define TINY_\(macro) "))
      }
      #expect(outcome.output.contains("\narena ") && outcome.output.contains("\nweights "))
      // Same input, same bytes, wherever they go.
      let again = try await Tool.run("compile", tiny, "-o", "../again", "--weights", "synthetic:0", in: "\(folder)/out")
      expectSuccess(again)
      #expect(again.errors.isEmpty)
      for name in try names(in: "\(folder)/out") {
        #expect(try bytes("\(folder)/out/\(name)") == bytes("\(folder)/again/\(name)"))
      }
    }
  }

  @Test func compileTakesPrefixFormsAndThreads() async throws {
    try await withFolder { folder in
      let outcome = try await Tool.run(
        "compile", tiny, "-o", folder, "--weights", "synthetic:3", "--prefix", "eye", "--threads", "pthread",
        "--weights-as", "array", "--batch", "2", "--input-size", "24x33", "--report")
      expectSuccess(outcome)
      #expect(
        try names(in: folder) == [
          "CMakeLists.txt", "tiny.c", "tiny.h", "tiny.pc", "tiny.weights", "tiny_pthread.c", "tiny_pthread.h",
          "tiny_weights.c",
        ])
      let header = try String(contentsOfFile: "\(folder)/tiny.h", encoding: .utf8)
      #expect(header.contains("#define EYE_MAX_WORKERS 4\n"))
      #expect(header.contains("#define EYE_INPUT_SHAPE {2, 3, 24, 33}\n"))
      #expect(header.contains("int eye_run("))
      #expect(outcome.output.contains("\nform-products ") && outcome.output.contains("scratch"))
    }
  }

  @Test func compileBuildsLibraries() async throws {
    try await withFolder { folder in
      let outcome = try await Tool.run(
        "compile", tiny, "-o", folder, "--weights", "synthetic", "--build", "static,shared")
      expectSuccess(outcome)
      #expect(
        try names(in: folder) == [
          "CMakeLists.txt", "libtiny.a", "libtiny.so", "tiny.c", "tiny.h", "tiny.pc", "tiny.weights",
        ])
      #expect(outcome.output.contains("\nstack    at most "))
    }
  }

  @Test func runPrintsAndWrites() async throws {
    try await withFolder { folder in
      let path = "\(folder)/output.npy"
      let outcome = try await Tool.run(
        "run", tiny, "--weights", "synthetic", "--batch", "2", "--output", path, "--top", "3")
      expectSuccess(outcome)
      let output = try NumpyFile.read(path)
      #expect(output.shape == [2, 7])
      let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      #expect(lines.count == 1 + 2 * 4)
      #expect(lines.first == ["output", "2x7"])
      let best = output.floats.prefix(7).enumerated().max { $0.element < $1.element }
      #expect(lines[2] == ["\(best?.offset ?? -1)", "\(best?.element ?? 0)"])
      // The same through both interpreters, and from a file.
      let input = "\(folder)/input.npy"
      let floats = SyntheticWeights(seed: 0).uniform("input", count: 2 * 3 * 32 * 40)
      try NumpyFile.write(TensorData(shape: [2, 3, 32, 40], floats: floats), to: input)
      for engine in ["graph", "loops"] {
        let other = "\(folder)/\(engine).npy"
        expectSuccess(
          try await Tool.run(
            "run", tiny, "--weights", "synthetic", "--batch", "2", "--engine", engine, "--input", input, "--output",
            other))
        let found = try NumpyFile.read(other).floats
        #expect(zip(found, output.floats).allSatisfy { abs($0 - $1) < 1e-5 })
        if engine == "loops" { #expect(found == output.floats, "C and the loop interpreter agree bit for bit") }
      }
    }
  }

  @Test func runReadsPictures() async throws {
    let picture = fixture("images/pattern.png")
    let plain = try await Tool.run("run", tiny, "--weights", "synthetic", "--input", picture, "--engine", "graph")
    expectSuccess(plain)
    #expect(plain.output.split(separator: "\n").count == 7)
    let folded = try await Tool.run(
      "run", tiny, "--weights", "synthetic", "--input", picture, "--engine", "graph", "--normalize")
    expectSuccess(folded)
    func classes(_ outcome: Tool.Outcome) -> [Substring] {
      outcome.output.split(separator: "\n").dropFirst(2).compactMap { $0.split(separator: " ").first }
    }
    #expect(classes(plain) == classes(folded))
  }

  @Test func benchPrintsOneObject() async throws {
    let outcome = try await Tool.run(
      "bench", tiny, "--json", "--seconds", "0.1", "--threads", "2", "--profile")
    expectSuccess(outcome)
    #expect(outcome.output.split(separator: "\n").count == 1)
    let keys = [
      "model", "target", "threads", "runs", "min_ms", "median_ms", "p90_ms", "gflops", "arena_bytes",
      "peak_liveness_bytes", "weight_bytes", "layers",
    ]
    let object = try JSON(parsing: Array(outcome.output.utf8))
    let found = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    #expect(found?.keys.sorted() == keys.sorted())
    #expect(object["model"]?.string == "tiny" && object["target"]?.string == Target.native().name)
    #expect(object["threads"]?.integer == 2)
    #expect((object["min_ms"]?.double ?? 1) <= (object["median_ms"]?.double ?? 0))
    let layers = try #require(found?["layers"] as? [[String: Any]])
    #expect(layers.count > 3)
    for layer in layers {
      #expect(
        layer.keys.sorted() == ["bytes", "flop", "kernel", "layer", "least_ms", "ms", "roofline_ms"])
      #expect((layer["least_ms"] as? Double ?? 1) <= (layer["ms"] as? Double ?? 0) + 1e-4)
    }
  }

  @Test func benchRefusesAnEmulation() async throws {
    if case .native = Target.avx512.execution() { return }
    let outcome = try await Tool.run("bench", tiny, "--target", "avx512")
    #expect(outcome.status == 1)
    #expect(
      outcome.firstError
        == "vigc: error: avx512 would run through an emulation on AVX2, and the time of an emulation means nothing"
        || outcome.firstError == "vigc: error: this machine cannot run code for avx512")
  }

  @Test func inspectPrintsStages() async throws {
    let parsed = try await Tool.run("inspect", tiny, "--stage", "parsed")
    expectSuccess(parsed)
    #expect(parsed.output.hasPrefix("graph tiny {weights = \"synthetic:0\"}(%input: "))
    #expect(GraphPrinter.print(try GraphParser.parse(parsed.output, file: "parsed")) == parsed.output)
    let optimized = try await Tool.run("inspect", tiny, "--stage", "optimized", "--print-ir-after", "all")
    expectSuccess(optimized)
    #expect(optimized.output.contains("fuse \"pointwise\""))
    #expect(optimized.errors.hasPrefix("// after fold-constants\ngraph tiny"))
    #expect(optimized.errors.hasSuffix("// after assign-layout\n\(optimized.output)"))
    let one = try await Tool.run("inspect", tiny, "--stage", "optimized", "--print-ir-after", "merge-heads")
    #expect(one.errors.components(separatedBy: "// after ").count == 2)
    let loops = try await Tool.run("inspect", tiny, "--stage", "loops")
    expectSuccess(loops)
    #expect(try LoopProgram(parsing: loops.output, file: "loops").text == loops.output)
    let code = try await Tool.run("inspect", tiny, "--stage", "c")
    expectSuccess(code)
    #expect(code.output.contains("int tiny_run("))
    let dot = try await Tool.run("inspect", tiny, "--stage", "parsed", "--dot")
    expectSuccess(dot)
    #expect(dot.output.hasPrefix("digraph \"tiny\" {"))
    #expect(try await Tool.run("inspect", tiny, "--stage", "c", "--dot").status == 64)
  }

  @Test func tuneWritesWhatCompilesToTheSameResult() async throws {
    try await withFolder { folder in
      let tuned = try await Tool.run(
        "tune", tiny, "-o", "\(folder)/tuning.json", "--seconds", "0.01", "--target", "scalar")
      expectSuccess(tuned)
      #expect(tuned.output.hasPrefix("depth  pixels  channels  model"))
      #expect(tuned.output.contains(" products have a better schedule: \(folder)/tuning.json\n"))
      // Whatever won, another schedule of each product is a winner too, as far as the file goes.
      let loaded = try ModelLoader.load(model: tiny)
      var manager = PassManager()
      let graph = try manager.run(Pipeline.passes(for: .scalar), on: loaded.graph)
      let products = try ProductTuner.products(of: graph, for: CompilationTarget(target: .scalar, workers: 1))
      #expect(products.count > 5)
      let winners = products.compactMap { product in
        ProductTuner.candidates(for: product, target: .scalar).dropFirst().last.map {
          ProductTuning.Winner(product: product, schedule: $0)
        }
      }
      let other = ProductTuning(target: "scalar", winners: winners)
      try JSONEncoder().encode(other).write(to: URL(fileURLWithPath: "\(folder)/other.json"))
      for file in ["tuning.json", "other.json"] {
        let plain = try await Tool.run("run", tiny, "--target", "scalar", "--output", "\(folder)/plain.npy")
        expectSuccess(plain)
        let other = try await Tool.run(
          "run", tiny, "--target", "scalar", "--output", "\(folder)/other.npy", "--tuning", "\(folder)/\(file)")
        expectSuccess(other)
        #expect(try bytes("\(folder)/plain.npy") == bytes("\(folder)/other.npy"))
      }
      let wrong = try await Tool.run("run", tiny, "--target", "avx2", "--tuning", "\(folder)/tuning.json")
      #expect(wrong.status == 1)
      #expect(
        wrong.firstError == "vigc: error: \(folder)/tuning.json: the tuning is for scalar, not for avx2")
      var cut = other
      cut.winners[0].product.pixels += 1
      try JSONEncoder().encode(cut).write(to: URL(fileURLWithPath: "\(folder)/cut.json"))
      let bad = try await Tool.run("run", tiny, "--target", "scalar", "--tuning", "\(folder)/cut.json")
      #expect(bad.status == 1 && bad.firstError.contains("does not fit scalar"))
    }
  }

  @Test func explainSaysWhatWasChosenAndWhy() async throws {
    let chosen = try await Tool.run("explain", tiny, "--target", "avx2")
    expectSuccess(chosen)
    let module = "backbone.0.0.graph_conv"
    #expect(chosen.output.hasPrefix("tiny for avx2\n\nGraph constructions\n\n\(module): svga, "))
    #expect(chosen.output.contains("\n  fused_rolls at 9, 3 rolls read in place\n  not windowed at "))
    #expect(chosen.output.contains("\n\(module)       max_relative  1x12x4x5 "))
    #expect(chosen.output.hasSuffix("\nEverything has a kernel.\n"))
    let asked = try await Tool.run("explain", tiny, "--target", "avx2", "--lowering", "\(module)=windowed")
    expectSuccess(asked)
    #expect(asked.output.contains("\n  windowed at ") && asked.output.contains(", asked for: windows of "))
  }

  @Test func replayHoldsTheGraphsThatWereChosen() async throws {
    for target in ["scalar", "native"] {
      let outcome = try await Tool.run("verify", dynamic, "--target", target, "--replay")
      expectSuccess(outcome)
      let lines = outcome.output.split(separator: "\n")
      #expect(lines.contains { $0.hasPrefix("backbone.0.0.mixer.graph_conv  neighborhood<gated_offsets ") })
      #expect(lines.contains { $0.hasPrefix("backbone.1.0.graph_conv        neighborhood<indices 3 of 35, 1x5x7>") })
      #expect(lines.contains { $0.hasPrefix("backbone.1.1.graph_conv        neighborhood<incidence 5, 1x5x7>") })
      #expect(lines.last?.hasPrefix("on the same graphs: relative L2 error ") ?? false)
    }
    let strict = try await Tool.run("verify", dynamic, "--replay", "--tolerance", "0")
    #expect(strict.status == 1)
    #expect(strict.firstError.contains(" on the same graphs, tolerance 0"))
  }

  @Test func optRunsPassesAndItsResultRuns() async throws {
    try await withFolder { folder in
      let path = "\(folder)/folded.vir"
      let printed = try await Tool.run("opt", tiny, "--passes", "fold-constants,fold-batch-norm")
      expectSuccess(printed)
      #expect(printed.output.contains("conv2d") && !printed.output.contains("batch_norm"))
      expectSuccess(
        try await Tool.run("opt", tiny, "--passes", "fold-constants,fold-batch-norm", "-o", path))
      #expect(try names(in: folder) == ["folded.safetensors", "folded.vir"])
      let verified = try await Tool.run("verify", path)
      expectSuccess(verified)
      let normalized = try await Tool.run("opt", tiny, "--passes", "normalize-input")
      expectSuccess(normalized)
      #expect(normalized.output.contains("%input_normalized = divide"))
    }
  }

  @Test func usage() async throws {
    #expect(try await Tool.run("compile", tiny).status == 64)
    #expect(try await Tool.run("frobnicate").status == 64)
    let help = try await Tool.run("compile", "--help")
    expectSuccess(help)
    for option in [
      "--weights <synthetic[:SEED]|FILE>", "--target", "--input-size <HxW>", "--batch", "--normalize",
      "--resize-positions", "--membership-seed",
      "--threads <none|pthread|N>", "--weights-as <blob|incbin|array>", "--prefix", "--build <static,shared>",
      "--print-ir-after <NAME|all>", "-o, --output <DIR>",
    ] { #expect(help.output.contains(option), "\(option)") }
  }
}
