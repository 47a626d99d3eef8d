/// Sparse vision graph attention (Munir, Avery and Marculescu, MobileViG, arXiv:2307.00395): the neighbours of a pixel
/// are those K, 2K, ... rows away while below the height, then those K, 2K, ... columns away while below the width,
/// wrapping. The graph is the same for every image.
public struct SVGA: StepConstruction {
  public static let kind = "svga"
  public static let publishedDirection: Aggregate.Direction? = .selfMinusNeighbor

  /// K, in pixels.
  public var step: Int

  public init(step: Int) {
    self.step = step
  }

  public func offsets(height: Int, width: Int) -> [Offset] {
    axialOffsets(height: height, width: width)
  }
}
