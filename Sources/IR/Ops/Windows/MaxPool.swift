import RealModule

/// The maximum over a sliding window of each channel: operand x [N, C, H, W]. Padding never wins.
///
/// NaN is not greater than a number, nor a number than NaN. So, as in ONNX, it is the result if it comes first in its
/// window.
public struct MaxPool: Op {
  public static let mnemonic = "max_pool"

  /// Rows and columns of the window.
  public var kernel: [Int]
  /// Down and right, in pixels.
  public var strides: [Int]
  /// Around x: top, left, bottom, right.
  public var padding: [Int]
  public var dilation: [Int]
  /// Rounds the output size up.
  public var ceilMode: Bool

  public init(
    kernel: [Int], strides: [Int], padding: [Int] = [0, 0, 0, 0], dilation: [Int] = [1, 1], ceilMode: Bool = false
  ) {
    self.kernel = kernel
    self.strides = strides
    self.padding = padding
    self.dilation = dilation
    self.ceilMode = ceilMode
  }

  public init(_ reader: inout AttributeReader) throws {
    let window = try SlidingWindow(pool: &reader, isDilated: true)
    self.init(
      kernel: window.kernel, strides: window.strides, padding: window.padding, dilation: window.dilation,
      ceilMode: window.roundsUp)
  }

  public var attributes: [Attribute] { window.poolAttributes(isDilated: true) }

  public var mapsZeroToZero: Bool { true }

  private var window: SlidingWindow {
    SlidingWindow(kernel: kernel, strides: strides, padding: padding, dilation: dilation, roundsUp: ceilMode)
  }

  /// Every window must see a pixel: padding alone has no maximum.
  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0, rank: 4)
    let size = try window.outputSize(height: x.shape[2], width: x.shape[3], checker)
    if window.missesOperand(height: x.shape[2], width: x.shape[3]) {
      throw checker.problem("with padding [\(checker.list(padding))] a window sees no pixel of \(x)")
    }
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
    ) { values, _ in values.dropFirst().reduce(values[0]) { $1 > $0 ? $1 : $0 } }
    return [.tensor(Tensor(element: x.element, shape: Array(x.shape[..<2]) + size, real: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let extents = [x.shape[2], x.shape[3]]
    builder.loops(over: result.shape) { builder, index in
      let first = (0..<2).map { window.firstInside(index[$0 + 2], axis: $0, extent: extents[$0]) }
      let best = builder.register("best", x.computingType, x.loadComputing(Array(index[..<2]) + first))
      window.buildTaps(&builder, height: x.shape[2], width: x.shape[3], oy: index[2], ox: index[3]) {
        builder, _, _, y, x1 in
        builder.assign(best, .maximum(x.loadComputing([index[0], index[1], y, x1]), .variable(best)))
      }
      builder.storeComputed(result, index, .variable(best))
    }
  }
}
