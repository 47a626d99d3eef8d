import IR

extension GraphLowering {
  /// A product over a whole image: pointwise and dense convolutions split by output channels, depthwise by rows.
  mutating func lowerProduct(_ fuse: Fuse, _ node: Node) throws {
    let graph = graph
    var fusion = try ProductFusion(fuse, operands: node.operands) { graph.constant($0) }
    fusion.epilogue.nameSteps(in: &program)
    switch fusion.kind {
    case .pointwise: try lowerPointwise(fusion, node)
    case .convolution: lowerConvolution(fusion, node)
    case .depthwise:
      let heights = DepthwiseKernel.Heights(input: fusion.inputShape[2], output: fusion.outputShape[2])
      if depthwiseKernel(fusion).loopsOverRows(heights) { return lowerDepthwise(fusion, heights, node) }
      let stage = depthwiseStage(fusion, name: constantHint(node))
      composed([stage], fusion.inputs, node, rowsPerStep: 1)
    }
  }

  /// Products one after the other through rings of rows.
  mutating func lowerRowChain(_ fuse: Fuse, _ node: Node) throws {
    let outer = Dictionary(uniqueKeysWithValues: zip(fuse.body.inputs, node.operands))
    let graph = graph
    var stages: [any RowStage] = []
    var inputs: [ValueID] = []
    var rows = 1
    for case .integer(let value) in fuse.schedule.filter({ $0.name == "rows" }).map(\.value) { rows = value }
    for (index, part) in fuse.body.nodes.enumerated() {
      guard let product = part.op as? Fuse else { throw Diagnostic("a row chain holds products only") }
      // Values made inside the chain never reach memory of their own. They are numbered apart from the graph's, whose
      // constants they would pass for.
      let operands = part.operands.map { outer[$0] ?? ValueID(graph.values.count + $0.index) }
      var fusion = try ProductFusion(product, operands: operands) { graph.constant($0) }
      fusion.epilogue.nameSteps(in: &program)
      let name = "\(constantHint(node))_\(index)"
      switch fusion.kind {
      case .pointwise: stages.append(pointwiseStage(fusion, name: name))
      case .depthwise: stages.append(depthwiseStage(fusion, name: name))
      case .convolution: stages.append(convolutionStage(fusion, name: name))
      }
      if index == 0 { inputs = fusion.inputs }
    }
    composed(stages, inputs, node, rowsPerStep: rows)
  }

  private mutating func composed(_ stages: [any RowStage], _ inputs: [ValueID], _ node: Node, rowsPerStep: Int) {
    let images = inputs.map { image($0) }
    let composer = RowComposer(
      stages: stages, input: images, output: image(node.results[0]),
      batch: graph.tensorType(of: node.results[0]).shape[0], rowsPerStep: rowsPerStep, workers: program.workers)
    composer.emit(into: &program, layer: ProgramBuilder.identifier(constantHint(node)))
  }

  private func constantHint(_ node: Node) -> String {
    node.layer.isEmpty ? graph.values[node.results[0].index].name : node.layer
  }

  private func padded(_ channels: Int) -> Int { roundUp(channels, toMultipleOf: lanes) }

  private mutating func channelConstants(_ fusion: ProductFusion, name: String) -> [String] {
    let width = padded(fusion.outputShape[1])
    return fusion.channelVectors.enumerated().map { index, vector in
      program.constant(
        "\(name)_channel_\(index)", vector.map { Float($0) } + [Float](repeating: 0, count: width - vector.count))
    }
  }

  /// The segments of a pointwise product: one an input image, each with its own pixel stride.
  private func segments(_ channels: [Int]) -> [PointwiseKernel.Segment] {
    channels.map { PointwiseKernel.Segment(channels: $0, stride: padded($0)) }
  }

  /// The weights of a pointwise product from output `firstChannel` on, for a reduction over these channels of each input,
  /// one input after the other.
  private func pack(
    _ fusion: ProductFusion, _ panels: ProductPanels, firstChannel: Int, reads: [Range<Int>]
  ) -> [Float] {
    let steps = reads.enumerated().flatMap { input, channels in channels.map { (input: input, channel: $0) } }
    return panels.pack(pieces: reads.map(\.count)) { channel, step in
      fusion.weight(firstChannel + channel, input: steps[step].input, channel: steps[step].channel)
    }
  }

