/// The graph of mobile graph convolution (Avery, Munir and Marculescu, MobileViGv2, arXiv:2406.05850): the four pixels
/// K rows below and above, and K columns right and left, wrapping.
///
/// The published code slices and joins, and slices clamp: if K is at least the height (or the width), rolling by it
/// changes nothing, and that neighbour is the pixel itself.
public struct MGC: StepConstruction {
  public static let kind = "mgc"
  public static let publishedDirection: Aggregate.Direction? = .neighborMinusSelf

  /// K, in pixels.
  public var step: Int

  public init(step: Int) {
    self.step = step
  }

  public func offsets(height: Int, width: Int) -> [Offset] {
    let down = step < height ? step : 0
    let right = step < width ? step : 0
    return [Offset(dy: down, dx: 0), Offset(dy: -down, dx: 0), Offset(dy: 0, dx: right), Offset(dy: 0, dx: -right)]
  }
}
