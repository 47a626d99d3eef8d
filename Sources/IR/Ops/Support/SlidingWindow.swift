/// How a window moves over the rows and columns of an image: the geometry that convolution and pooling share.
struct SlidingWindow {
  /// Kernels plan rows and columns one by one.
  private static let largestSide = 1 << 24

  var kernel: [Int]
  var strides: [Int]
  /// Top, left, bottom, right.
  var padding: [Int]
  var dilation: [Int]
  /// Rounds the output up, so that a last window may hang over the padded edge; one that would start after the
  /// operand and its leading padding is dropped, as PyTorch does.
  var roundsUp = false

  /// Rows and columns of the result; throws if the parameters are invalid or the window does not fit.
  func outputSize(height: Int, width: Int, _ checker: OperandChecker) throws -> [Int] {
    try checker.check("kernel", kernel, count: 2, minimum: 1)
    try checker.check("strides", strides, count: 2, minimum: 1)
    try checker.check("padding", padding, count: 4, minimum: 0)
    try checker.check("dilation", dilation, count: 2, minimum: 1)
    let extents = [height, width]
    if max(height, width) > Self.largestSide {
      throw checker.problem("an image of \(height) x \(width) pixels; a side has at most \(Self.largestSide)")
    }
    for axis in 0..<2 {
      let padded = padding[axis] + extents[axis] + padding[axis + 2]
      let span = dilation[axis] * (kernel[axis] - 1) + 1
      if span > padded {
        throw checker.problem(
          "a window that spans \(span) \(axis == 0 ? "rows" : "columns") does not fit into \(padded), padding included")
      }
    }
    return outputSize(height: height, width: width)
  }

  func outputSize(height: Int, width: Int) -> [Int] {
    zip([height, width], 0..<2).map { extent, axis in
      let room = padding[axis] + extent + padding[axis + 2] - dilation[axis] * (kernel[axis] - 1) - 1
      guard roundsUp else { return room / strides[axis] + 1 }
      let count = ceilDivide(room, strides[axis]) + 1
      return (count - 1) * strides[axis] >= extent + padding[axis] ? count - 1 : count
    }
  }

  /// Whether at some output the window sees nothing but padding.
  func missesOperand(height: Int, width: Int) -> Bool {
    zip([height, width], outputSize(height: height, width: width)).enumerated().contains { axis, extents in
      let (extent, outputs) = extents
      if (outputs - 1) * strides[axis] - padding[axis] >= extent { return true }
      // A window that begins inside sees its first element; for the others the first tap inside counts.
      return (0..<min(outputs, ceilDivide(padding[axis], strides[axis]))).contains { output in
        let first = output * strides[axis] - padding[axis]
        let tap = ceilDivide(-first, dilation[axis])
        return tap >= kernel[axis] || first + tap * dilation[axis] >= extent
      }
    }
  }

  /// The place along an axis of a window's first tap inside the operand; the window must see some of it.
  func firstInside(_ output: LoopIndex, axis: Int, extent: Int) -> LoopIndex {
    let first = output * strides[axis] - .constant(padding[axis])
    let inside = padding[axis] > 0 ? LoopIndex.maximum(first, first % dilation[axis]) : first
    return .minimum(inside, .constant(extent - 1))
  }

  /// Calls `body` inside loops over the window's taps at output (oy, ox) with (ky, kx) and the operand's (y, x), and
  /// only for taps inside the operand: tested only if a window can reach the border.
  func buildTaps(
    _ builder: inout LoopBuilder, height: Int, width: Int, oy: LoopIndex, ox: LoopIndex,
    _ body: (inout LoopBuilder, _ ky: LoopIndex, _ kx: LoopIndex, _ y: LoopIndex, _ x: LoopIndex) -> Void
  ) {
    let output = outputSize(height: height, width: width)
    builder.loop("ky", 0, .constant(kernel[0])) { builder, ky in
      builder.loop("kx", 0, .constant(kernel[1])) { builder, kx in
        let y = oy * strides[0] + ky * dilation[0] - .constant(padding[0])
        let x = ox * strides[1] + kx * dilation[1] - .constant(padding[1])
        let tests =
          borderTests(y, extent: height, axis: 0, outputs: output[0])
          + borderTests(x, extent: width, axis: 1, outputs: output[1])
        if tests.isEmpty {
          body(&builder, ky, kx, y, x)
        } else {
          builder.ifIndex(tests) { body(&$0, ky, kx, y, x) }
        }
      }
    }
  }

  private func borderTests(_ position: LoopIndex, extent: Int, axis: Int, outputs: Int) -> [LoopComparison] {
    var tests: [LoopComparison] = []
    if padding[axis] > 0 { tests.append(LoopComparison(position, .greaterOrEqual, 0)) }
    let last = (outputs - 1) * strides[axis] + (kernel[axis] - 1) * dilation[axis] - padding[axis]
    if last >= extent { tests.append(LoopComparison(position, .less, .constant(extent))) }
    return tests
  }
}

extension SlidingWindow {
  /// Reads the attributes of a pool: `kernel`, `strides`, `padding`, `ceil_mode`, and `dilation` where the op has one.
  init(pool reader: inout AttributeReader, isDilated: Bool) throws {
    self.init(
      kernel: try reader.integers("kernel"), strides: try reader.integers("strides"),
      padding: try reader.integers("padding"), dilation: isDilated ? try reader.integers("dilation") : [1, 1],
      roundsUp: try reader.bool("ceil_mode"))
  }

  /// The attributes of a pool as they are printed, with the op's `own` before the last.
  func poolAttributes(isDilated: Bool, own: [Attribute] = []) -> [Attribute] {
    let dilations = isDilated ? [Attribute("dilation", .integers(dilation))] : []
    return [
      Attribute("kernel", .integers(kernel)), Attribute("strides", .integers(strides)),
      Attribute("padding", .integers(padding)),
    ] + dilations + own + [Attribute("ceil_mode", .bool(roundsUp))]
  }
}
