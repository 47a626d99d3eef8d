import Foundation
import IR
import Testing

@testable import Codegen

/// Ways to execute C in these tests: a target, a compiler and flags.
struct Machine: CustomTestStringConvertible, Sendable {
  var target: Target
  var compiler: String
  var flags: [String] = []

  var testDescription: String { "\(target.name), \(compiler) \(flags.joined(separator: " "))" }

  static let clang = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/clang" }
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Every target, and one of another architecture, with GCC, and with Clang where there is one. Another architecture's has its
  /// cross compiler alone. Targets that this machine cannot run are left out.
  static let all: [Machine] = gcc.flatMap { machine in
    [machine] + (machine.isForeign ? [] : clang.map { [Machine(target: machine.target, compiler: $0)] } ?? [])
  }

  static let gcc: [Machine] = (Target.all + [.aarch64Scalar]).compactMap { target in
    switch target.execution() {
    case .native, .standIn: Machine(target: target, compiler: "gcc")
    case .emulator: Machine(target: target, compiler: target.architecture?.crossCompiler?.name ?? "cc")
    case .impossible: nil
    }
  }

  /// Whether an emulator runs the code: sanitizers do not work there.
  var isForeign: Bool { if case .emulator = target.execution() { true } else { false } }
}

extension Target {
  /// The scalar code as that of another architecture: what a target of its own gives the compiler, the check and the emulator,
  /// without vectors.
  static let aarch64Scalar = Target(
    name: "aarch64", summary: "64-bit Arm, one lane", machine: .processor(aarch64, features: [atomics]),
    launcher: .emulator(
      Launcher.Emulator(
        name: "qemu-aarch64", flags: ["-static"], packages: ["qemu-user"], arguments: { ["-cpu", "max", $0] + $1 })),
    lanes: 1, registers: 32, cache: Cache(l1: 32 << 10, l2: 256 << 10), fusesMultiplyAdd: true, compilerFlags: [],
    headers: Headers(["arm_neon.h"], functionPrefixes: ["vabs_", "vdup_n_", "vget_lane_"]), typeNames: scalar.typeNames,
    spellings: scalar.spellings.merging([
      "fma.f32": "fmaf({0}, {1}, {2})", "fma.f64": "fma({0}, {1}, {2})", "abs.f32": "vabss_f32({0})",
    ]) { $1 },
    helpers: scalar.helpers.merging([
      "vabss_f32": "static inline float vabss_f32(float a)\n{\n  return vget_lane_f32(vabs_f32(vdup_n_f32(a)), 0);\n}"
    ]) { $1 })

  private static let aarch64 = Architecture(
    names: ["aarch64", "arm64"], triple: "aarch64-linux-gnu",
    hostFeatures: { HostMachine.processorWords(ofLine: "Features") },
    question: Architecture.Question(
      condition: "defined(__linux__)", headers: ["sys/auxv.h"], functions: ["getauxval"]),
    crossCompiler: Architecture.CrossCompiler(
      name: "aarch64-linux-gnu-gcc", headers: "/usr/aarch64-linux-gnu/include",
      packages: ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]))

  private static let atomics = Architecture.Feature("atomics", test: "(getauxval(AT_HWCAP) & HWCAP_ATOMICS) != 0")
}

/// A deterministic stream of numbers.
struct Numbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 2 + 1 }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }

  mutating func real(_ range: ClosedRange<Double> = -4...4) -> Double {
    range.lowerBound + Double(next()) / Double(1 << 31) * (range.upperBound - range.lowerBound)
  }
}

