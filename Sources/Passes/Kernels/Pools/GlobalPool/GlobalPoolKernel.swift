import IR

/// Means over all pixels of an image; not split over tasks.
struct GlobalPoolKernel: Kernel {
  static let name: KernelName = "global_pool"
  static let summary = "means over all pixels, one vector of channels at a time; not split"
  static let phase = KernelPhase.operations

  let site: FuseSite
  private let input: [Int]

  init(_ site: FuseSite) throws {
    self.site = site
    _ = try site.schedule(NoSchedule.self)
    let (_, node) = try site.onlyNode(GlobalAveragePool.self)
    guard let input = site.tensor(node.operands[0]), input.element == .f32 else {
      throw site.diagnostic("averages float32 images")
    }
    self.input = input.shape
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    node.op is GlobalAveragePool && rewriter.graph.type(of: node.operands[0]).tensor?.element == .f32
      ? KernelMatch(nodes: [node]) : nil
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let function = GlobalPoolFunction(
      pixels: input[2] * input[3], paddedChannels: lowering.padded(input[1]), lanes: lowering.lanes)
    let call = function.image(in: &lowering.program)
    let source = lowering.image(node.operands[0])
    let output = lowering.image(node.results[0])
    lowering.write { entry, _ in
      entry.loop("image", 0, .constant(input[0])) { builder, image in
        builder.append(call(source.view(image: image, row: 0), output.view(image: image, row: 0)))
      }
    }
  }
}
