import IR
import Testing

@testable import Codegen

/// Which targets a machine can run and how, on machines that this one is not.
@Suite struct ExecutionTests {
  private func missing(_ target: Target, _ host: HostMachine) -> [String]? {
    if case .impossible(let lines) = target.execution(on: host) { lines } else { nil }
  }

  private let old = HostMachine(architecture: "x86_64", features: ["sse2"], path: [])
  private let middle = HostMachine(architecture: "x86_64", features: ["avx2", "fma", "f16c"], path: [])
  private let arm = HostMachine(architecture: "aarch64", features: [], path: [])

  @Test func portableCodeRunsEverywhere() {
    for host in [old, middle, arm] {
      if case .native = Target.scalar.execution(on: host) {} else { Issue.record("scalar does not run on \(host)") }
    }
  }

  @Test func featuresDecideWithinAnArchitecture() {
    #expect(missing(.avx2, old) == ["its CPU lacks avx2, fma, f16c", "and nothing emulates avx2"])
    #expect(missing(.avx2, middle) == nil)
    #expect(Target.avx512.execution(on: middle).substitute == "an emulation on AVX2")
    #expect(missing(.avx512, old)?.last == "an emulation on AVX2 needs avx2, fma, f16c")
    #expect(Target.native(on: old).name == "scalar")
    #expect(Target.native(on: middle).name == "avx2")
  }

  @Test func noFeatureMakesAnotherArchitectureRunnable() {
    var plain = Target.aarch64Scalar
    if let architecture = plain.architecture { plain.machine = .processor(architecture, features: []) }
    plain.launcher = nil
    #expect(missing(plain, middle) == ["it is a x86_64", "and nothing emulates aarch64"])
    #expect(missing(plain, arm) == nil)
    #expect(missing(.avx2, arm)?.first == "it is a aarch64")
    #expect(Target.native(on: arm).name == "scalar")
  }

  @Test func saysWhatToInstall() {
    #expect(
      missing(.aarch64Scalar, middle) == [
        "it is a x86_64",
        "there is no aarch64-linux-gnu-gcc: install gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        "there is no qemu-aarch64: install qemu-user",
      ])
  }

  @Test func missingLauncherIsADiagnostic() async throws {
    var options = CompiledModel.Options()
    options.execution = Target.aarch64Scalar.execution(on: middle)
    let library = try library(LibraryTests.sample(), .aarch64Scalar)
    let error = await #expect(throws: Diagnostic.self) {
      try await CompiledModel.with(library, options: options) { _ in }
    }
    #expect(error?.message == "this machine cannot run code for aarch64")
    #expect(error?.notes.last == "there is no qemu-aarch64: install qemu-user")
  }

  /// A program that hangs ends with its limit, and what it started ends with it.
  @Test func hangingProgramIsADiagnostic() async throws {
    var options = CompiledModel.Options()
    options.runner = ["sh", "-c", "trap '' TERM; echo lost >&2; sleep 600 & wait; sleep 600"]
    options.limit = 2
    let program = LibraryTests.sample()
    let error = await #expect(throws: Diagnostic.self) {
      try await CompiledModel.with(library(program, .scalar), options: options) { model in
        let start = ContinuousClock.now
        defer { #expect(ContinuousClock.now - start < .seconds(200)) }
        _ = try await model.check(program.randomInputs()["x"] ?? [], threads: 2)
      }
    }
    #expect(error?.message == "the compiled model did not end in 2 s")
  }

  @Test func checkSaysWhichHeadersAreMissing() throws {
    var target = Target.aarch64Scalar
    if var architecture = target.architecture {
      architecture.crossCompiler?.headers = "/nowhere"
      target.machine = .processor(architecture, features: target.features)
    }
    let error = #expect(throws: Diagnostic.self) {
      try checkC("f.c", in: "/tmp", target: target, api: [], host: middle)
    }
    #expect(error?.message == "the C for aarch64 cannot be checked: there are no C headers in /nowhere")
  }

  @Test func asksTheProcessorInItsOwnWords() throws {
    let text = try library(LibraryTests.sample(), .aarch64Scalar).text(of: "sample.c") ?? ""
    #expect(text.contains("#if defined(__linux__) && !defined(VIGC_ASSUME_CPU)\n#include <sys/auxv.h>\n#endif\n"))
    #expect(text.contains("  return (getauxval(AT_HWCAP) & HWCAP_ATOMICS) != 0;\n#else\n  return 1;\n#endif"))
    let portable = try library(LibraryTests.sample(), .scalar).text(of: "sample.c") ?? ""
    #expect(!portable.contains("VIGC_ASSUME_CPU"))
  }
}