  private mutating func pointwiseStage(_ fusion: ProductFusion, name: String) -> PointwiseStage {
    let shape = fusion.outputShape
    let depth = fusion.weightShape[1]
    let target = target
    // One packing serves every number of pixels, so the panels' widths come from the schedule of a full row.
    let widths = program.schedule(depth: depth, pixels: max(shape[3], 48), channels: shape[1])
    let panels = ProductPanels(schedule: widths, lanes: lanes, channels: shape[1])
    let weights = program.constant("\(name)_weights", pack(fusion, panels, firstChannel: 0, reads: [0..<depth]))
    let bias = program.constant("\(name)_bias", panels.pack { fusion.bias($0, rows: 0..<1, columns: 0..<1) })
    let stride = panels.paddedChannels
    let parts = segments([depth])
    let epilogue = fusion.epilogue
    let residuals = fusion.residuals.map { residualImage($0) }
    return PointwiseStage(
      kernel: { pixels in
        PointwiseKernel(
          pixels: pixels, segments: parts, outputStride: stride, epilogue: epilogue,
          panels: panels.retiled(target, depth: depth, pixels: pixels), prefetchesWeights: false)
      },
      width: shape[3], height: shape[2], outputRowElements: shape[3] * stride, weights: weights, bias: bias,
      channelVectors: channelConstants(fusion, name: name), residuals: residuals)
  }

  private func depthwiseKernel(_ fusion: ProductFusion) -> DepthwiseKernel {
    DepthwiseKernel(
      channels: fusion.outputShape[1], inputWidth: fusion.inputShape[3], rows: fusion.rows, columns: fusion.columns,
      outputWidth: fusion.outputShape[3], epilogue: fusion.epilogue, lanes: lanes)
  }

  /// The packed weights and bias of a depthwise product.
  private mutating func depthwiseConstants(
    _ fusion: ProductFusion, _ kernel: DepthwiseKernel, name: String
  ) -> (weights: String, bias: String) {
    (
      program.constant("\(name)_weights", kernel.pack { fusion.weight($0, 0, $1, $2) }),
      program.constant("\(name)_bias", kernel.pack { fusion.bias($0, rows: 0..<1, columns: 0..<1) })
    )
  }

  /// A depthwise convolution whose kernel rows are a loop: the kernel needs the whole image, which the rows of a chain never
  /// are. Tasks are rows.
  private mutating func lowerDepthwise(_ fusion: ProductFusion, _ heights: DepthwiseKernel.Heights, _ node: Node) {
    let name = constantHint(node)
    let kernel = depthwiseKernel(fusion)
    let (weights, bias) = depthwiseConstants(fusion, kernel, name: name)
    let vectors = channelConstants(fusion, name: name).map { LoopArgument.view(buffer: $0, 0) }
    let input = image(fusion.inputs[0])
    let residuals = fusion.residuals.map { residualImage($0) }
    let output = image(node.results[0])
    let function = kernel.function(heights, in: &program)
    let order: LoopStatement.Order = program.workers > 1 ? .parallel : .serial
    var entry = program.entry
    entry.loop("image", 0, .constant(fusion.outputShape[0])) { builder, image in
      builder.loop("y", 0, .constant(heights.output), order: order) { builder, y in
        builder.call(
          function,
          [input.view(image: image, row: 0), .view(buffer: weights, 0), .view(buffer: bias, 0)]
            + residuals.map { $0.view(image: image, row: y) } + vectors
            + [output.view(image: image, row: y), .index(y)])
      }
    }
    program.entry = entry
  }

  private mutating func depthwiseStage(_ fusion: ProductFusion, name: String) -> ConvolutionStage {
    let kernel = depthwiseKernel(fusion)
    let (weights, bias) = depthwiseConstants(fusion, kernel, name: name)
    return ConvolutionStage(
      function: { taps, program in kernel.function(taps: taps, in: &program) },
      rows: fusion.rows, inputHeight: fusion.inputShape[2], outputHeight: fusion.outputShape[2],
      outputRowElements: fusion.outputShape[3] * kernel.paddedChannels, weights: weights, bias: bias,
      channelVectors: channelConstants(fusion, name: name), residuals: fusion.residuals.map { residualImage($0) })
  }

