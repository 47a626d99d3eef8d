import IR

/// Places every arena and scratch buffer of a program in the one arena its caller provides.
///
/// In: a program whose entry is a list of steps. Out: offsets such that two buffers overlap only if no step needs both.
/// A buffer lives from the first step that names it to the last. Buffers are placed one by one at the lowest offset that
/// is free for their whole life; what is searched for is the order.
public enum PlanMemory {
  private struct Block {
    var name: String
    var bytes: Int
    var first: Int
    var last: Int
  }

  /// - Parameter workers: how many workers the caller may bring; each gets its own scratch.
  public static func plan(_ program: LoopProgram, workers: Int) -> MemoryPlan {
    let alignment = 64
    let lives = lifetimes(program.entry)
    func blocks(_ storage: LoopBuffer.Storage) -> [Block] {
      program.buffers.filter { $0.storage == storage }.compactMap { buffer in
        guard let life = lives[buffer.name] else { return nil }
        let bytes = roundUp(buffer.byteCount, toMultipleOf: max(alignment, buffer.alignment))
        return Block(name: buffer.name, bytes: bytes, first: life.lowerBound, last: life.upperBound)
      }
    }
    let arena = blocks(.arena)
    let (arenaOffsets, arenaBytes) = place(arena)
    let (scratchOffsets, scratchBytes) = place(blocks(.scratch))
    return MemoryPlan(
      offsets: arenaOffsets.merging(scratchOffsets) { first, _ in first }, scratchBase: arenaBytes,
      scratchBytes: scratchBytes, workers: workers, alignment: alignment, peakLivenessBytes: peak(arena))
  }

  /// The first and last step that names each buffer.
  private static func lifetimes(_ entry: [LoopStatement]) -> [String: ClosedRange<Int>] {
    var lives: [String: ClosedRange<Int>] = [:]
    for (step, statement) in entry.enumerated() {
      for name in statement.bufferNames {
        lives[name] = (lives[name]?.lowerBound ?? step)...step
      }
    }
    return lives
  }

  private static func peak(_ blocks: [Block]) -> Int {
    let steps = Set(blocks.map(\.first))
    return steps.map { step in
      blocks.reduce(0) { $0 + ($1.first <= step && step <= $1.last ? $1.bytes : 0) }
    }.max() ?? 0
  }

  /// Places blocks in several orders, then improves the best by moving one block of the order at a time, until the arena
  /// is as small as liveness allows or the tries are used up. Deterministic: the moves come from a fixed sequence.
  private static func place(_ blocks: [Block]) -> (offsets: [String: Int], bytes: Int) {
    let orders: [(Block, Block) -> Bool] = [
      { ($0.bytes, $1.first, $1.name) > ($1.bytes, $0.first, $0.name) },
      { (($0.last - $0.first) * $0.bytes, $1.name) > (($1.last - $1.first) * $1.bytes, $0.name) },
      { ($0.first, $1.bytes, $0.name) < ($1.first, $0.bytes, $1.name) },
    ]
    let bound = peak(blocks)
    var order: [Block] = []
    var best: (offsets: [String: Int], bytes: Int)?
    for candidate in orders.map({ blocks.sorted(by: $0) }) {
      let placed = place(inOrder: candidate)
      if best.map({ placed.bytes < $0.bytes }) ?? true {
        best = placed
        order = candidate
      }
    }
    guard var result = best else { return ([:], 0) }
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func next(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    // Each try costs the square of the blocks; large programs get fewer.
    let tries = min(1000, 20_000_000 / max(1, blocks.count * blocks.count))
    for attempt in 0..<tries where result.bytes > bound && order.count > 1 {
      var moved = order
      // Every other move takes a block that ends where the arena ends, since such blocks make the arena large.
      let highest = order.indices.filter { (result.offsets[order[$0].name] ?? 0) + order[$0].bytes == result.bytes }
      let from = attempt.isMultiple(of: 2) ? next(order.count) : highest[next(highest.count)]
      moved.insert(moved.remove(at: from), at: attempt.isMultiple(of: 2) ? next(order.count) : next(from + 1))
      let placed = place(inOrder: moved)
      if placed.bytes <= result.bytes {
        result = placed
        order = moved
      }
    }
    return result
  }

  /// Each block at the lowest offset that is free for its whole life.
  private static func place(inOrder blocks: [Block]) -> (offsets: [String: Int], bytes: Int) {
    var placed: [(block: Block, offset: Int)] = []
    for block in blocks {
      let conflicts = placed.filter { $0.block.first <= block.last && block.first <= $0.block.last }
        .sorted { $0.offset < $1.offset }
      var offset = 0
      for conflict in conflicts {
        if offset + block.bytes <= conflict.offset { break }
        offset = max(offset, conflict.offset + conflict.block.bytes)
      }
      placed.append((block, offset))
    }
    let bytes = placed.map { $0.offset + $0.block.bytes }.max() ?? 0
    return (Dictionary(uniqueKeysWithValues: placed.map { ($0.block.name, $0.offset) }), bytes)
  }
}

extension LoopStatement {
  /// Every buffer the statement names, calls' views included.
  var bufferNames: Set<String> {
    switch self {
    case .forLoop(_, from: _, to: _, step: _, order: _, let body), .layer(_, let body):
      return body.bufferNames
    case .forWhile(_, maximum: _, let condition, let body):
      return body.bufferNames.union(condition.bufferNames)
    case .ifIndex(_, let then, let otherwise):
      return then.bufferNames.union(otherwise.bufferNames)
    case .ifValue(let condition, let then, let otherwise):
      return condition.bufferNames.union(then.bufferNames).union(otherwise.bufferNames)
    case .letValue(_, _, let value), .letIndex(_, range: _, let value),
      .register(_, _, count: _, range: _, let value), .assign(_, element: _, let value):
      return value.bufferNames
    case .store(let buffer, _, let value, let mask):
      return value.bufferNames.union(mask?.bufferNames ?? []).union([buffer])
    case .prefetch(let buffer, _):
      return [buffer]
    case .call(_, let arguments):
      return Set(
        arguments.compactMap { argument in
          if case .view(let buffer, _) = argument { buffer } else { nil }
        })
    }
  }
}

extension [LoopStatement] {
  var bufferNames: Set<String> { reduce(into: []) { $0.formUnion($1.bufferNames) } }
}

extension LoopValue {
  /// Every buffer the value loads from.
  var bufferNames: Set<String> {
    operands.reduce(into: loadedBuffer.map { [$0] } ?? []) { $0.formUnion($1.bufferNames) }
  }
}