/// Bytes for a buffer: reals of moderate size, integers in the buffer's range or else small.
func contents(of buffer: LoopBuffer, seed: UInt64) -> [UInt8] {
  var numbers = Numbers(seed: seed)
  var bytes: [UInt8] = []
  func append<T>(_ value: T) { withUnsafeBytes(of: value) { bytes += $0 } }
  for _ in 0..<buffer.count {
    let range = buffer.range ?? (buffer.element.integerRange ?? 0...0).clamped(to: -100...100)
    let integer = range.lowerBound + Int(numbers.next() % UInt64(range.count))
    let real = numbers.real()
    switch buffer.element {
    case .f32: append(Float(real))
    case .f64: append(real)
    case .f16: append(CLiteral.halfBits(Float(real)))
    case .bf16: append(UInt16(Float(real).bitPattern >> 16))
    case .i8: append(Int8(integer))
    case .u8, .bool: append(UInt8(integer))
    case .i16: append(Int16(integer))
    case .u16: append(UInt16(integer))
    case .i32: append(Int32(integer))
    case .u32: append(UInt32(integer))
    case .i64: append(Int64(integer))
    case .u64: append(UInt64(integer))
    }
  }
  return bytes
}

extension LoopProgram {
  /// The program with every weights buffer filled.
  func withRandomWeights() -> LoopProgram {
    var result = self
    for (number, buffer) in buffers.enumerated() where buffer.storage == .weights && constants[buffer.name] == nil {
      result.constants[buffer.name] = contents(of: buffer, seed: UInt64(1000 + number))
    }
    return result
  }

  func randomInputs(seed: UInt64 = 7) -> [String: [UInt8]] {
    var inputs: [String: [UInt8]] = [:]
    for (number, buffer) in buffers.enumerated() where buffer.storage == .input {
      inputs[buffer.name] = contents(of: buffer, seed: seed + UInt64(number))
    }
    return inputs
  }
}

/// The library of a test program.
func library(
  _ program: LoopProgram, _ target: Target, workers: Int = 2, weightsForm: LibraryOptions.WeightsForm = .blob,
  threads: LibraryOptions.Threads = .none
) throws -> EmittedLibrary {
  let shapes = { (storage: LoopBuffer.Storage) in
    program.buffers.filter { $0.storage == storage }.map { [$0.count] }
  }
  return try emitLibrary(
    program, plan: .disjoint(program, workers: workers), target: target,
    options: LibraryOptions(
      name: program.name, inputShapes: shapes(.input), outputShapes: shapes(.output), weightsDescription: "random",
      hasSyntheticWeights: true, weightsForm: weightsForm, threads: threads))
}

/// Runs `program` as C and in the interpreter, on the same inputs, and expects the same bytes.
func expectSameBytes(
  _ program: LoopProgram, on machine: Machine, inputs: [String: [UInt8]]? = nil, checks: Bool = false
) async throws {
  let program = program.withRandomWeights()
  let inputs = inputs ?? program.randomInputs()
  let expected = try LoopInterpreter(program: program, target: machine.target).run(inputs)
  let library = try library(program, machine.target)
  var options = CompiledModel.Options()
  options.flags = ["-Wall", "-Wextra"] + machine.flags
  options.optimisation = "-O2"
  let flat = program.buffers.filter { $0.storage == .input }.flatMap { inputs[$0.name] ?? [] }
  try await CompiledModel.with(library, toolchain: Toolchain(cc: machine.compiler), options: options) { model in
    let found = try await model.run(flat)
    var offset = 0
    for buffer in program.buffers where buffer.storage == .output {
      let own = Array(found[offset..<(offset + buffer.byteCount)])
      offset += buffer.byteCount
      if let wanted = expected[buffer.name], own != wanted {
        let size = buffer.element.byteCount
        let places = (0..<buffer.count).filter {
          own[($0 * size)..<($0 * size + size)] != wanted[($0 * size)..<($0 * size + size)]
        }
        Issue.record(
          "\(program.name).\(buffer.name) differs at \(places.prefix(10)) of \(buffer.count) (\(machine.testDescription))"
        )
      }
    }
    if checks {
      let held = try await model.check(flat, threads: 2)
      #expect(held.contains("guard pages behind"))
    }
  }
}