  /// The output channels of one task, and the channels of each input that they read.
  private struct Share {
    var firstChannel: Int
    var channels: Int
    var reads: [Range<Int>] = []

    var depth: Int { reads.reduce(0) { $0 + $1.count } }
  }

  /// Output channels cut into at most `workers` shares of whole vectors, all but the last of one size.
  private func shares(_ channels: Int) -> [Share] {
    let vectors = ceilDivide(channels, lanes)
    let each = ceilDivide(vectors, max(1, min(program.workers, vectors))) * lanes
    return stride(from: 0, to: channels, by: each).map { Share(firstChannel: $0, channels: min(each, channels - $0)) }
  }

  /// A pointwise product's shares. Those of a grouped one read their own groups' channels only: as few groups together as
  /// make whole vectors of outputs and whole channels of each input, each such run of groups cut further where there
  /// are more workers than runs. Where a share has several groups, weights from one to another are zeros.
  ///
  /// - Returns: the shares, and how many in a row read the same channels.
  private func pointwiseShares(_ fusion: ProductFusion, inputs channels: [Int]) -> (shares: [Share], alike: Int) {
    let groups = fusion.convolution.groups
    if groups == 1 || channels.count > 1 && !fusion.isInterleaved {
      let shares = shares(fusion.outputShape[1]).map { share in
        Share(firstChannel: share.firstChannel, channels: share.channels, reads: channels.map { 0..<$0 })
      }
      return (shares, shares.count)
    }
    let (outputs, inputs) = fusion.group
    let turns = channels.count
    let run =
      (1...groups).first { ($0 * outputs).isMultiple(of: lanes) && ($0 * inputs).isMultiple(of: turns) } ?? groups
    let vectors = ceilDivide(run * outputs, lanes)
    let wanted = ceilDivide(program.workers, ceilDivide(groups, run))
    // Equal parts of every run, so that all of them are the same call.
    let isEven = groups.isMultiple(of: run) && (run * outputs).isMultiple(of: lanes)
    let parts = isEven ? (1...vectors).first { $0 >= wanted && vectors.isMultiple(of: $0) } ?? vectors : 1
    let shares = stride(from: 0, to: groups, by: run).flatMap { first in
      let end = min(first + run, groups)
      let each = (end - first) * outputs / parts
      let reads = channels.map { _ in (first * inputs / turns)..<(end * inputs / turns) }
      return (0..<parts).map { Share(firstChannel: first * outputs + $0 * each, channels: each, reads: reads) }
    }
    return (shares, parts)
  }

  /// Writes one call a share: a plain call where there is one, otherwise a loop over the shares, parallel if there are
  /// several workers.
  /// - Parameter call: the call of a share, given where the share's panel offsets start as a multiple of the task.
  private mutating func overShares(
    _ shares: [Share], images: Int, _ call: (inout ProgramBuilder, Share, LoopIndex, LoopIndex) -> LoopStatement
  ) {
    guard let first = shares.first, let last = shares.last else { return }
    var entry = program.entry
    entry.loop("image", 0, .constant(images)) { builder, image in
      if shares.count == 1 {
        builder.append(call(&program, first, 0, image))
        return
      }
      let order: LoopStatement.Order = program.workers > 1 ? .parallel : .serial
      builder.loop("share", 0, .constant(shares.count), order: order) { builder, task in
        if first.channels == last.channels {
          builder.append(call(&program, first, task, image))
        } else {
          let full = call(&program, first, task, image)
          let rest = call(&program, last, task, image)
          builder.ifIndex([LoopComparison(task, .less, .constant(shares.count - 1))]) {
            $0.append(full)
          } else: {
            $0.append(rest)
          }
        }
      }
    }
    program.entry = entry
  }

