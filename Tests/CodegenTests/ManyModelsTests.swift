import Foundation
import IR
import Testing

@testable import Codegen

/// Several models in one program, which may be C++: two libraries linked into one executable, each run by a thread of its own at
/// the same time, through its own pool.
@Suite struct ManyModelsTests {
  /// In what C99 and C++17 have in common.
  private static let main = """
    #include "parallel_rows.h"
    #include "parallel_rows_pthread.h"
    #include "sample.h"
    #include "sample_pthread.h"
    #include <pthread.h>
    #include <stdio.h>
    #include <string.h>

    static SAMPLE_DEFINE_ARENA(arena_a);
    static PARALLEL_ROWS_DEFINE_ARENA(arena_b);
    static sample_pool pool_a;
    static parallel_rows_pool pool_b;
    static sample_t model_a;
    static parallel_rows_t model_b;
    static float in_a[SAMPLE_INPUT_ELEMENTS], in_b[PARALLEL_ROWS_INPUT_ELEMENTS];
    static float alone_a[SAMPLE_OUTPUT_ELEMENTS], alone_b[PARALLEL_ROWS_OUTPUT_ELEMENTS];
    static int wrong_a, wrong_b;

    #define ROUNDS 300

    static void *run_a(void *unused)
    {
      float out[SAMPLE_OUTPUT_ELEMENTS];
      for (int i = 0; i < ROUNDS; i++) {
        memset(out, 0x55, sizeof out);
        wrong_a += sample_run(&model_a, in_a, out) != SAMPLE_OK || memcmp(out, alone_a, sizeof out) != 0;
      }
      return unused;
    }

    static void *run_b(void *unused)
    {
      float out[PARALLEL_ROWS_OUTPUT_ELEMENTS];
      for (int i = 0; i < ROUNDS; i++) {
        memset(out, 0x55, sizeof out);
        wrong_b += parallel_rows_run(&model_b, in_b, out) != PARALLEL_ROWS_OK || memcmp(out, alone_b, sizeof out) != 0;
      }
      return unused;
    }

    int main(void)
    {
      pthread_t a, b;
      for (int i = 0; i < SAMPLE_INPUT_ELEMENTS; i++) in_a[i] = (float)i;
      for (int i = 0; i < PARALLEL_ROWS_INPUT_ELEMENTS; i++) in_b[i] = (float)(7 - i);
      if (sample_pool_create(&pool_a, 2) != 0 || parallel_rows_pool_create(&pool_b, 2) != 0) return 2;
      if (sample_init(&model_a, sample_weights, SAMPLE_WEIGHT_BYTES, &arena_a, sizeof arena_a, NULL) != SAMPLE_OK) return 3;
      if (parallel_rows_init(&model_b, parallel_rows_weights, PARALLEL_ROWS_WEIGHT_BYTES, &arena_b, sizeof arena_b, NULL) != 0)
        return 4;
      if (sample_run(&model_a, in_a, alone_a) != 0 || parallel_rows_run(&model_b, in_b, alone_b) != 0) return 5;
      const sample_parallel threads_a = sample_pool_parallel(&pool_a);
      const parallel_rows_parallel threads_b = parallel_rows_pool_parallel(&pool_b);
      if (sample_init(&model_a, sample_weights, SAMPLE_WEIGHT_BYTES, &arena_a, sizeof arena_a, &threads_a) != 0) return 6;
      if (parallel_rows_init(&model_b, parallel_rows_weights, PARALLEL_ROWS_WEIGHT_BYTES, &arena_b, sizeof arena_b, &threads_b))
        return 7;
      if (pthread_create(&a, NULL, run_a, NULL) != 0 || pthread_create(&b, NULL, run_b, NULL) != 0) return 8;
      pthread_join(a, NULL);
      pthread_join(b, NULL);
      sample_pool_destroy(&pool_a);
      parallel_rows_pool_destroy(&pool_b);
      printf("%d and %d wrong, %g %g %s\\n", wrong_a, wrong_b, (double)alone_a[1], (double)alone_b[0], sample_strerror(0));
      return wrong_a + wrong_b != 0;
    }
    """

  /// A compiler of C, the one of C++ beside it, and what the C is instrumented with.
  struct Build: CustomTestStringConvertible, Sendable {
    var c: String
    var cxx: String?
    var flags: [String] = []
    var testDescription: String { "\(c), \(cxx ?? "no C++"), \(flags.joined(separator: " "))" }
  }

  static let builds: [Build] = {
    let gxx = executable("/usr/bin/g++")
    var found = [Build(c: "gcc", cxx: nil), Build(c: "gcc", cxx: nil, flags: ["-fsanitize=thread", "-g"])]
    found.append(Build(c: "gcc", cxx: nil, flags: ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]))
    if let gxx { found.append(Build(c: "gcc", cxx: gxx)) }
    if let clang = Machine.clang, let cxx = executable(clang + "++") { found.append(Build(c: clang, cxx: cxx)) }
    return found
  }()

  private static func executable(_ path: String) -> String? {
    FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }

  private func libraries() throws -> [EmittedLibrary] {
    try [LibraryTests.sample(), LoopSuiteTests.program("parallel_rows.vil")].map {
      try library($0, .scalar, weightsForm: .array, threads: .pthread)
    }
  }

  @Test(arguments: builds)
  func twoModelsRunAtOnce(_ build: Build) async throws {
    let libraries = try libraries()
    try await withTemporaryDirectory { directory in
      for library in libraries { try library.write(to: directory) }
      let strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-I."] + build.flags
      let sources = libraries.flatMap(\.sources)
      try await Toolchain(cc: build.c).compile(
        ["-std=c99", "-O2", "-ffp-contract=off", "-c"] + strict + sources, in: directory)
      let objects = sources.map { $0.prefix { $0 != "." } + ".o" }
      let name = build.cxx == nil ? "main.c" : "main.cpp"
      try Self.main.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
      try await Toolchain(cc: build.cxx ?? build.c).compile(
        [build.cxx == nil ? "-std=gnu99" : "-std=c++17"] + strict + [name] + objects.map(String.init)
          + ["-o", "main", "-lm", "-pthread"],
        in: directory)
      let output = try await Toolchain.run("\(directory)/main", [], in: directory, seconds: 300)
      #expect(output.succeeded, "\(output.ending): \(output.standardOutput)\(output.standardError)")
      #expect(output.standardOutput.hasPrefix("0 and 0 wrong, ") && output.standardOutput.hasSuffix(" no error\n"))
    }
  }

  /// No symbol of one library is one of the other: what both define is static.
  @Test func symbolsDoNotClash() async throws {
    let libraries = try libraries()
    try await withTemporaryDirectory { directory in
      var seen: Set<Substring> = []
      for library in libraries {
        try library.write(to: directory)
        let archive = try await Toolchain(cc: "gcc").staticLibrary(library, in: directory)
        let text = try await Toolchain.run("nm", ["-g", "--defined-only", archive], in: directory, seconds: 300)
        let names = text.standardOutput.split(separator: "\n").compactMap { line -> Substring? in
          let words = line.split(separator: " ")
          return words.count == 3 ? words[2] : nil
        }
        #expect(names.count >= 8 && names.allSatisfy { $0.hasPrefix(library.options.prefix + "_") }, "\(names)")
        #expect(seen.isDisjoint(with: names), "\(names)")
        seen.formUnion(names)
      }
    }
  }
}
