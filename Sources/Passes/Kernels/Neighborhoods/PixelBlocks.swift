import IR

extension GraphLowering {
  /// Pixels of one task of the kernels over neighbours by index: a block as large as their functions prefer, or shorter
  /// if there would be fewer blocks than workers.
  func neighborBlock(_ pixels: Int, candidates: Int) -> Int {
    min(NearestFunctions.blockPixels(pixels: pixels, candidates: candidates), ceilDivide(pixels, workers))
  }
}

extension LoopBuilder {
  /// Cuts `count` items into blocks of `size`, the last one shorter if necessary: a loop over them.
  mutating func blocks(
    _ count: Int, of size: Int, order: LoopStatement.Order,
    _ write: (_ builder: inout LoopBuilder, _ first: LoopIndex, _ count: Int) -> Void
  ) {
    let (full, rest) = count.quotientAndRemainder(dividingBy: size)
    let tasks = full + (rest > 0 ? 1 : 0)
    loop("block", 0, .constant(tasks), order: tasks > 1 ? order : .serial) { builder, block in
      if rest == 0 { return write(&builder, block * size, size) }
      builder.ifIndex([LoopComparison(block, .less, .constant(full))]) { builder in
        write(&builder, block * size, size)
      } else: { builder in
        write(&builder, .constant(full * size), rest)
      }
    }
  }
}
