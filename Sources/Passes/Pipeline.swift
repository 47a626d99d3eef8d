import IR

/// The passes of a compilation, in order.
public enum Pipeline {
  /// The passes that raise what exporters write to the ops it stands for. After them a graph has the ops of the same
  /// model's spec, and computes the same up to rounding.
  public static let raising: [any Pass] = [
    FoldConstants(),  // first, so that every later fold sees plain constants
    ShareConstants(),  // after it, which may compute equal ones
    Canonicalize(),  // before what looks for one form of a thing
    RaiseSilu(),  // before products, whose epilogues know the op and not its parts
    RaiseGelu(),  // for the same reason
    RaiseBatchNorm(),  // after activations, whose parts look like a norm's; before norms are folded
    RaiseRoll(),  // before neighbourhoods, which are made of rolls
    RaiseNeighborhood(),  // before the choice of lowerings, which sees constructions only
    RaiseGatedNeighborhood(),  // for the same reason
    RaiseNearest(),  // for the same reason
    RaiseInterleave(),  // after neighbourhoods, whose rows it makes images of
    RaiseImage(),  // after it: what convolutions read are images then
  ]

  /// The passes before kernels are formed. Of a float32 model they leave plain ops; `vigc quantize` begins with these.
  public static let folding: [any Pass] =
    raising + [
      FormIntegers(),  // after raising, which looks for ops on floats
      FoldWeights(),  // what is left between ops on floats ...
      FoldConstants(),  // ... and what is computed of it
      FoldBatchNorm(),  // before the scale: a norm stands between a convolution and its layer scale
      FoldScale(),  // before the heads, for scales inside them
      FoldIdentity(),  // after both, which change a convolution before its input is added to it
      MergeHeads(),  // leaves the factor 1/2 behind ...
      FoldScale(),  // ... for this
    ]

  /// Every pass of an ordinary compilation, a line a pass, each with the reason for its place.
  ///
  /// - Parameter lowerings: What the user asked for in place of the cheapest.
  public static func passes(
    for target: Target, lowerings: LoweringRequests = LoweringRequests()
  ) -> [any Pass] {
    folding + [
      FormKernels(requests: lowerings),  // before products, which then see max-relative as one operand
      FormProducts(),  // after all folding: what is left in a chain is a real epilogue
      ChainRows(target: target),  // needs the products
      AssignLayout(target: target),  // last: the kernels decide where images are channels-last
    ]
  }

  /// Every pass by name, for `vigc opt --passes` and `vigc passes`.
  public static func registry(
    for target: Target, lowerings: LoweringRequests = LoweringRequests()
  ) -> [any Pass] {
    var seen: Set<String> = []
    // No target has kernels for products of integers yet: as floats they are faster.
    return (passes(for: target, lowerings: lowerings) + [FormIntegerProducts()]).filter {
      seen.insert($0.name).inserted
    }
  }
}
