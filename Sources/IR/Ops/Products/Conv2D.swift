import RealModule

/// Two-dimensional cross-correlation: operands x [N, C, H, W], weight [O, C / groups, kh, kw] and, optionally, bias [O].
public struct Conv2D: Op {
  public static let mnemonic = "conv2d"

  /// Down and right, in pixels.
  public var strides: [Int]
  /// Zeros around x: top, left, bottom, right.
  public var padding: [Int]
  public var dilation: [Int]
  /// Output channels of group g read only the input channels of group g.
  public var groups: Int

  public init(strides: [Int], padding: [Int], dilation: [Int], groups: Int) {
    self.strides = strides
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }

  public init(_ reader: inout AttributeReader) throws {
    self.strides = try reader.integers("strides")
    self.padding = try reader.integers("padding")
    self.dilation = try reader.integers("dilation")
    self.groups = try reader.integer("groups")
  }

  public var attributes: [Attribute] {
    [
      Attribute("strides", .integers(strides)), Attribute("padding", .integers(padding)),
      Attribute("dilation", .integers(dilation)), Attribute("groups", .integer(groups)),
    ]
  }

  /// With all operands zero, the bias among them.
  public var mapsZeroToZero: Bool { true }

  func window(_ weight: [Int]) -> SlidingWindow {
    SlidingWindow(kernel: [weight[2], weight[3]], strides: strides, padding: padding, dilation: dilation)
  }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "weight", "bias?"])
    let x = try checker.real(0, rank: 4)
    let weight = try checker.real(1, rank: 4)
    try checker.sameElement(1, as: x)
    try checker.check("groups", [groups], count: 1, minimum: 1)
    if x.shape[1] % groups != 0 || weight.shape[0] % groups != 0 {
      throw checker.problem(
        "\(groups) groups do not divide \(x.shape[1]) input and \(weight.shape[0]) output channels")
    }
    if weight.shape[1] != x.shape[1] / groups {
      throw checker.failure(
        1, mustBe: "[outputs, \(x.shape[1] / groups), rows, columns]: x has \(x.shape[1]) channels in \(groups) groups")
    }
    if checker.has(2) { _ = try checker.real(2, shape: [weight.shape[0]], meaning: "one bias an output channel") }
    let size = try window(weight.shape).outputSize(height: x.shape[2], width: x.shape[3], checker)
    let shape = [x.shape[0], weight.shape[0]] + size
    try checker.checkShape(shape)
    return [.tensor(x.with(shape: shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let weight = operands[1].tensor
    let bias = operands.count > 2 ? operands[2].tensor.real : nil
    let geometry = sizes(x: x.shape, weight: weight.shape)
    try MemoryLimit.require(
      geometry.unfoldedCount.map { $0 * MemoryLayout<T>.size },
      for: "the windows of a convolution, one beside the other,")
    let result = convolve(x.real, weight.real, bias, geometry)
    let shape = [x.shape[0], weight.shape[0], geometry.outputHeight, geometry.outputWidth]
    return [.tensor(Tensor(element: x.element, shape: shape, real: result))]
  }

  /// The sizes of the convolution of tensors of these shapes.
  func sizes(x: [Int], weight: [Int]) -> ConvolutionGeometry {
    let size = window(weight).outputSize(height: x[2], width: x[3])
    return ConvolutionGeometry(
      images: x[0], channels: x[1], height: x[2], width: x[3], outputs: weight[0], outputHeight: size[0],
      outputWidth: size[1], kernelHeight: weight[2], kernelWidth: weight[3], strides: strides, top: padding[0],
      left: padding[1], dilation: dilation, groups: groups)
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let type = x.computingType
    let weight = operands[1]
    let result = results[0]
    let window = window(weight.shape)
    let outputsPerGroup = weight.shape[0] / groups
    let inputsPerGroup = weight.shape[1]
    builder.loops(over: result.shape) { builder, index in
      let start = operands.count > 2 ? operands[2].loadComputing([index[1]]) : .constant(0, type)
      let sum = builder.register("sum", type, start)
      let firstChannel = index[1] / outputsPerGroup * inputsPerGroup
      builder.loop("c", 0, .constant(inputsPerGroup)) { builder, channel in
        window.buildTaps(
          &builder, height: x.shape[2], width: x.shape[3], oy: index[2], ox: index[3]
        ) { builder, ky, kx, y, x1 in
          let pixel = x.loadComputing([index[0], firstChannel + channel, y, x1])
          builder.assign(sum, .fma(pixel, weight.loadComputing([index[1], channel, ky, kx]), .variable(sum)))
        }
      }
      builder.storeComputed(result, index, .variable(sum))
    }
  }
}