  private mutating func lowerPointwise(_ fusion: ProductFusion, _ node: Node) throws {
    let shape = fusion.outputShape
    let depth = fusion.inputShape[1]
    let name = constantHint(node)
    // Images lie one behind the other, so a batch is one run of pixels; channels-last or, for single pixels, row-major.
    let pixels = shape[0] * shape[2] * shape[3]
    let stride = fusion.outputLayout == .rowMajor ? shape[1] : padded(shape[1])
    let channels = fusion.inputs.map { graph.tensorType(of: $0).shape[1] }
    guard channels.reduce(0, +) == depth else {
      throw Diagnostic("the inputs of '\(name)' do not have the \(depth) channels it reads")
    }
    let (shares, alike) = pointwiseShares(fusion, inputs: channels)
    var weights: [Float] = []
    var bias: [Float] = []
    var schedules: [Int: ProductSchedule] = [:]
    for share in shares {
      let schedule = program.schedule(depth: share.depth, pixels: pixels, channels: share.channels)
      schedules[share.channels] = schedule
      let panels = ProductPanels(schedule: schedule, lanes: lanes, channels: share.channels)
      weights += pack(fusion, panels, firstChannel: share.firstChannel, reads: share.reads)
      bias += panels.pack { fusion.bias(share.firstChannel + $0, rows: 0..<1, columns: 0..<1) }
    }
    let weightName = program.constant("\(name)_weights", weights)
    let biasName = program.constant("\(name)_bias", bias)
    let vectors = channelConstants(fusion, name: name)
    let inputs = fusion.inputs.map { buffer(for: $0) }
    let residuals = fusion.residuals.map { buffer(for: $0) }
    let output = buffer(for: node.results[0])
    let step = shares.first?.channels ?? 0
    let stepPadded = padded(step)
    // Every share but the last is whole vectors, none left over.
    let stepWeights = stepPadded * (shares.first?.depth ?? 0)
    // How far the channels read move on, from one run of shares that read the same to the next.
    let readSteps =
      alike < shares.count ? zip(shares[0].reads, shares[alike].reads).map { $1.lowerBound - $0.lowerBound } : []
    let lanes = lanes
    overShares(shares, images: 1) { program, share, task, _ in
      let schedule = schedules[share.channels] ?? ProductSchedule(panels: [])
      let kernel = PointwiseKernel(
        pixels: pixels,
        segments: zip(share.reads, channels).map {
          PointwiseKernel.Segment(channels: $0.count, stride: roundUp($1, toMultipleOf: lanes))
        },
        outputStride: stride, epilogue: fusion.epilogue,
        panels: ProductPanels(schedule: schedule, lanes: lanes, channels: share.channels))
      let function = kernel.function(in: &program)
      return .call(
        function,
        inputs.enumerated().map { index, input in
          .view(buffer: input, readSteps.isEmpty ? 0 : task / alike * readSteps[index])
        }
          + [.view(buffer: weightName, task * stepWeights), .view(buffer: biasName, task * stepPadded)]
          + residuals.map { .view(buffer: $0, task * stepPadded) }
          + vectors.map { .view(buffer: $0, task * stepPadded) }
          + [.view(buffer: output, task * step)])
    }
  }

  /// Dense convolutions of equal channels share a kernel; weights and biases lie one share behind the other.
  private struct DenseConvolution {
    /// By the channels of a share.
    var kernels: [Int: DenseConvolutionKernel] = [:]
    var weights: [Float] = []
    var bias: [Float] = []
    /// Bias vectors of a share: several where the input is normalised on the way in.
    var biasCount = 1
  }

