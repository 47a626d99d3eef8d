// Where the arena and scratch buffers of a program live in the one arena its caller provides. All numbers are bytes.
//
//   | arena buffers, by offset ............ | scratch of worker 0 | scratch of worker 1 | ... |
//   0                                       scratchBase           + scratchBytes

/// Buffers that one step of the entry names never have common bytes: the emitter's `restrict` depends on it.
public struct MemoryPlan: Hashable, Sendable {
  /// Offsets of arena buffers from the arena's start, and of scratch buffers from the start of their worker's region.
  public var offsets: [String: Int]
  /// Where worker 0's scratch region starts.
  public var scratchBase: Int
  /// One worker's scratch region; a multiple of the alignment.
  public var scratchBytes: Int
  /// Workers the arena has scratch for: the most a caller may bring.
  public var workers: Int
  /// The alignment of the arena's start.
  public var alignment: Int
  /// The most bytes of arena buffers that are live at once, alignment included: no plan needs less.
  public var peakLivenessBytes: Int

  /// Everything the caller must provide.
  public var arenaBytes: Int { scratchBase + scratchBytes * workers }

  public init(
    offsets: [String: Int], scratchBase: Int, scratchBytes: Int, workers: Int, alignment: Int = 64,
    peakLivenessBytes: Int
  ) {
    self.offsets = offsets
    self.scratchBase = scratchBase
    self.scratchBytes = scratchBytes
    self.workers = workers
    self.alignment = alignment
    self.peakLivenessBytes = peakLivenessBytes
  }

  /// Every buffer in a place of its own: right for any program, and larger than it has to be.
  public static func disjoint(_ program: LoopProgram, workers: Int = 1) -> MemoryPlan {
    var offsets: [String: Int] = [:]
    var arena = 0
    var scratch = 0
    for buffer in program.buffers {
      switch buffer.storage {
      case .arena:
        arena = roundUp(arena, toMultipleOf: max(buffer.alignment, 1))
        offsets[buffer.name] = arena
        arena += buffer.byteCount
      case .scratch:
        scratch = roundUp(scratch, toMultipleOf: max(buffer.alignment, 1))
        offsets[buffer.name] = scratch
        scratch += buffer.byteCount
      case .input, .output, .weights: break
      }
    }
    let base = roundUp(arena, toMultipleOf: 64)
    return MemoryPlan(
      offsets: offsets, scratchBase: base, scratchBytes: roundUp(scratch, toMultipleOf: 64), workers: workers,
      peakLivenessBytes: base)
  }
}
