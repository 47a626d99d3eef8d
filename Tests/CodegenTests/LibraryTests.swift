import Foundation
import IR
import Testing

@testable import Codegen

/// What the header promises, as a caller sees it: a C program against the header alone.
@Suite struct LibraryTests {
  /// 4 rows of 6, doubled by weights and summed with a scratch copy, in parallel and in a layer each.
  static func sample(_ name: String = "sample") -> LoopProgram {
    var builder = LoopBuilder()
    builder.layer("scale */ \"rows\"") { builder in
      builder.loop("r", 0, 4, order: .parallel) { builder, r in
        builder.loop("c", 0, 6) { builder, c in
          builder.store("s", c, .load("x", r * 6 + c, .f32) * .load("w", c, .f32))
        }
        builder.loop("c", 0, 6) { builder, c in builder.store("t", r * 6 + c, .load("s", c, .f32)) }
      }
    }
    builder.layer("add") { builder in builder.call("plus", [.view(buffer: "t", 0), .view(buffer: "t", 0)]) }
    builder.layer("copy") { builder in
      builder.loop("i", 0, 24) { builder, i in builder.store("y", i, .load("t", i, .f32)) }
    }
    var body = LoopBuilder()
    body.loop("i", 0, 24) { builder, i in builder.store("b", i, .load("a", i, .f32) + .f32(1)) }
    let view = { LoopParameter.Kind.view($0, .f32, count: 24, range: nil) }
    let parameters = [LoopParameter("a", view(.read)), LoopParameter("b", view(.write))]
    let plus = LoopFunction("plus", parameters, body.statements)
    return LoopProgram(
      name: name,
      buffers: [
        LoopBuffer("x", .input, .f32, count: 24), LoopBuffer("w", .weights, .f32, count: 6),
        LoopBuffer("t", .arena, .f32, count: 24), LoopBuffer("s", .scratch, .f32, count: 6),
        LoopBuffer("y", .output, .f32, count: 24),
      ], functions: [plus], entry: builder.statements
    ).withRandomWeights()
  }