  private mutating func denseConvolution(_ fusion: ProductFusion, _ shares: [Share]) -> DenseConvolution {
    let shape = fusion.outputShape
    let layout: DenseConvolutionKernel.Input
    switch fusion.inputLayout {
    case .rowMajor: layout = .rowMajor(stride: fusion.inputShape[2] * fusion.inputShape[3])
    case .channelsLast: layout = .channelsLast(stride: padded(fusion.inputShape[1]))
    }
    let classes = fusion.normalization.map { _ in
      BorderClasses(
        rows: fusion.rows, columns: fusion.columns, outputHeight: shape[2], outputWidth: shape[3],
        inputHeight: fusion.inputShape[2], inputWidth: fusion.inputShape[3])
    }
    var parts = DenseConvolution(biasCount: classes?.count ?? 1)
    let depth = fusion.weightShape[1] * fusion.weightShape[2] * fusion.weightShape[3]
    for share in shares {
      // The taps of a pixel are no one run of inputs to sum left-over channels along.
      let schedule = program.schedule(depth: depth, pixels: shape[3], channels: padded(share.channels))
      let panels = ProductPanels(schedule: schedule, lanes: lanes, channels: share.channels)
      parts.kernels[share.channels] = DenseConvolutionKernel(
        input: layout, inputChannels: fusion.inputShape[1], inputHeight: fusion.inputShape[2],
        inputWidth: fusion.inputShape[3], rows: fusion.rows, columns: fusion.columns, outputHeight: shape[2],
        outputWidth: shape[3], outputStride: padded(shape[1]), epilogue: fusion.epilogue, panels: panels,
        biasClasses: classes)
      let inputChannels = fusion.weightShape[1]
      parts.weights += panels.pack(pieces: [depth]) { channel, step in
        let tap = step / inputChannels
        return fusion.weight(
          share.firstChannel + channel, step % inputChannels, tap / fusion.weightShape[3], tap % fusion.weightShape[3])
      }
      for rows in classes?.rowReaches ?? [0..<fusion.weightShape[2]] {
        for columns in classes?.columnReaches ?? [0..<fusion.weightShape[3]] {
          parts.bias += panels.pack { fusion.bias(share.firstChannel + $0, rows: rows, columns: columns) }
        }
      }
    }
    return parts
  }

  /// A dense convolution as a stage of a chain: all channels of a row a call.
  private mutating func convolutionStage(_ fusion: ProductFusion, name: String) -> ConvolutionStage {
    let shape = fusion.outputShape
    let parts = denseConvolution(fusion, [Share(firstChannel: 0, channels: shape[1])])
    guard let kernel = parts.kernels[shape[1]] else { preconditionFailure("every share has a kernel") }
    return ConvolutionStage(
      function: { taps, program in kernel.rowFunction(taps: taps, in: &program) },
      rows: fusion.rows, inputHeight: fusion.inputShape[2], outputHeight: shape[2],
      outputRowElements: shape[3] * padded(shape[1]), weights: program.constant("\(name)_weights", parts.weights),
      bias: program.constant("\(name)_bias", parts.bias), channelVectors: channelConstants(fusion, name: name),
      residuals: fusion.residuals.map { residualImage($0) })
  }

  /// An image that an epilogue reads: the same one for every image of a batch where it is only one.
  private mutating func residualImage(_ value: ValueID) -> RowImage {
    var place = image(value)
    if graph.tensorType(of: value).shape[0] == 1 { place.imageElements = 0 }
    return place
  }

  private mutating func lowerConvolution(_ fusion: ProductFusion, _ node: Node) {
    let shape = fusion.outputShape
    let name = constantHint(node)
    let shares = shares(shape[1])
    let parts = denseConvolution(fusion, shares)
    let weightName = program.constant("\(name)_weights", parts.weights)
    let biasName = program.constant("\(name)_bias", parts.bias)
    let vectors = channelConstants(fusion, name: name)
    let input = image(fusion.inputs[0])
    let residuals = fusion.residuals.map { residualImage($0) }
    let output = image(node.results[0])
    let step = padded(shares.first?.channels ?? 0)
    overShares(shares, images: shape[0]) { program, share, task, image in
      guard let kernel = parts.kernels[share.channels] else { preconditionFailure("every share has a kernel") }
      let function = kernel.imageFunction(in: &program)
      func shifted(_ place: RowImage) -> LoopArgument {
        .view(buffer: place.buffer, image * place.imageElements + task * step)
      }
      return .call(
        function,
        [
          input.view(image: image, row: 0), .view(buffer: weightName, task * (step * kernel.depth)),
          .view(buffer: biasName, task * (step * parts.biasCount)),
        ] + residuals.map(shifted) + vectors.map { .view(buffer: $0, task * step) } + [shifted(output)])
    }
  }
}

extension Graph {
  /// Contents of a value that is a float32 constant of the graph.
  func constant(_ value: ValueID) -> [Double]? {
    nodes.first { $0.results.contains(value) }.flatMap { contents(of: $0) }
  }
}
