import IR

/// Images of one shape whose channels are taken in turns, x0, y0, x1, y1, ..., the way the published code writes it:
///
///     %a = reshape(%x) : [N, C, 1, H * W]
///     %b = reshape(%y) : [N, C, 1, H * W]
///     %c = concat(%a, %b) {axis = 2}
///     %d = reshape(%c) : [N, 2 * C, H, W]
struct InterleavedImages {
  /// The images, in the order of their turns.
  private(set) var images: [ValueID] = []
  /// What interleaves them, in order.
  private(set) var nodes: [Node] = []

  /// The images that `value` interleaves; nil if it is not an interleaving.
  ///
  /// - Parameter definition: The node that makes a value, if it may be looked through.
  init?(_ value: ValueID, in graph: Graph, definition: (ValueID) -> Node?) {
    guard let whole = graph.type(of: value).tensor?.shape, whole.count == 4,
      let outer = definition(value), outer.op is Reshape,
      let joint = definition(outer.operands[0]), let concat = joint.op as? Concat, concat.axis == 2
    else { return nil }
    let channels = whole[1] / joint.operands.count
    for operand in joint.operands {
      guard graph.type(of: operand).tensor?.shape == [whole[0], channels, 1, whole[2] * whole[3]],
        let inner = definition(operand), inner.op is Reshape,
        graph.type(of: inner.operands[0]).tensor?.shape == [whole[0], channels, whole[2], whole[3]]
      else { return nil }
      images.append(inner.operands[0])
      nodes.append(inner)
    }
    nodes += [joint, outer]
  }
}
