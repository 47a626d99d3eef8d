import IR

/// Means over windows that lie inside the image; tasks are output rows.
struct AveragePoolKernel: Kernel {
  static let name: KernelName = "average_pool"
  static let summary = "means over windows that lie inside, one output row a call; tasks are rows"
  static let phase = KernelPhase.operations

  let site: FuseSite
  private let pool: AveragePool
  private let input: [Int]
  private let result: [Int]

  init(_ site: FuseSite) throws {
    self.site = site
    _ = try site.schedule(NoSchedule.self)
    let (pool, node) = try site.onlyNode(AveragePool.self)
    guard let input = site.tensor(node.operands[0]), let result = site.tensor(node.results[0]),
      Self.runs(pool, input, result)
    else { throw site.diagnostic("averages float32 images over windows that lie inside them") }
    (self.pool, self.input, self.result) = (pool, input.shape, result.shape)
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    guard let pool = node.op as? AveragePool, let input = rewriter.graph.type(of: node.operands[0]).tensor,
      let result = rewriter.graph.type(of: node.results[0]).tensor, runs(pool, input, result)
    else { return nil }
    return KernelMatch(nodes: [node])
  }

  private static func runs(_ pool: AveragePool, _ input: TensorType, _ result: TensorType) -> Bool {
    input.element == .f32 && pool.padding == [0, 0, 0, 0]
      && [0, 1].allSatisfy { axis in
        let last = (result.shape[2 + axis] - 1) * pool.strides[axis]
        return last + pool.kernel[axis] <= input.shape[2 + axis]
      }
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let function = AveragePoolFunction(
      inputWidth: input[3], outputWidth: result[3], kernel: pool.kernel, strides: pool.strides,
      paddedChannels: lowering.padded(input[1]), lanes: lowering.lanes)
    let call = function.row(in: &lowering.program)
    let source = lowering.image(node.operands[0])
    let output = lowering.image(node.results[0])
    let order = lowering.order
    lowering.write { entry, _ in
      entry.loop("image", 0, .constant(input[0])) { builder, image in
        builder.loop("y", 0, .constant(result[2]), order: order) { builder, y in
          builder.append(
            call(source.view(image: image, row: y * pool.strides[0]), output.view(image: image, row: y)))
        }
      }
    }
  }
}
