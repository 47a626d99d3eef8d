import IR

/// Products one after the other, row by row: the rows in between live in rings, which fit in L2 when the whole images
/// would not.
struct RowChainKernel: Kernel {
  static let name: KernelName = "row_chain"
  static let summary = "products one after the other through rings of rows; tasks are bands of rows"
  static let phase = KernelPhase.chains

  /// What is chained, the longest first: inverted residuals, feed-forward pairs, and pairs of dense convolutions, like a
  /// stem.
  static let patterns: [[KernelName]] = [
    [PointwiseKernel.name, DepthwiseKernel.name, PointwiseKernel.name], [PointwiseKernel.name, PointwiseKernel.name],
    [ConvolutionKernel.name, ConvolutionKernel.name],
  ]

  /// How many rows a step makes, and why the products are chained at all.
  struct Schedule: KernelSchedule {
    /// Output rows of a step.
    var rows: Int
    /// Bytes of all rings with that many.
    var ringBytes: Int
    var reason: String

    init(rows: Int, ringBytes: Int, reason: String) {
      (self.rows, self.ringBytes, self.reason) = (rows, ringBytes, reason)
    }

    init(_ reader: inout AttributeReader) throws {
      rows = try reader.integer("rows", default: 1)
      ringBytes = try reader.integer("ring_bytes", default: 0)
      reason = try reader.string("reason", default: "")
      guard rows > 0 else { throw Diagnostic("the attribute 'rows' of a row_chain must be at least 1, and is \(rows)") }
    }

    var attributes: [Attribute] {
      [
        Attribute("rows", .integer(rows)), Attribute("ring_bytes", .integer(ringBytes)),
        Attribute("reason", .string(reason)),
      ]
    }
  }

  let site: FuseSite
  let schedule: Schedule
  let stages: [any ProductKernel]

  init(_ site: FuseSite) throws {
    self.site = site
    schedule = try site.schedule()
    stages = try site.body.nodes.map { part in
      guard let inner = site.nested(part), let kernel = try Kernels.read(inner) as? any ProductKernel else {
        throw site.diagnostic("holds products only, and its body has \(part.op.mnemonic)")
      }
      return kernel
    }
    let known = Set(site.operands)
    guard !stages.isEmpty, stages.allSatisfy({ $0.canBeChained && known.isSuperset(of: $0.product.residuals) }),
      zip(site.body.nodes, site.body.nodes.dropFirst()).allSatisfy({ $1.operands.first == $0.results.first }),
      site.body.outputs == site.body.nodes.last?.results
    else { throw site.diagnostic("holds products that each read the one before, row by row") }
  }

  var operandLayouts: [OperandLayout] {
    // A value outside the chain may be read by several stages: if one of them needs it as an image, it is an image.
    var found: [ValueID: OperandLayout] = [:]
    for stage in stages {
      for (operand, layout) in zip(stage.site.operands, stage.operandLayouts) where found[operand] != .image {
        found[operand] = layout == .asIs ? found[operand] ?? .asIs : layout
      }
    }
    return site.operands.map { found[$0] ?? .asIs }
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let name = lowering.layerName(of: node)
    var rows: [any RowStage] = []
    for (index, stage) in stages.enumerated() {
      rows.append(try stage.stage(named: "\(name)_\(index)", in: &lowering))
    }
    lowering.compose(rows, stages[0].product.inputs, node, rowsPerStep: schedule.rows)
  }
}

extension GraphLowering {
  /// Writes stages one after the other, from the images `inputs` to the result of `node`.
  mutating func compose(_ stages: [any RowStage], _ inputs: [ValueID], _ node: Node, rowsPerStep: Int) {
    let images = inputs.map { image($0) }
    let composer = RowComposer(
      stages: stages, input: images, output: image(node.results[0]),
      batch: graph.tensorType(of: node.results[0]).shape[0], rowsPerStep: rowsPerStep, workers: workers)
    composer.emit(into: &program, layer: ProgramBuilder.identifier(layerName(of: node)))
  }
}
