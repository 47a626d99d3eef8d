import Foundation

/// How pixels between pixels are computed.
public enum Interpolation: String, CaseIterable, Hashable, Sendable {
  case bilinear, bicubic

  /// Half the width of the filter at scale 1.
  fileprivate var support: Double {
    switch self {
    case .bilinear: 1
    case .bicubic: 2
    }
  }

  fileprivate func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    switch self {
    case .bilinear: return x < 1 ? 1 - x : 0
    case .bicubic:
      let a = -0.5
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    }
  }
}

extension RGBImage {
  /// Resizes as Pillow does, bit for bit: the filter widens when shrinking, columns first and then rows, each pass in
  /// fixed point and rounded to 8 bits. Published evaluation pipelines resize with Pillow.
  public func resized(width newWidth: Int, height newHeight: Int, _ interpolation: Interpolation) -> RGBImage {
    var image = self
    if newWidth != width { image = image.resampledColumns(to: newWidth, interpolation) }
    if newHeight != height { image = image.resampledRows(to: newHeight, interpolation) }
    return image
  }

  private func resampledColumns(to newWidth: Int, _ interpolation: Interpolation) -> RGBImage {
    let taps = ResampleTaps(from: width, to: newWidth, interpolation)
    var result = [UInt8](repeating: 0, count: 3 * newWidth * height)
    for y in 0..<height {
      for x in 0..<newWidth {
        for channel in 0..<3 {
          var sum = ResampleTaps.half
          for (offset, weight) in taps.weights[x].enumerated() {
            sum += weight * Int(self[x: taps.starts[x] + offset, y: y, channel: channel])
          }
          result[3 * (y * newWidth + x) + channel] = ResampleTaps.rounded(sum)
        }
      }
    }
    return RGBImage(width: newWidth, height: height, pixels: result)
  }

  private func resampledRows(to newHeight: Int, _ interpolation: Interpolation) -> RGBImage {
    let taps = ResampleTaps(from: height, to: newHeight, interpolation)
    var result = [UInt8](repeating: 0, count: 3 * width * newHeight)
    for y in 0..<newHeight {
      for x in 0..<width {
        for channel in 0..<3 {
          var sum = ResampleTaps.half
          for (offset, weight) in taps.weights[y].enumerated() {
            sum += weight * Int(self[x: x, y: taps.starts[y] + offset, channel: channel])
          }
          result[3 * (y * width + x) + channel] = ResampleTaps.rounded(sum)
        }
      }
    }
    return RGBImage(width: width, height: newHeight, pixels: result)
  }
}

/// The source pixels and fixed-point weights of every destination pixel along one axis.
private struct ResampleTaps {
  var starts: [Int] = []
  var weights: [[Int]] = []

  /// Bits after the point: 32, less 8 for the pixel and 2 for the filter's overshoot.
  static let fractionBits = 22
  static let half = 1 << (fractionBits - 1)

  static func rounded(_ sum: Int) -> UInt8 { UInt8(clamping: sum >> fractionBits) }

  init(from size: Int, to newSize: Int, _ interpolation: Interpolation) {
    let scale = Double(size) / Double(newSize)
    let stretch = max(scale, 1)
    let support = interpolation.support * stretch
    for index in 0..<newSize {
      let center = (Double(index) + 0.5) * scale
      let start = max(0, Int(center - support + 0.5))
      let end = min(size, Int(center + support + 0.5))
      let raw = (start..<end).map { interpolation.weight((Double($0) - center + 0.5) * (1 / stretch)) }
      let total = raw.reduce(0, +)
      starts.append(start)
      weights.append(
        raw.map { weight in
          let fixed = (total == 0 ? weight : weight / total) * Double(1 << Self.fractionBits)
          return Int(fixed < 0 ? fixed - 0.5 : fixed + 0.5)
        })
    }
  }
}
