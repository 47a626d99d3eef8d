import IR
import Testing

@testable import Codegen

/// Where weights lie in the blob, and what its id stands for.
@Suite struct WeightsLayoutTests {
  private func layout(
    _ counts: [Int] = [5, 7, 40], alignments: [Int] = [64, 128, 64], first byte: UInt8 = 0, target: Target = .scalar
  ) throws -> WeightsLayout {
    var buffers = [LoopBuffer("y", .output, .f32, count: 1)]
    var constants: [String: [UInt8]] = [:]
    for (place, count) in counts.enumerated() {
      let buffer = LoopBuffer("w\(place)", .weights, .f32, count: count, alignment: alignments[place])
      buffers.append(buffer)
      constants[buffer.name] = (0..<buffer.byteCount).map { UInt8(truncatingIfNeeded: $0 * 31 + place) }
    }
    constants["w0"]?[0] = byte
    let program = LoopProgram(name: "w", buffers: buffers, entry: [], constants: constants)
    return try WeightsLayout(program, target: target)
  }

  @Test func buffersAreAlignedAndApart() throws {
    let found = try layout()
    #expect(found.offsets == ["w0": 64, "w1": 128, "w2": 192])
    #expect(found.byteCount == 192 + 192 && found.blob.count == found.byteCount)
    #expect(Array(found.blob[128..<156]) == (0..<28).map { UInt8(truncatingIfNeeded: $0 * 31 + 1) })
    #expect(try layout(alignments: [64, 64, 256]).offsets["w2"] == 256)
  }

  @Test func theHeaderIsAsWritten() throws {
    let blob = try layout().blob
    #expect(Array(blob[0..<8]) == Array("VIGCWTS".utf8) + [0])
    #expect(Array(blob[8..<16]) == [1, 0, 0, 0, 4, 3, 2, 1])
    #expect(Array(blob[16..<32]) == Array("scalar".utf8) + [UInt8](repeating: 0, count: 10))
    #expect(Array(blob[32..<40]) == [1, 0, 0, 0, 0, 0, 0, 0])
    #expect(Array(blob[48..<64]) == [0x80, 1, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
  }

  /// A library refuses weights made for another: other numbers, the same numbers in other places, another target.
  @Test func theIdNamesContentsLayoutAndTarget() throws {
    let ids = try [
      layout(), layout(first: 1), layout([7, 5, 40]), layout([5, 7, 33]), layout(alignments: [64, 64, 256]),
      layout(target: .avx2),
    ].map(\.id)
    #expect(Set(ids).count == ids.count)
    #expect(try layout().id == ids[0])
    #expect(try layout([5, 7, 40]).seed != layout([5, 7, 39]).seed)
  }

  @Test func missingContentsAreDiagnosed() throws {
    let buffers = [LoopBuffer("w", .weights, .f32, count: 2), LoopBuffer("y", .output, .f32, count: 1)]
    func message(_ constants: [String: [UInt8]]) -> String? {
      let program = LoopProgram(name: "w", buffers: buffers, entry: [], constants: constants)
      return #expect(throws: Diagnostic.self) { _ = try WeightsLayout(program, target: .scalar) }?.message
    }
    #expect(message([:]) == "the weights buffer w has no contents")
    #expect(message(["w": [1, 2, 3]]) == "the weights buffer w takes 8 bytes, its contents have 3")
  }
}
