import Foundation
import Testing

@testable import IR

/// The programs in Tests/Fixtures/faults, each of which was accepted once and must not be, or is right and must run right.
@Suite struct LoopTestsFaults {
  private static let folder = LoopFixtures.folder.deletingLastPathComponent().appending(path: "faults")

  private static func program(_ name: String) throws -> LoopProgram {
    let file = folder.appending(path: "\(name).vil")
    return try LoopProgram(parsing: String(contentsOf: file, encoding: .utf8), file: "\(name).vil")
  }

  /// A part of what is said of each.
  static let refused = [
    "b1_i64_add": "the value can be", "b2_i64_abs": "the value can be", "b3_u64_i64": "the value can be",
    "b7_i64_neg": "the value can be", "e1_unreachable_reg": "acc[100] may not exist",
    "e2_bigmul": "may leave 32 bits", "l2_lanemask_load": "may leave 32 bits",
    "n1_uninit_ranged": "t may be read before it is written",
    "n3_uninit_weights": "weights t declare a range, and there are no contents to look at",
    "o1_div_overflow": "may leave 32 bits", "o2_mod_2p41": "may leave 32 bits", "o4_bigstep": "may leave 32 bits",
    "r1_seen_equal": "may both write y[0]",
    "r3_seen_readwrite": "may write t[0] where another reads t[0]",
    "r4_seen_else": "may both write y[0]",
    "r5_scratch_outside": "s may be read before it is written",
    "r6_scratch_index": "s may be read before it is written", "u1_unknown_atoms": "may leave 32 bits",
  ]

  static let accepted = ["b5_u64_index", "b8_bool_index", "b9_bool_gather", "e3_unreach_oob"]

  @Test func everyFileHasAnAnswer() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path()).filter { $0.hasSuffix(".vil") }
    #expect(files.map { String($0.dropLast(4)) }.sorted() == (Self.refused.keys + Self.accepted).sorted())
  }

  @Test(arguments: refused.keys.sorted()) func refuses(_ name: String) throws {
    let error = #expect(throws: DiagnosticList.self) {
      try Self.program(name).verify(target: LoopFixtures.target())
    }
    let message = error?.description ?? ""
    #expect(message.contains(Self.refused[name] ?? "?"), "\(name): \(message)")
  }

  /// Every byte that a caller may pass for a bool, and the ends of 64 bits, lead to elements that are there.
  @Test(arguments: accepted) func runsRight(_ name: String) throws {
    let program = try Self.program(name)
    try program.verify(target: LoopFixtures.target())
    let interpreter = try LoopInterpreter(program: program, target: LoopFixtures.target())
    let count = try #require(program.buffers.first { $0.name == "a" }).count
    let table = (0..<count).flatMap { withUnsafeBytes(of: Float($0).bitPattern, Array.init) }
    func floats(_ inputs: [String: [UInt8]]) throws -> [Float] {
      let bytes = try #require(try interpreter.run(inputs)["y"])
      return stride(from: 0, to: bytes.count, by: 4).map { place in
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) })
      }
    }
    switch name {
    case "b5_u64_index":
      for (number, place) in [(UInt64(0), 3), (7, 7), (9, 9), (10, 9), (1 << 63, 9), (.max, 9)] as [(UInt64, Float)] {
        #expect(try floats(["a": table, "n": withUnsafeBytes(of: number, Array.init)]) == [place], "\(number)")
      }
    case "b8_bool_index":
      for byte in UInt8.min...UInt8.max { #expect(try floats(["a": table, "n": [byte]]) == [byte == 0 ? 0 : 1]) }
    case "b9_bool_gather":
      let bytes: [UInt8] = [0, 1, 2, 127, 128, 255, 0, 77]
      #expect(try floats(["a": table, "n": bytes]) == bytes.map { $0 == 0 ? 0 : 1 })
    default: #expect(try floats(["a": table]) == [0, 1, 2, 3])
    }
  }
}
