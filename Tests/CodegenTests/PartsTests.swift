import IR
import Testing

@testable import Codegen

/// A vector that takes several C values is emitted part by part, and must still mean one value: nothing of it is stored
/// before all of it is computed.
@Suite struct PartsTests {
  /// The program with these statements in its entry, on every target that GCC compiles for: the interpreter's bytes.
  private func expectSameBytes(_ name: String, _ entry: String, _ machine: Machine) async throws {
    let text = """
      program \(name) {
        buffer input x: f32[128]
        buffer input k: i32[64] range 0..40
        buffer arena t: f32[128]
        buffer output y: f32[128]
        entry {
          for i in 0 ..< 128 { store t[i] = load f32 x[i] }
          \(entry)
          for i in 0 ..< 128 { store y[i] = load f32 t[i] }
        }
      }
      """
    let program = try LoopProgram(parsing: text.replacing(" range 0..40", with: ""), file: "\(name).vil")
    var inputs = program.randomInputs()
    inputs["k"] = (0..<64).map { Int32(($0 * 7 + 3) % 41) }.withUnsafeBytes { Array($0) }
    try await CodegenTests.expectSameBytes(program, on: machine, inputs: inputs)
  }

  @Test(arguments: Machine.gcc, [8, 16, 32, 64])
  func aStoreDoesNotSeeItsOwnFirstPart(_ machine: Machine, _ lanes: Int) async throws {
    let type = "f32x\(lanes)"
    try await expectSameBytes(
      "shifted_\(lanes)",
      """
      store t[1] = load \(type) t[0]
      store t[3] = mul(load \(type) t[2], const \(type) 2)
      let keep: maskx\(lanes) = gt(load \(type) x[0], const \(type) 0)
      store t[9] mask keep = load \(type) t[8] mask keep
      """, machine)
  }

  @Test(arguments: Machine.gcc, [8, 16, 32])
  func aStoreDoesNotSeeItsOwnFirstPartByGathering(_ machine: Machine, _ lanes: Int) async throws {
    let type = "f32x\(lanes)"
    try await expectSameBytes(
      "gathered_\(lanes)",
      """
      let at: i32x\(lanes) = and(load i32x\(lanes) k[0], const i32x\(lanes) 63)
      store t[0] = gather \(type) t[at]
      """, machine)
  }

  @Test(arguments: Machine.gcc, [8, 16, 32, 64])
  func aRegisterIsReadWholeBeforeItIsAssigned(_ machine: Machine, _ lanes: Int) async throws {
    let type = "f32x\(lanes)"
    let mirror = (0..<lanes).reversed().map(String.init).joined(separator: ", ")
    let turn = (0..<lanes).map { String(($0 + lanes - 1) % lanes) }.joined(separator: ", ")
    try await expectSameBytes(
      "crossed_\(lanes)",
      """
      var v: \(type) = load \(type) x[0]
      v = shuffle [\(mirror)](v)
      store t[0] = v
      v = add(v, shuffle [\(turn)](v))
      store t[64] = v
      v = compress(gt(v, const \(type) 0), v)
      store t[0] = add(v, load \(type) t[0])
      v = permute(v, load i32x\(lanes) k[0])
      v = add(v, splat \(lanes) reduce max v)
      store t[64] = v
      """, machine)
  }

  /// One element of a register array out of another, and out of itself.
  @Test(arguments: Machine.gcc, [16, 32])
  func anElementIsReadWholeBeforeItIsAssigned(_ machine: Machine, _ lanes: Int) async throws {
    let type = "f32x\(lanes)"
    let mirror = (0..<lanes).reversed().map(String.init).joined(separator: ", ")
    try await expectSameBytes(
      "elements_\(lanes)",
      """
      var r: \(type)[3] = load \(type) x[0]
      for n in 0 ..< 3 unrolled { r[n] = shuffle [\(mirror)](r[n]) }
      for n in 0 ..< 3 { r[n] = add(r[n], shuffle [\(mirror)](r[2 - n])) }
      store t[0] = r[0]
      store t[32] = r[1]
      store t[64] = r[2]
      """, machine)
  }

  /// A target may have one operation for limits of one size; other limits are two.
  @Test(arguments: Machine.gcc, [1, 8, 16, 32])
  func limitsNeedNotBeOpposite(_ machine: Machine, _ lanes: Int) async throws {
    let type = lanes == 1 ? "f32" : "f32x\(lanes)"
    try await expectSameBytes(
      "limits_\(lanes)",
      """
      store t[0] = max(min(load \(type) x[0], const \(type) 2), const \(type) -2)
      store t[32] = max(min(load \(type) x[0], const \(type) 2), const \(type) -1)
      store t[64] = max(min(load \(type) x[0], const \(type) 1), const \(type) -2)
      """, machine)
  }
}
