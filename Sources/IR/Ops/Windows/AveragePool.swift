import RealModule

/// The mean over a sliding window of each channel: operand x [N, C, H, W].
public struct AveragePool: Op {
  public static let mnemonic = "average_pool"

  /// Rows and columns of the window.
  public var kernel: [Int]
  /// Down and right, in pixels.
  public var strides: [Int]
  /// Around x: top, left, bottom, right.
  public var padding: [Int]
  /// Whether padding counts as zeros in the mean; otherwise the mean is over the pixels inside x.
  public var countIncludePad: Bool
  /// Rounds the output size up; the overhang after the padding never counts.
  public var ceilMode: Bool

  public init(
    kernel: [Int], strides: [Int], padding: [Int] = [0, 0, 0, 0], countIncludePad: Bool = true, ceilMode: Bool = false
  ) {
    self.kernel = kernel
    self.strides = strides
    self.padding = padding
    self.countIncludePad = countIncludePad
    self.ceilMode = ceilMode
  }

  public init(_ reader: inout AttributeReader) throws {
    let window = try SlidingWindow(pool: &reader, isDilated: false)
    self.init(
      kernel: window.kernel, strides: window.strides, padding: window.padding,
      countIncludePad: try reader.bool("count_include_pad"), ceilMode: window.roundsUp)
  }

  public var attributes: [Attribute] {
    window.poolAttributes(isDilated: false, own: [Attribute("count_include_pad", .bool(countIncludePad))])
  }

  public var mapsZeroToZero: Bool { true }

  private var window: SlidingWindow {
    SlidingWindow(kernel: kernel, strides: strides, padding: padding, dilation: [1, 1], roundsUp: ceilMode)
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0, rank: 4)
    let size = try window.outputSize(height: x.shape[2], width: x.shape[3], checker)
    try checkPadding(kernel, padding, checker)
    return [.tensor(x.with(shape: Array(x.shape[..<2]) + size))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let size = window.outputSize(height: x.shape[2], width: x.shape[3])
    let result = pool(
      x.real, planes: x.shape[0] * x.shape[1], height: x.shape[2], width: x.shape[3], outputHeight: size[0],
      outputWidth: size[1], window
    ) { values, padded in
      values.reduce(0, +) / T(countIncludePad ? padded : values.count)
    }
    return [.tensor(Tensor(element: x.element, shape: Array(x.shape[..<2]) + size, real: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let type = x.computingType
    let result = results[0]
    let window = window
    // The divisor is counted tap by tap: over the pixels that are added or, if padding counts, over a window that
    // slides without padding over the padded image.
    builder.loops(over: result.shape) { builder, index in
      let sum = builder.register("sum", type, .constant(0, type))
      let count = builder.register("count", type, .constant(0, type))
      window.buildTaps(&builder, height: x.shape[2], width: x.shape[3], oy: index[2], ox: index[3]) {
        builder, _, _, y, x1 in
        builder.assign(sum, .variable(sum) + x.loadComputing([index[0], index[1], y, x1]))
        if !countIncludePad { builder.assign(count, .variable(count) + .constant(1, type)) }
      }
      if countIncludePad {
        var padded = window
        padded.padding = [0, 0, 0, 0]
        let height = x.shape[2] + padding[0] + padding[2]
        let width = x.shape[3] + padding[1] + padding[3]
        padded.buildTaps(&builder, height: height, width: width, oy: index[2], ox: index[3]) { builder, _, _, _, _ in
          builder.assign(count, .variable(count) + .constant(1, type))
        }
      }
      builder.storeComputed(result, index, .variable(sum) / .variable(count))
    }
  }
}

/// A window that sees only padding would have no mean and no maximum.
func checkPadding(_ span: [Int], _ padding: [Int], _ checker: OperandChecker) throws {
  for axis in 0..<2 where max(padding[axis], padding[axis + 2]) >= span[axis] {
    throw checker.problem(
      "padding of \(max(padding[axis], padding[axis + 2])) leaves a window of \(span[axis]) without a pixel")
  }
}

/// Gives each window's pixels inside the image, and how many positions of it lie inside the padded image, to `body`.
@specialized(where T == Float)
@specialized(where T == Double)
func pool<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], planes: Int, height: Int, width: Int, outputHeight: Int, outputWidth: Int, _ window: SlidingWindow,
  _ body: (_ inside: [T], _ padded: Int) -> T
) -> [T] {
  var result: [T] = []
  result.reserveCapacity(planes * outputHeight * outputWidth)
  var inside: [T] = []
  for plane in 0..<planes {
    for oy in 0..<outputHeight {
      for ox in 0..<outputWidth {
        inside.removeAll(keepingCapacity: true)
        var padded = 0
        for ky in 0..<window.kernel[0] {
          let y = oy * window.strides[0] + ky * window.dilation[0] - window.padding[0]
          for kx in 0..<window.kernel[1] {
            let x1 = ox * window.strides[1] + kx * window.dilation[1] - window.padding[1]
            if y < height + window.padding[2] && x1 < width + window.padding[3] { padded += 1 }
            if y >= 0 && y < height && x1 >= 0 && x1 < width { inside.append(x[(plane * height + y) * width + x1]) }
          }
        }
        result.append(body(inside, padded))
      }
    }
  }
  return result
}
