import IR
import Testing

@testable import Codegen

/// Layers and parallel loops become C functions of their own, and take along whatever they use from around them.
@Suite struct OutliningTests {
  private func expectSameBytes(_ name: String, _ body: String, _ machine: Machine) async throws {
    let text = """
      program \(name) {
        buffer input x: f32[96]
        buffer weights w: f32[40]
        buffer weights v: f32[24]
        buffer arena t: f32[96]
        buffer scratch s: f32[24]
        buffer output y: f32[96]
        entry {
          for i in 0 ..< 96 { store y[i] = const f32 0 }
          \(body)
        }
      }
      """
    let program = try LoopProgram(parsing: text, file: "\(name).vil")
    try program.verify(target: machine.target)
    try await CodegenTests.expectSameBytes(program, on: machine, checks: true)
  }

  @Test(arguments: Machine.gcc)
  func tasksCoverTheLastRound(_ machine: Machine) async throws {
    try await expectSameBytes(
      "rounds",
      """
      for i in 0 ..< 20 step 8 parallel { store y[i] = load f32x4 x[i + 4] }
      for i in 33 ..< 41 step 3 parallel { store y[i] = load f32 x[i] }
      for k in 0 ..< 3 { for i in 50 + k ..< 54 parallel { store y[i] = add(load f32 y[i], load f32 x[i + k]) } }
      for k in 0 ..< 3 { for i in 60 + k ..< 61 parallel { store y[i] = load f32 x[i] } }
      """, machine)
  }

  @Test(arguments: Machine.gcc)
  func tasksKnowTheirRoundsRange(_ machine: Machine) async throws {
    try await expectSameBytes(
      "ranges",
      """
      for i in 0 ..< 9 parallel { store y[i] = load f32 x[mod(i, 8)] }
      for i in 3 ..< 11 parallel { store y[i + 20] = load f32 x[mod(i - 5, 4)] }
      for i in 0 ..< 8 parallel { store y[i + 40] = load f32 x[div(i * 2 + 1, 15)] }
      """, machine)
  }

  @Test(arguments: Machine.gcc)
  func valuesAndIndicesGoAlong(_ machine: Machine) async throws {
    try await expectSameBytes(
      "values",
      """
      for k in 0 ..< 2 {
        let a: f32x16 = load f32x16 x[k * 16]
        let keep: maskx16 = gt(a, const f32x16 0)
        let n: index 0..3 = min(max(saturate i32 load f32 x[k], const i32 0), const i32 3)
        for i in 0 ..< 2 parallel {
          store y[k * 48 + i * 16] mask keep = mul(a, splat 16 load f32 w[i + n])
        }
        layer "own \\(k)" {
          store y[k * 48 + 32] mask keep = add(a, load f32x16 v[k * 4 + n])
        }
      }
      for k in 0 ..< 2 unrolled {
        layer "unrolled" { store y[47 + k * 48] = load f32 w[k + 38] }
        for i in 0 ..< 3 parallel { store y[k * 48 + i] = add(load f32 y[k * 48 + i], load f32 v[i + k * 21]) }
      }
      """.replacing(" \\(k)", with: ""), machine)
  }

  /// A parallel loop writes through the scratch of the worker that runs the round, and no two workers' scratch share a byte.
  @Test func workersShareNoScratch() async throws {
    let library = try library(LibraryTests.sample(), .scalar, workers: 3, weightsForm: .array)
    let main = """
      #include <stdio.h>
      #include <string.h>
      #include "sample.h"
      static SAMPLE_DEFINE_ARENA(arena);
      static unsigned char before[SAMPLE_ARENA_BYTES], owner[SAMPLE_ARENA_BYTES];
      static int shared, own[3];
      static void one_by_one(void *c, int n, void (*fn)(void *, int, int), void *a) {
        (void)c;
        for (int task = 0; task < n; task++) {
          const int worker = task % 3;
          memcpy(before, &arena, sizeof before);
          fn(a, task, worker);
          for (size_t i = 0; i < sizeof before; i++)
            if (before[i] != ((unsigned char *)&arena)[i]) {
              if (owner[i] != 0 && owner[i] != worker + 1) shared++;
              owner[i] = (unsigned char)(worker + 1);
              own[worker]++;
            }
        }
      }
      int main(void) {
        sample_t m;
        float x[24], y[24];
        sample_parallel threads = {one_by_one, NULL, 3};
        for (int i = 0; i < 24; i++) x[i] = (float)(i + 1);
        if (sample_init(&m, sample_weights, SAMPLE_WEIGHT_BYTES, &arena, sizeof arena, &threads) != 0) return 1;
        if (sample_run(&m, x, y) != 0) return 2;
        printf("%d shared, every worker has its own: %d\\n", shared, own[0] > 24 && own[1] > 24 && own[2] > 24);
        return 0;
      }
      """
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      try main.write(toFile: "\(directory)/main.c", atomically: true, encoding: .utf8)
      try await Toolchain(cc: "gcc").compile(
        ["-std=c99", "-O1", "-ffp-contract=off", "-I."] + library.sources + ["main.c", "-o", "main", "-lm"],
        in: directory)
      let output = try await Toolchain.run("\(directory)/main", [], in: directory, seconds: 60)
      #expect(output.standardOutput == "0 shared, every worker has its own: 1\n", "\(output.standardError)")
    }
  }
}