  /// Compiles and runs `main` beside the library; returns what it prints.
  private func run(
    _ library: EmittedLibrary, _ main: String, compiler: String = "gcc", flags: [String] = [], launcher: [String] = []
  ) async throws -> String {
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      try main.write(toFile: "\(directory)/main.c", atomically: true, encoding: .utf8)
      let strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off", "-O2", "-I."]
      try await Toolchain(cc: compiler).compile(
        strict + library.target.compilerFlags + flags + library.sources + ["main.c", "-o", "main", "-lm", "-pthread"],
        in: directory)
      let command = launcher + ["\(directory)/main"]
      let output = try await Toolchain.run(command[0], Array(command.dropFirst()), in: directory, seconds: 60)
      #expect(output.succeeded, "\(output.ending): \(output.standardError)")
      return output.standardOutput
    }
  }

  static let promises = """
    #include <stdio.h>
    #include <string.h>
    #include "sample.h"

    static SAMPLE_DEFINE_ARENA(arena);
    static unsigned char copy[SAMPLE_WEIGHT_BYTES + 64] SAMPLE_ALIGNED(64);
    static void nothing(void *c, int n, void (*fn)(void *, int, int), void *a) { (void)c; (void)n; (void)fn; (void)a; }

    static void say(const char *what, int code) { printf("%s: %d %s\\n", what, code, sample_strerror(code)); }

    int main(void)
    {
      sample_t m;
      float x[SAMPLE_INPUT_ELEMENTS], y[SAMPLE_OUTPUT_ELEMENTS];
      const int shape[SAMPLE_INPUT_RANK] = SAMPLE_INPUT_SHAPE;
      sample_parallel threads = {nothing, NULL, SAMPLE_MAX_WORKERS + 1};
      const void *w = sample_weights;
      const size_t wb = SAMPLE_WEIGHT_BYTES, ab = SAMPLE_ARENA_BYTES;
      for (int i = 0; i < SAMPLE_INPUT_ELEMENTS; i++) x[i] = (float)i;
      memcpy(copy, w, wb);
      say("good", sample_init(&m, w, wb, &arena, sizeof arena, NULL));
      say("run", sample_run(&m, x, y));
      say("check", sample_check_weights(w, wb));
      say("null", sample_init(NULL, w, wb, &arena, ab, NULL));
      say("null input", sample_run(&m, NULL, y));
      say("small arena", sample_init(&m, w, wb, &arena, ab - 1, NULL));
      say("alignment", sample_init(&m, w, wb, (char *)&arena + 4, ab, NULL));
      say("workers", sample_init(&m, w, wb, &arena, ab, &threads));
      say("short weights", sample_init(&m, w, wb - 64, &arena, ab, NULL));
      copy[wb - 64] ^= 1;
      say("damaged init", sample_init(&m, copy, wb, &arena, ab, NULL));
      say("damaged check", sample_check_weights(copy, wb));
      copy[16] ^= 1;
      say("target", sample_init(&m, copy, wb, &arena, ab, NULL));
      copy[0] ^= 1;
      say("magic", sample_init(&m, copy, wb, &arena, ab, NULL));
      say("unknown", -99);
      printf("%d %s\\n", shape[0], SAMPLE_VERSION);
      return 0;
    }
    """

  static let answers = [
    "good: 0", "run: 0", "check: 0", "null: -1", "null input: -1", "small arena: -5", "alignment: -4", "workers: -7",
    "short weights: -2", "damaged init: 0", "damaged check: -2", "target: -3", "magic: -2", "unknown: -99",
  ]

  @Test(arguments: ["gcc"] + (Machine.clang.map { [$0] } ?? []), LibraryOptions.WeightsForm.allCases)
  func headerKeepsItsPromises(_ compiler: String, _ form: LibraryOptions.WeightsForm) async throws {
    if form == .blob { return }
    let library = try library(LibraryTests.sample(), .scalar, weightsForm: form, threads: .pthread)
    let lines = try await run(library, LibraryTests.promises, compiler: compiler).split(separator: "\n")
    #expect(lines.count == LibraryTests.answers.count + 1)
    for (line, answer) in zip(lines, LibraryTests.answers) { #expect(line.hasPrefix(answer + " "), "\(line)") }
    #expect(lines.last == "24 0.1.0")
  }

  private static func hasPrograms(_ names: String...) -> Bool {
    names.allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }
  }

  @Test(
    .enabled(
      if: hasPrograms("arm-linux-gnueabihf-gcc", "qemu-arm"), "there is no arm-linux-gnueabihf-gcc with qemu-arm here"))
  func runsOn32BitArm() async throws {
    let library = try library(LibraryTests.sample(), .scalar, weightsForm: .incbin)
    let lines = try await run(
      library, LibraryTests.promises, compiler: "arm-linux-gnueabihf-gcc", flags: ["-static"], launcher: ["qemu-arm"])
    #expect(lines.hasPrefix("good: 0"))
    let program = LibraryTests.sample()
    let arm = try Codegen.emitLibrary(
      program, plan: .disjoint(program), target: .scalar,
      options: LibraryOptions(name: "sample", inputShapes: [[24]], outputShapes: [[24]], weightsDescription: "random"))
    var options = CompiledModel.Options()
    options.flags = ["-static"]
    options.runner = ["qemu-arm"]
    let inputs = program.randomInputs()
    let expected = try LoopInterpreter(program: program, target: .scalar).run(inputs)
    let output = try await CompiledModel.with(
      arm, toolchain: Toolchain(cc: "arm-linux-gnueabihf-gcc"), options: options
    ) { try await $0.run(inputs["x"] ?? []) }
    #expect(output == expected["y"])
  }

  @Test(arguments: Machine.all)
  func compilesWithoutWarnings(_ machine: Machine) async throws {
    for file in LoopSuiteTests.files + ["sample"] {
      var target = machine.target
      target.instructions["dot4_i8"] = dot4
      let program = try file == "sample" ? LibraryTests.sample() : LoopSuiteTests.program(file)
      let library = try library(program, target, threads: .pthread)
      try await withTemporaryDirectory { directory in
        try library.write(to: directory)
        let strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I.", "-fsyntax-only"]
        try await Toolchain(cc: machine.compiler).compile(
          strict + Toolchain.codeFlags(for: target) + library.sources, in: directory)
      }
    }
  }

  @Test(arguments: Machine.gcc)
  func isCleanUnderSanitizers(_ machine: Machine) async throws {
    if machine.isForeign { return print("skipped: no sanitizer works in an emulator") }
    var machine = machine
    machine.flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    try await expectSameBytes(LibraryTests.sample(), on: machine)
    for file in LoopSuiteTests.files {
      machine.target.instructions["dot4_i8"] = dot4
      try await expectSameBytes(LoopSuiteTests.program(file), on: machine)
    }
  }

  @Test func emissionIsDeterministic() throws {
    let first = try library(LibraryTests.sample(), .avx2, weightsForm: .array, threads: .pthread)
    let second = try library(LibraryTests.sample(), .avx2, weightsForm: .array, threads: .pthread)
    #expect(first.files.map(\.name) == second.files.map(\.name))
    #expect(first.files.map(\.contents) == second.files.map(\.contents))
  }

  @Test func aliasedParametersAreNotRestrict() throws {
    let text = try library(LibraryTests.sample(), .scalar).text(of: "sample.c") ?? ""
    #expect(text.contains("VIGC_KERNEL void plus(const float *a, float *b)"))
  }

  @Test func profileBenchAndChecks() async throws {
    let library = try library(LibraryTests.sample(), .scalar)
    var options = CompiledModel.Options()
    options.profiles = true
    let input = LibraryTests.sample().randomInputs()["x"] ?? []
    try await CompiledModel.with(library, options: options) { model in
      let timing = try await model.bench(input, threads: 2, seconds: 0.05)
      #expect(timing.runs > 0 && timing.minimum <= timing.median && timing.median <= timing.p90)
      #expect(timing.layers.map(\.name) == ["scale */ \"rows\"", "add", "copy"])
      let held = try await model.check(input, threads: 2)
      #expect(held.count == 9 && held.last == "callers at once")
      await #expect(throws: Diagnostic.self) { _ = try await model.run(Array(input.dropLast())) }
    }
  }

  @Test func buildsLibrariesThatHideEverythingElse() async throws {
    let library = try library(LibraryTests.sample(), .scalar, threads: .pthread)
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      let toolchain = Toolchain()
      #expect(try await toolchain.staticLibrary(library, in: directory) == "libsample.a")
      let shared = try await toolchain.sharedLibrary(library, in: directory)
      let symbols = try await Toolchain.run("nm", ["-D", "--defined-only", shared], in: directory, seconds: 300)
        .standardOutput
      let names = symbols.split(separator: "\n").compactMap { $0.split(separator: " ").last }
      #expect(names.allSatisfy { $0.hasPrefix("sample_") } && names.contains("sample_run"), "\(names)")
      let stack = try await toolchain.stackBytes(library, in: directory)
      #expect((stack ?? 0) > 0 && (stack ?? 0) < 4096)
      let left = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".o") }
      #expect(left == [])
    }
  }

  @Test(.enabled(if: hasPrograms("cmake"), "there is no cmake here"), arguments: LibraryOptions.WeightsForm.allCases)
  func cmakeBuildsAndInstalls(_ form: LibraryOptions.WeightsForm) async throws {
    let library = try library(LibraryTests.sample(), .scalar, weightsForm: form, threads: .pthread)
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      for arguments in [
        ["-S", ".", "-B", "build", "-DCMAKE_INSTALL_PREFIX=\(directory)/installed"], ["--build", "build"],
        ["--install", "build"],
      ] {
        let output = try await Toolchain.run("cmake", arguments, in: directory, seconds: 300)
        #expect(output.succeeded, "\(output.standardOutput) \(output.standardError)")
      }
      for file in ["include/sample.h", "include/sample_pthread.h", "share/sample/sample.weights"] {
        #expect(FileManager.default.fileExists(atPath: "\(directory)/installed/\(file)"))
      }
    }
  }

  @Test func missingCompilerAndCompileErrorsAreExplained() async throws {
    try await withTemporaryDirectory { directory in
      let missing = await #expect(throws: Diagnostic.self) {
        try await Toolchain(cc: "no-such-cc").compile(["x.c"], in: directory)
      }
      #expect(missing?.message == "there is no C compiler called no-such-cc")
      try "int x = ;".write(toFile: "\(directory)/x.c", atomically: true, encoding: .utf8)
      let wrong = await #expect(throws: Diagnostic.self) {
        try await Toolchain(cc: "gcc").compile(["-c", "x.c"], in: directory)
      }
      #expect(wrong?.message.contains("error: expected expression") == true)
    }
  }

  @Test func unwritableDirectoriesAndFullDisksAreExplained() throws {
    let library = try library(LibraryTests.sample(), .scalar)
    let error = #expect(throws: Diagnostic.self) { try library.write(to: "/proc/nowhere/out") }
    #expect(error?.message.hasPrefix("cannot make the directory /proc/nowhere/out") == true)
    #expect(throws: Diagnostic.self) {
      _ = try emitLibrary(
        LibraryTests.sample(), plan: .disjoint(LibraryTests.sample()), target: .scalar,
        options: LibraryOptions(
          name: "x", prefix: "1x", inputShapes: [], outputShapes: [], weightsDescription: ""))
    }
  }
}
