import IR
import Testing

@testable import Codegen

/// Addresses and loop variables in C mean what they mean in the loop language: `div` and `mod` floor, and what is
/// simplified because of a range is simplified only where the range says so.
@Suite struct IndexTests {
  /// Stores each index for every (i, j) of 0 ..< 9 x 0 ..< 5, and expects the interpreter's numbers.
  private func expectSameNumbers(_ indices: [String], _ name: String) async throws {
    let stores = indices.enumerated().map { place, index in
      "store y[(i * 5 + j) * \(indices.count) + \(place)] = index i32 \(index)"
    }
    let text = """
      program \(name) {
        buffer output y: i32[\(45 * indices.count)]
        entry { for i in 0 ..< 9 { for j in 0 ..< 5 { \(stores.joined(separator: "\n")) } } }
      }
      """
    let program = try LoopProgram(parsing: text, file: "\(name).vil")
    try await expectSameBytes(program, on: Machine(target: .scalar, compiler: "gcc"))
  }

  @Test func divisionFloors() async throws {
    try await expectSameNumbers(
      ["div(i, 4)", "div(i - 1, 4)", "div(i - j, 3)", "div(3 - i * 2, 4)", "div(j - 4, 2)", "div(i * 3 - 13, 5) * 2"],
      "division")
  }

  @Test func remaindersAreNotNegative() async throws {
    try await expectSameNumbers(
      [
        "mod(i, 8)", "mod(i, 9)", "mod(i, 10)", "mod(i - 1, 4)", "mod(i - j, 3)", "mod(j - 1, 5)", "mod(4 - j, 5)",
        "mod(j + 1, 5)", "mod(4 - i * 3, 7)", "mod(div(i, 2), 4)", "mod(div(i, 2), 5)",
      ], "remainders")
  }

  @Test func minimaAndMaximaAreChosenByRange() async throws {
    try await expectSameNumbers(
      [
        "min(i, 8)", "min(i, 7)", "min(i, 0)", "min(j, i + 4)", "min(j, i + 3)", "max(i, 0)", "max(i, 1)", "max(i, 8)",
        "max(j, i - 4)", "max(j - 4, i)", "max(j, i)", "min(max(i - j, 0), 3)", "div(min(i - 4, j), 2)",
        "mod(max(i - 6, j - 4), 3)",
      ], "extremes")
  }

  @Test func termsCancelAndKeepTheirSigns() async throws {
    try await expectSameNumbers(
      ["i - j", "0 - i - j", "3 - i", "i - (i - j)", "(i + 2) * 3 - j * 2", "i * 2 - i - i", "(j - i) * 4 - 1"], "terms"
    )
  }

  /// A loop's variable reaches from the least its bounds can be to the most.
  @Test func rangesOfLoopsFollowFromTheirBounds() async throws {
    let text = """
      program bounds {
        buffer output y: i32[80]
        entry {
          for i in 0 ..< 80 { store y[i] = const i32 0 }
          for j in 0 ..< 5 {
            for k in j - 4 ..< j { store y[(k - j + 4) * 5 + j] = index i32 mod(k, 3) }
            for k in 0 - j ..< 4 - j { store y[(k + j) * 5 + j + 20] = index i32 div(k, 3) }
            for k in j * -1 ..< 4 - j { store y[(k + j) * 5 + j + 40] = index i32 mod(k, 8) }
            for k in min(j - 2, 1) ..< 2 { store y[max(k + 2, 0) * 5 + j + 60] = index i32 div(k * 2, 3) }
            for k in 2 ..< min(j - 2, 1) + 4 { store y[(4 - k) * 5 + j + 60] = index i32 mod(k - 2, 3) }
          }
        }
      }
      """
    let program = try LoopProgram(parsing: text, file: "bounds.vil")
    try await expectSameBytes(program, on: Machine(target: .scalar, compiler: "gcc"))
  }

  /// Comparisons that are decided while a loop is unrolled.
  @Test func decidedComparisons() async throws {
    let relations = ["<", "<=", "==", ">=", ">"]
    let tests = relations.enumerated().map { place, relation in
      "if k \(relation) 2 { store y[k * 5 + \(place)] = const i32 1 } else { store y[k * 5 + \(place)] = const i32 2 }"
    }
    let text = """
      program decided {
        buffer output y: i32[30]
        entry { for k in 0 ..< 5 unrolled { \(tests.joined(separator: "\n")) }
          for k in 0 ..< 5 unrolled {
            if k >= 1 and k < 4 { store y[25 + k] = const i32 3 } else { store y[25 + k] = const i32 4 }
          }
        }
      }
      """
    let program = try LoopProgram(parsing: text, file: "decided.vil")
    try await expectSameBytes(program, on: Machine(target: .scalar, compiler: "gcc"))
  }
}
