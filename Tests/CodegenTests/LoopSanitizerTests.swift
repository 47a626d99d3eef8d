import Foundation
import IR
import Testing

@testable import Codegen

/// The loop language's suite under programs that look at the C. Long, so `Scripts/sanitize` asks for it, by VIGC_SANITIZE;
/// `LibraryTests` does the address sanitizer each time.
@Suite(
  .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["VIGC_SANITIZE"] != nil, "Scripts/sanitize runs these"))
struct LoopSanitizerTests {
  /// What looks, and the targets it is for.
  enum Look: String, CaseIterable, Sendable {
    case address, thread, analyzer, valgrind

    var flags: [String] {
      switch self {
      case .address: ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
      case .thread: ["-fsanitize=thread", "-g"]
      case .analyzer: ["-fanalyzer", "-Werror"]
      case .valgrind: ["-g"]
      }
    }

    /// Valgrind does not know every vector.
    func takes(_ target: Target) -> Bool {
      self != .valgrind || (target.name == "scalar" && HostMachine.current.has(program: "valgrind"))
    }
  }

  @Test(arguments: LoopSuiteTests.files, Look.allCases)
  func isClean(_ file: String, _ look: Look) async throws {
    for target in [Target.scalar, Target.native()] where look.takes(target) {
      var target = target
      target.instructions["dot4_i8"] = dot4
      let program = try LoopSuiteTests.program(file)
      let library = try library(program, target)
      let input = program.buffers.filter { $0.storage == .input }.flatMap { program.randomInputs()[$0.name] ?? [] }
      if look == .analyzer {
        try await withTemporaryDirectory { directory in
          try library.write(to: directory)
          try await Toolchain(cc: "gcc").compile(
            Toolchain.buildFlags(for: target) + look.flags + ["-I.", "-c"] + library.sources, in: directory)
        }
      } else {
        var options = CompiledModel.Options()
        options.flags = look.flags
        if look == .valgrind { options.runner = ["valgrind", "--quiet", "--error-exitcode=99"] }
        try await CompiledModel.with(library, toolchain: Toolchain(cc: "gcc"), options: options) { model in
          let held = try await model.check(input, threads: 2)
          #expect(held.contains("callers at once"))
        }
      }
      print("looked: \(file) for \(target.name), \(look.rawValue)")
    }
  }
}
