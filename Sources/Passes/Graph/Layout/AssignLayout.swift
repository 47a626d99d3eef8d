import IR

/// Gives every image between kernels the channels-last, padded layout the kernels work in, and converts where a general
/// op or the caller wants row-major memory.
///
///     %a = fuse "convolution" (%input)         %a = fuse "convolution" (%input) : ... channels_last(8)
///     %b = softmax(%a)                   =>    %a.rows = convert_layout(%a)
///                                              %b = softmax(%a.rows)
///
/// The first convolution reads the caller's row-major image itself, and a product of single pixels writes unpadded
/// row-major logits itself: neither costs a copy.
public struct AssignLayout: Pass {
  public static let name = "assign-layout"
  public static let summary = "gives kernels channels-last images and converts at their borders"

  public var lanes: Int

  public init(target: Target) { lanes = target.lanes }

  private var padded: Layout { .channelsLast(padding: lanes) }

  public func run(_ graph: Graph) throws -> Graph {
    let assigned = try GraphRewriter.rewrite(graph) { rewriter, node in
      if let fuse = node.op as? Fuse { return try kernel(&rewriter, fuse, node) }
      if node.op is ConvertLayout || node.op is Constant { return nil }
      let operands = try node.operands.map { try converted(&rewriter, $0, to: .rowMajor, like: node) }
      return try rewriter.add(node.op, operands, name: rewriter.name(of: node), like: node)
    }
    return try convertOutputs(assigned)
  }

  private func kernel(_ rewriter: inout GraphRewriter, _ fuse: Fuse, _ node: Node) throws -> [ValueID] {
    let readsRowMajor = fuse.firstKernel == ProductKind.convolution.rawValue
    var operands: [ValueID] = []
    var converts = false
    for (place, operand) in node.operands.enumerated() {
      guard let type = rewriter.graph.type(of: operand).tensor, type.rank == 4, type.layout != padded else {
        operands.append(operand)
        continue
      }
      if let constant = rewriter.definition(of: operand)?.op as? Constant {
        operands.append(
          fuse.readsAsImage(fuse.body.inputs[place]) ? try packed(&rewriter, constant, operand, like: node) : operand)
      } else if readsRowMajor, type.layout == .rowMajor, operands.isEmpty,
        !fuse.readsAsImage(fuse.body.inputs[place])
      {
        operands.append(operand)
        converts = true
      } else {
        operands.append(try converted(&rewriter, operand, to: padded, like: node))
      }
    }
    // An interleaving ends in row-major memory, as far as types go; its kernel never writes it.
    if fuse.interleavedImages != nil { converts = true }
    // A convolution that converts already keeps doing so: the pass may run twice.
    if fuse.converts(to: padded) { converts = false }
    let types = operands.map(rewriter.graph.type(of:))
    let retyped = try fuse.retyped(types, convertingConvolution: converts ? padded : nil)
    return try rewriter.add(retyped, operands, name: rewriter.name(of: node), like: node)
  }

  /// The same constant with its contents packed as kernels read images.
  private func packed(
    _ rewriter: inout GraphRewriter, _ constant: Constant, _ value: ValueID, like node: Node
  ) throws -> ValueID {
    var packed = constant
    packed.type.layout = padded
    return try rewriter.add(packed, [], name: rewriter.graph.values[value.index].name, like: node)[0]
  }

  private func converted(
    _ rewriter: inout GraphRewriter, _ value: ValueID, to layout: Layout, like node: Node
  ) throws -> ValueID {
    guard let type = rewriter.graph.type(of: value).tensor, type.layout != layout, type.rank == 4 else { return value }
    if rewriter.constant(value) != nil { return value }
    return try rewriter.add(ConvertLayout(layout: layout), [value], name: "rows", like: node)[0]
  }

  /// Row-major outputs; a product over single pixels, and a reshape of one, take the conversion in.
  private func convertOutputs(_ graph: Graph) throws -> Graph {
    var result = graph
    for index in result.outputs.indices {
      let value = result.outputs[index]
      guard let type = result.type(of: value).tensor, type.layout != .rowMajor else { continue }
      let layer = result.nodes.first { $0.results.contains(value) }?.layer ?? ""
      result.outputs[index] = try result.add(
        ConvertLayout(layout: .rowMajor), [value], name: "rows", layer: layer)[0]
    }
    return try GraphRewriter.rewrite(result) { rewriter, node in
      guard let convert = node.op as? ConvertLayout, convert.layout == .rowMajor,
        let (fuse, producer) = rewriter.single(Fuse.self, node.operands[0]),
        fuse.kernel == ProductKind.pointwise.rawValue,
        rewriter.graph.tensorType(of: node.operands[0]).shape.suffix(2) == [1, 1], !fuse.addsPaddedImage
      else { return nil }
      let types = producer.operands.map(rewriter.graph.type(of:))
      return try rewriter.add(
        fuse.retyped(types, appending: [convert]), producer.operands, name: rewriter.name(of: node), like: producer)
    }
  }
}

extension Fuse {
  /// The kernel that reads the first operand: its own, or in a chain its first stage's.
  fileprivate var firstKernel: String { (body.nodes.first?.op as? Fuse)?.firstKernel ?? kernel }

  fileprivate func converts(to layout: Layout) -> Bool {
    body.nodes.contains { node in
      (node.op as? Fuse)?.converts(to: layout) ?? ((node.op as? ConvertLayout)?.layout == layout)
    }
  }

  /// Whether the body's epilogue reads an image with padding between its pixels, as an unpadded result would have none.
  fileprivate var addsPaddedImage: Bool {
    body.inputs.contains { input in
      guard let type = body.type(of: input).tensor, type.storageCount > type.count else { return false }
      return body.nodes.contains { $0.op is any ElementwiseOp && $0.operands.contains(input) }
    }
  }

  /// Whether the body adds an input to its result, or the like, pixel by pixel.
  fileprivate func readsAsImage(_ input: ValueID) -> Bool {
    guard let output = body.outputs.first.flatMap({ body.type(of: $0).tensor }) else { return false }
    let shape = body.tensorType(of: input).shape
    let isInsideStage = body.nodes.contains { node in
      guard let stage = node.op as? Fuse else { return false }
      return zip(node.operands, stage.body.inputs).contains { $0 == input && stage.readsAsImage($1) }
    }
    if isInsideStage { return true }
    return shape.suffix(3) == output.shape.suffix(3) && shape.suffix(2) != [1, 1]
      && body.nodes.contains { $0.op is any ElementwiseOp && $0.operands.contains(input) }
  }
}
