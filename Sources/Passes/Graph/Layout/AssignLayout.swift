import IR

/// Gives every image between kernels the channels-last, padded layout the kernels work in, and converts if a general op
/// or the caller wants row-major memory.
///
///     %a = fuse "convolution" (%input)         %a = fuse "convolution" (%input) : ... channels_last(8)
///     %b = softmax(%a)                   =>    %a.rows = convert_layout(%a)
///                                              %b = softmax(%a.rows)
///
/// If the graph was laid out for another target before, those layouts are dropped first.
///
/// The kernel says which operand is an image. The first convolution reads the caller's row-major image itself, and a
/// product of single pixels writes unpadded row-major logits itself: neither costs a copy.
public struct AssignLayout: Pass {
  public static let name = "assign-layout"
  public static let summary = "gives kernels channels-last images and converts at their borders"

  public var lanes: Int

  public init(target: Target) { lanes = target.lanes }

  private var padded: Layout { .channelsLast(padding: lanes) }

  public func run(_ graph: Graph) throws -> Graph {
    let isForeign = graph.hasLayouts { $0 != .rowMajor && $0 != padded }
    let assigned = try GraphRewriter.rewrite(isForeign ? graph.withoutLayouts() : graph) { rewriter, node in
      if let fuse = node.op as? Fuse { return try kernel(&rewriter, fuse, node) }
      if node.op is ConvertLayout || node.op is Constant { return nil }
      let operands = try node.operands.map { try converted(&rewriter, $0, to: .rowMajor, like: node) }
      return try rewriter.add(node.op, operands, name: rewriter.name(of: node), like: node)
    }
    return try convertOutputs(assigned)
  }

  /// Gives each operand the layout that the fuse's kernel reads it in.
  private func kernel(_ rewriter: inout GraphRewriter, _ fuse: Fuse, _ node: Node) throws -> [ValueID] {
    guard let site = rewriter.site(node) else { return node.results }
    let layouts = try Kernels.read(site).operandLayouts
    var operands: [ValueID] = []
    for (operand, layout) in zip(node.operands, layouts) {
      guard let type = rewriter.graph.type(of: operand).tensor, type.rank == 4, type.layout != padded else {
        operands.append(operand)
        continue
      }
      switch layout {
      case .asIs: operands.append(operand)
      case .imageOrRowMajor where type.layout == .rowMajor: operands.append(operand)
      case .image, .imageOrRowMajor:
        if let constant = rewriter.definition(of: operand)?.op as? Constant {
          operands.append(try packed(&rewriter, constant, operand, like: node))
        } else {
          operands.append(try converted(&rewriter, operand, to: padded, like: node))
        }
      }
    }
    let retyped = try fuse.retyped(operands.map(rewriter.graph.type(of:)), padded: padded)
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

  /// Row-major outputs; a kernel that can write one takes the conversion in.
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
        let (fuse, producer) = rewriter.single(Fuse.self, node.operands[0]), let site = rewriter.site(producer),
        try Kernels.read(site).canWriteRowMajor
      else { return nil }
      let types = producer.operands.map(rewriter.graph.type(of:))
      return try rewriter.add(
        fuse.retyped(types, appending: [convert]), producer.operands, name: rewriter.name(of: node), like: producer)
    }
  }
}
