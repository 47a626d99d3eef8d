import RealModule

/// The sizes of one convolution.
struct ConvolutionGeometry {
  var images: Int
  var channels: Int
  var height: Int
  var width: Int
  var outputs: Int
  var outputHeight: Int
  var outputWidth: Int
  var kernelHeight: Int
  var kernelWidth: Int
  var strides: [Int]
  var top: Int
  var left: Int
  var dilation: [Int]
  var groups: Int

  /// Elements of the image as every tap of a group's inputs sees it, which a product reads; nil if they are too many.
  var unfoldedCount: Int? {
    Extents.count([channels / groups, kernelHeight * kernelWidth, outputHeight * outputWidth])
  }

  /// Output columns whose tap `kx` lies inside the image.
  func columns(_ kx: Int) -> Range<Int> {
    Self.inside(extent: width, outputs: outputWidth, stride: strides[1], offset: kx * dilation[1] - left)
  }

  /// Output rows whose tap `ky` lies inside the image.
  func rows(_ ky: Int) -> Range<Int> {
    Self.inside(extent: height, outputs: outputHeight, stride: strides[0], offset: ky * dilation[0] - top)
  }

  /// The o in 0 ..< outputs with 0 <= o * stride + offset < extent.
  private static func inside(extent: Int, outputs: Int, stride: Int, offset: Int) -> Range<Int> {
    let first = offset < 0 ? ceilDivide(-offset, stride) : 0
    let end = offset < extent ? min(outputs, (extent - 1 - offset) / stride + 1) : 0
    return first < end ? first..<end : 0..<0
  }
}

/// The interpreter's convolution: a matrix product over the unfolded image, or plain loops where a group has one
/// input channel.
@specialized(where T == Float)
@specialized(where T == Double)
func convolve<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], _ weight: [T], _ bias: [T]?, _ geometry: ConvolutionGeometry
) -> [T] {
  let g = geometry
  let inputs = g.channels / g.groups
  let outputs = g.outputs / g.groups
  let taps = g.kernelHeight * g.kernelWidth
  let pixels = g.outputHeight * g.outputWidth
  let plane = g.height * g.width
  let isPointwise = taps == 1 && g.strides == [1, 1] && g.top == 0 && g.left == 0 && pixels == plane
  var unfolded = [T](repeating: 0, count: inputs > 1 && !isPointwise ? inputs * taps * pixels : 0)
  var result = [T](repeating: 0, count: g.images * g.outputs * pixels)

  x.withUnsafeBufferPointer { x in
    weight.withUnsafeBufferPointer { weight in
      unfolded.withUnsafeMutableBufferPointer { unfolded in
        result.withUnsafeMutableBufferPointer { result in
          guard let xBase = x.baseAddress, let weightBase = weight.baseAddress, let resultBase = result.baseAddress
          else { return }
          for image in 0..<g.images {
            for group in 0..<g.groups {
              let source = xBase + (image * g.channels + group * inputs) * plane
              let kernel = weightBase + group * outputs * inputs * taps
              let target = resultBase + (image * g.outputs + group * outputs) * pixels
              if inputs == 1 {
                for output in 0..<outputs {
                  convolvePlane(source, kernel + output * taps, into: target + output * pixels, g)
                }
              } else if isPointwise {
                MatrixProduct.multiply(source: source, kernel, into: target, outputs, inputs, pixels)
              } else if let unfoldedBase = unfolded.baseAddress {
                unfold(source, channels: inputs, into: unfoldedBase, g)
                MatrixProduct.multiply(source: unfoldedBase, kernel, into: target, outputs, inputs * taps, pixels)
              }
            }
          }
        }
      }
    }
  }
  guard let bias else { return result }
  result.withUnsafeMutableBufferPointer { result in
    for plane in 0..<(g.images * g.outputs) {
      let add = bias[plane % g.outputs]
      for pixel in (plane * pixels)..<((plane + 1) * pixels) { result[pixel] += add }
    }
  }
  return result
}

