import RealModule

/// The place of the maximum of each window that slides over the spatial axes of x [N, C, D1, .., Dk]: counted row-major
/// over all of x (i64), as ONNX's MaxPool gives it. Of equal elements the first of the window counts.
///
/// Windows are as in `MaxPool`, for any number of axes: padding never wins.
public struct ArgMaxPool: Op {
  public static let mnemonic = "arg_max_pool"

  public var kernel: [Int]
  public var strides: [Int]
  /// Before each axis, then after each.
  public var padding: [Int]
  public var dilation: [Int]
  /// Rounds the output size up.
  public var ceilMode: Bool
  /// Counts places with the spatial axes in reverse order, the first fastest.
  public var columnMajor: Bool

  public init(
    kernel: [Int], strides: [Int], padding: [Int], dilation: [Int], ceilMode: Bool = false, columnMajor: Bool = false
  ) {
    self.kernel = kernel
    self.strides = strides
    self.padding = padding
    self.dilation = dilation
    self.ceilMode = ceilMode
    self.columnMajor = columnMajor
  }

  public init(_ reader: inout AttributeReader) throws {
    let window = try SlidingWindow(pool: &reader, isDilated: true)
    self.init(
      kernel: window.kernel, strides: window.strides, padding: window.padding, dilation: window.dilation,
      ceilMode: window.roundsUp, columnMajor: try reader.bool("column_major"))
  }

  public var attributes: [Attribute] {
    SlidingWindow(kernel: kernel, strides: strides, padding: padding, dilation: dilation, roundsUp: ceilMode)
      .poolAttributes(isDilated: true) + [Attribute("column_major", .bool(columnMajor))]
  }

  /// Places of zeros are not zeros.
  public var mapsZeroToZero: Bool { false }

  /// The window along each spatial axis, as one over the columns of a single row.
  private func windows() -> [SlidingWindow] {
    kernel.indices.map { axis in
      SlidingWindow(
        kernel: [1, kernel[axis]], strides: [1, strides[axis]],
        padding: [0, padding[axis], 0, padding[axis + kernel.count]], dilation: [1, dilation[axis]],
        roundsUp: ceilMode)
    }
  }

  private func sizes(_ shape: [Int]) -> [Int] {
    zip(windows(), shape.dropFirst(2)).map { $0.outputSize(height: 1, width: $1)[1] }
  }

  /// How many elements of x a step along each axis passes, in the order places are counted in.
  private func countingStrides(_ shape: [Int]) -> [Int] {
    var result = rowMajorStrides(shape)
    if columnMajor {
      var stride = 1
      for axis in 2..<shape.count {
        result[axis] = stride
        stride *= shape[axis]
      }
    }
    return result
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0)
    let axes = x.rank - 2
    if axes < 1 { throw checker.failure(0, mustBe: "of rank 3 or more: images, channels and spatial axes") }
    try checker.check("kernel", kernel, count: axes, minimum: 1)
    try checker.check("strides", strides, count: axes, minimum: 1)
    try checker.check("padding", padding, count: 2 * axes, minimum: 0)
    try checker.check("dilation", dilation, count: axes, minimum: 1)
    var shape = Array(x.shape[..<2])
    for (axis, window) in windows().enumerated() {
      let extent = x.shape[axis + 2]
      shape.append(try window.outputSize(height: 1, width: extent, checker)[1])
      if window.missesOperand(height: 1, width: extent) {
        throw checker.problem("with padding [\(checker.list(padding))] a window sees no element of \(x)")
      }
    }
    try checker.checkShape(shape)
    return [.tensor(TensorType(.i64, shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let values = x.real
    let own = rowMajorStrides(x.shape)
    let counted = countingStrides(x.shape)
    let shape = x.shape[..<2] + sizes(x.shape)
    var result: [Int64] = []
    forEachIndex(Array(shape)) { index in
      let base = index[0] * own[0] + index[1] * own[1]
      var best: (value: T, place: Int)?
      forEachIndex(kernel) { tap in
        var element = base
        var place = base
        for axis in kernel.indices {
          let position = index[axis + 2] * strides[axis] + tap[axis] * dilation[axis] - padding[axis]
          guard position >= 0, position < x.shape[axis + 2] else { return }
          element += position * own[axis + 2]
          place += position * counted[axis + 2]
        }
        if let known = best, !(values[element] > known.value) { return }
        best = (values[element], place)
      }
      result.append(Int64(best?.place ?? base))
    }
    return [.tensor(Tensor(element: .i64, shape: Array(shape), integer: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let type = x.computingType
    let result = results[0]
    let counted = countingStrides(x.shape)
    let windows = windows()
    let i64 = LoopType(.i64)
    builder.loops(over: result.shape) { builder, index in
      let best = builder.register("best", type, .literal(-.infinity, type))
      let place = builder.register("place", i64, .constant(-1, i64))
      func nest(_ builder: inout LoopBuilder, _ position: [LoopIndex]) {
        let axis = position.count
        if axis == windows.count {
          let value = builder.let("value", type, x.loadComputing(Array(index[..<2]) + position))
          let here = zip(Array(index[..<2]) + position, counted).reduce(LoopIndex.constant(0)) { $0 + $1.0 * $1.1 }
          let isFirst = LoopValue.compare(.less, .variable(place), .constant(0, i64))
          let wins = LoopValue.binary(.or, isFirst, .compare(.greater, value, .variable(best)))
          builder.ifValue(wins) { builder in
            builder.assign(best, value)
            builder.assign(place, .index(here, i64, step: 0))
          }
          return
        }
        windows[axis].buildTaps(&builder, height: 1, width: x.shape[axis + 2], oy: 0, ox: index[axis + 2]) {
          builder, _, _, _, tap in nest(&builder, position + [tap])
        }
      }
      nest(&builder, [])
      builder.store(result.buffer, result.offset(index), .variable(place))
    }
  }
}
