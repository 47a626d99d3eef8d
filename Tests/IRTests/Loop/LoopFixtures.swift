import Foundation

@testable import IR

/// The programs in `Tests/Fixtures/loops`, and machines to run them on.
enum LoopFixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/loops")

  static let names = [
    "early_stop", "gated_roll", "int8_dot", "inverted_residual_banded", "parallel_rows", "product_14x2", "ragged",
    "top_k_streamed", "value_functions",
  ]

  static func text(_ name: String) throws -> String {
    try String(contentsOf: folder.appending(path: "\(name).vil"), encoding: .utf8)
  }

  static func program(_ name: String) throws -> LoopProgram {
    try LoopProgram(parsing: try text(name), file: "\(name).vil")
  }

  /// A machine with vectors of 16, an FMA unless told, and a four-way int8 dot product.
  static func target(fuses: Bool = true) -> Target {
    let bytes = LoopType(.i8, lanes: 32)
    var sum = LoopValue.variable("a0")
    for part in 0..<4 {
      let lanes = (0..<8).map { 4 * $0 + part }
      let wide = { (name: String) in
        LoopValue.convert(.shuffle(.variable(name), nil, lanes), LoopType(.i32, lanes: 8), saturating: false)
      }
      sum = .binary(.add, sum, .binary(.multiply, wide("a1"), wide("a2")))
    }
    return Target(
      name: "test", summary: "for tests", machine: .portable, lanes: 16, registers: 32,
      cache: .init(l1: 32768, l2: 1 << 20),
      fusesMultiplyAdd: fuses, compilerFlags: [],
      instructions: [
        "dot4_i8": .init(
          spelling: "dot4({0}, {1}, {2})", operands: [LoopType(.i32, lanes: 8), bytes, bytes],
          result: LoopType(.i32, lanes: 8), semantics: sum)
      ])
  }
}

/// Numbers that look random and are the same every time.
struct TestNumbers {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func integer(in range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  /// In -1...1, multiples of 2^-12.
  mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float(integer(in: -4096...4096)) / 4096 }
  }
}

extension [Float] {
  var bytes: [UInt8] { withUnsafeBytes(Array<UInt8>.init) }
}

extension [UInt8] {
  func values<T: BitwiseCopyable>(_ type: T.Type) -> [T] {
    withUnsafeBytes { raw in
      (0..<raw.count / MemoryLayout<T>.size).map {
        raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
      }
    }
  }
}