/// The convolution of integers, modulo 2^64: tap by tap over whole planes.
func convolveIntegers(_ x: [Int64], _ weight: [Int64], _ bias: [Int64]?, _ g: ConvolutionGeometry) -> [Int64] {
  let inputs = g.channels / g.groups
  let outputs = g.outputs / g.groups
  let taps = g.kernelHeight * g.kernelWidth
  let pixels = g.outputHeight * g.outputWidth
  let columns = (0..<g.kernelWidth).map(g.columns)
  var result = [Int64](repeating: 0, count: g.images * g.outputs * pixels)
  x.withUnsafeBufferPointer { x in
    result.withUnsafeMutableBufferPointer { result in
      for plane in 0..<(g.images * g.outputs) {
        let (image, output) = plane.quotientAndRemainder(dividingBy: g.outputs)
        let target = plane * pixels
        if let bias { for pixel in 0..<pixels { result[target + pixel] = bias[output] } }
        for channel in 0..<inputs {
          let source = (image * g.channels + output / outputs * inputs + channel) * g.height * g.width
          for tap in 0..<taps {
            let (ky, kx) = tap.quotientAndRemainder(dividingBy: g.kernelWidth)
            let factor = weight[(output * inputs + channel) * taps + tap]
            let shift = kx * g.dilation[1] - g.left
            for oy in g.rows(ky) {
              let row = source + (oy * g.strides[0] + ky * g.dilation[0] - g.top) * g.width + shift
              let to = target + oy * g.outputWidth
              for ox in columns[kx] { result[to + ox] &+= x[row + ox * g.strides[1]] &* factor }
            }
          }
        }
      }
    }
  }
  return result
}

extension MatrixProduct {
  /// target [rows, columns] = kernel [rows, depth] * source [depth, columns].
  @inline(__always)
  fileprivate static func multiply<T: Real & BinaryFloatingPoint & Sendable>(
    source: UnsafePointer<T>, _ kernel: UnsafePointer<T>, into target: UnsafeMutablePointer<T>, _ rows: Int,
    _ depth: Int, _ columns: Int
  ) {
    multiply(kernel, source, into: target, rows: rows, depth: depth, columns: columns)
  }
}

/// Adds the correlation of one channel with one kernel to `target`, tap by tap.
@specialized(where T == Float)
@specialized(where T == Double)
private func convolvePlane<T: Real & BinaryFloatingPoint & Sendable>(
  _ source: UnsafePointer<T>, _ kernel: UnsafePointer<T>, into target: UnsafeMutablePointer<T>, _ g: ConvolutionGeometry
) {
  let rowStride = g.strides[0]
  let columnStride = g.strides[1]
  for ky in 0..<g.kernelHeight {
    for kx in 0..<g.kernelWidth {
      let weight = kernel[ky * g.kernelWidth + kx]
      let columns = g.columns(kx)
      for oy in g.rows(ky) {
        let y = oy * rowStride + ky * g.dilation[0] - g.top
        let row = source + y * g.width
        let shift = kx * g.dilation[1] - g.left
        let output = target + oy * g.outputWidth
        for ox in columns { output[ox] += row[ox * columnStride + shift] * weight }
      }
    }
  }
}

/// Writes [channels * kh * kw, output pixels]: for every tap, the image as that tap sees it, zero outside.
@specialized(where T == Float)
@specialized(where T == Double)
private func unfold<T: Real & BinaryFloatingPoint & Sendable>(
  _ source: UnsafePointer<T>, channels: Int, into target: UnsafeMutablePointer<T>, _ g: ConvolutionGeometry
) {
  let pixels = g.outputHeight * g.outputWidth
  var output = target
  for channel in 0..<channels {
    let plane = source + channel * g.height * g.width
    for ky in 0..<g.kernelHeight {
      for kx in 0..<g.kernelWidth {
        output.update(repeating: 0, count: pixels)
        let columns = g.columns(kx)
        let shift = kx * g.dilation[1] - g.left
        for oy in g.rows(ky) {
          let row = plane + (oy * g.strides[0] + ky * g.dilation[0] - g.top) * g.width
          let to = output + oy * g.outputWidth
          for ox in columns { to[ox] = row[ox * g.strides[1] + shift] }
        }
        output += pixels
      }
    }
  }
}
