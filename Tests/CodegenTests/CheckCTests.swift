import Foundation
import IR
import Testing

@testable import Codegen

@Suite struct CheckCTests {
  private func findings(_ text: String, target: Target = .scalar) async throws -> [String] {
    try await withTemporaryDirectory { directory in
      try (text + "\n").write(toFile: "\(directory)/f.c", atomically: true, encoding: .utf8)
      return try checkC("f.c", in: directory, target: target, api: ["api"]).map(\.description)
    }
  }

  @Test func acceptsWhatWeEmit() async throws {
    let found = try await findings(
      """
      #include <string.h>
      static const int table[2] = {1, 2};
      static int twice(int x) { return 2 * x + table[0]; }
      int api(int *p);
      int api(int *p) { memcpy(p, table, sizeof table); return twice(*p); }
      """)
    #expect(found == [], "\(found)")
  }

  @Test(arguments: [
    ("int api(int n); int api(int n) { int a[n]; a[0] = n; return a[0]; }", "variable-length array"),
    (
      "static int f(int n) { return n > 0 ? f(n - 1) : 0; }\nint api(int n); int api(int n) { return f(n); }",
      "call itself"
    ),
    ("static int state; int api(void); int api(void) { return state++; }", "outlives a call"),
    ("int api(void); int api(void) { static int n; return n++; }", "outlives a call"),
    ("int other(void); int other(void) { return 1; }", "not part of the API"),
    ("#include <stdlib.h>\nvoid *api(void); void *api(void) { return malloc(4); }", "malloc is called"),
    ("#include <stdio.h>\nint api(void); int api(void) { return printf(\"x\"); }", "printf is called"),
    ("int api(int x); int api(int x) { return 1; }", "unused parameter"),
    ("int api(void); int api(void) { return y; }", "undeclared identifier"),
  ])
  func refuses(_ text: String, _ why: String) async throws {
    let found = try await findings(text)
    #expect(found.contains { $0.contains(why) }, "\(found)")
  }

  @Test(arguments: LoopSuiteTests.files, Machine.gcc.map(\.target))
  func loopSuiteKeepsThePromises(_ file: String, _ target: Target) async throws {
    var target = target
    target.instructions["dot4_i8"] = dot4
    let library = try library(LoopSuiteTests.program(file), target)
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      #expect(try library.checkC(in: directory).map(\.description) == [])
    }
  }
}
