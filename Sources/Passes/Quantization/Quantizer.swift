import IR

/// Post-training quantisation: a float32 graph and calibration inputs in, the graph with pairs and a report out.
public struct Quantizer {
  /// So many inputs are enough to put layers in order.
  private static let sampleSize = 8

  private let graph: Graph
  private let settings: QuantizationSettings
  private let inputs: CalibrationInputs
  private let progress: (String) -> Void
  /// Products that integers could compute, by their places in the graph's nodes.
  private let products: [Int]

  /// - Parameters:
  ///   - graph: Folded (`Pipeline.folding`): what stands between products would stand between integers.
  ///   - progress: Told from time to time what is going on.
  public init(
    _ graph: Graph, _ settings: QuantizationSettings, inputs: CalibrationInputs,
    progress: @escaping (String) -> Void = { _ in }
  ) throws {
    self.graph = graph
    self.settings = settings
    self.inputs = inputs
    self.progress = progress
    products = QuantizationPlacement.candidates(graph)
    if graph.nodes.contains(where: { $0.op is Quantize || $0.op is Dequantize }) {
      throw Diagnostic("\(graph.name) is quantised already; give the model that it was made of")
    }
    if products.isEmpty {
      throw Diagnostic("\(graph.name) has no convolution and no matrix product in float32, and nothing to quantise")
    }
    if inputs.count == 0 { throw Diagnostic("there is no calibration input") }
  }

  public func run() throws -> (graph: Graph, report: QuantizationReport) {
    var kept = try namedProducts()
    // Of all layers: fewer of them in integers have pairs after fewer values, and never after others.
    let placement = QuantizationPlacement(graph, activations: settings.activations)
    let ranges = try calibratedRanges(placement)
    let means = settings.correctsBias ? try calibratedMeans(placement, ranges) : nil
    let builder = Builder(graph: graph, settings: settings, means: means, ranges: ranges)
    var alone: [Int: SignalNoise] = [:]
    if settings.measuresAlone { alone = try measuredAlone(builder) }
    if let least = settings.leastRatio {
      kept = try reaching(least, from: kept, builder, &alone)
    }
    let quantized = try builder.graph(keeping: kept)
    let report = try report(quantized.written, quantized.placement, keeping: kept, alone)
    let result = quantized.written.graph.compacted()
    try GraphVerifier.verify(result)
    return (result, report)
  }

  // MARK: Layers

  private func layerName(_ position: Int) -> String {
    let node = graph.nodes[position]
    return node.layer.isEmpty ? graph.values[node.results[0].index].name : node.layer
  }

  /// The products of the layers that the settings keep: of a layer, or of all below a module.
  private func namedProducts() throws -> Set<Int> {
    var kept: Set<Int> = []
    for name in settings.kept {
      let found = products.filter { position in
        let layer = layerName(position)
        return layer == name || layer.hasPrefix("\(name).") || layer.hasPrefix("\(name)/")
      }
      if found.isEmpty {
        let names = products.map(layerName)
        let close = nearest(to: name, among: names)
        throw Diagnostic(
          "no convolution or matrix product of \(graph.name) is in a layer '\(name)'",
          notes: close.isEmpty
            ? ["there are \(names.prefix(5).joined(separator: ", ")), ..."]
            : ["is one of these meant? \(close.joined(separator: ", "))"])
      }
      kept.formUnion(found)
    }
    return kept
  }

  // MARK: Calibration

  private func tensors(_ run: Int) throws -> [Tensor<Float>] { try inputs.tensors(run).map { Tensor($0) } }

  /// The range of each value with a pair after it.
  private func calibratedRanges(_ placement: QuantizationPlacement) throws -> [ValueID: ClosedRange<Double>] {
    var statistics = CalibrationStatistics(graph, values: placement.paired)
    for run in 0..<inputs.count {
      progress("calibrating, input \(run + 1) of \(inputs.count)")
      try statistics.add(tensors(run), what: inputs.name(run))
    }
    return statistics.histograms.mapValues { settings.range.range(of: $0) }
  }

  /// The means of what products read, in a second run over the inputs: rounding needs the ranges.
  private func calibratedMeans(
    _ placement: QuantizationPlacement, _ ranges: [ValueID: ClosedRange<Double>]
  ) throws -> ProductMeans {
    let joined = placement.ranges(ranges)
    var quantizations: [ValueID: Quantization] = [:]
    for value in placement.products.flatMap({ graph.nodes[$0].operands.prefix(2) }) where placement.isPaired(value) {
      quantizations[value] = joined[placement.representative(of: value)].map { Quantization(covering: $0) }
    }
    var means = ProductMeans(graph, quantizations: quantizations)
    for run in 0..<inputs.count {
      progress("correcting biases, input \(run + 1) of \(inputs.count)")
      try means.add(tensors(run))
    }
    return means
  }

  // MARK: What it costs

  /// The outputs' ratio for each product if it alone is quantised, over a sample of the inputs.
  private func measuredAlone(_ builder: Builder) throws -> [Int: SignalNoise] {
    let sample = Array(0..<min(Self.sampleSize, inputs.count))
    let reference = try sample.map { try GraphInterpreter<Float>().run(graph, inputs: tensors($0)) }
    var result: [Int: SignalNoise] = [:]
    for (number, position) in products.enumerated() {
      progress("measuring layer \(number + 1) of \(products.count) alone")
      let candidate = try builder.graph(keeping: Set(products).subtracting([position])).written.evaluated()
      var noise = SignalNoise()
      for (run, expected) in zip(sample, reference) {
        noise.add(try GraphInterpreter<Float>().run(candidate, inputs: tensors(run)), reference: expected)
      }
      result[position] = noise
    }
    return result
  }

  /// The fewest of the layers that lose most, kept in float, with which the outputs reach a ratio. More layers need not
  /// be better, but all of them are exact: so there is a number that reaches it, found by doubling and bisection.
  private func reaching(
    _ least: Double, from kept: Set<Int>, _ builder: Builder, _ alone: inout [Int: SignalNoise]
  ) throws -> Set<Int> {
    func ratio(_ kept: Set<Int>) throws -> Double {
      progress("measuring with \(kept.count) of \(products.count) layers in float")
      let candidate = try builder.graph(keeping: kept).written.evaluated()
      var noise = SignalNoise()
      for run in 0..<inputs.count {
        let tensors = try tensors(run)
        let expected = try GraphInterpreter<Float>().run(graph, inputs: tensors)
        noise.add(try GraphInterpreter<Float>().run(candidate, inputs: tensors), reference: expected)
      }
      return noise.decibels
    }
    if try ratio(kept) >= least { return kept }
    if alone.isEmpty { alone = try measuredAlone(builder) }
    let order = products.filter { !kept.contains($0) }.sorted {
      (alone[$0]?.decibels ?? .infinity, $0) < (alone[$1]?.decibels ?? .infinity, $1)
    }
    var tooFew = 0
    var enough = 1
    while enough < order.count, try ratio(kept.union(order.prefix(enough))) < least {
      tooFew = enough
      enough = min(2 * enough, order.count)
    }
    while enough - tooFew > 1 {
      let middle = (tooFew + enough) / 2
      if try ratio(kept.union(order.prefix(middle))) >= least { enough = middle } else { tooFew = middle }
    }
    return kept.union(order.prefix(enough))
  }

  private func report(
    _ written: QuantizedGraph, _ placement: QuantizationPlacement, keeping kept: Set<Int>, _ alone: [Int: SignalNoise]
  ) throws -> QuantizationReport {
    let layers = products.map { position in
      QuantizationReport.Layer(
        name: layerName(position), op: graph.nodes[position].op.mnemonic, isQuantized: !kept.contains(position),
        alone: alone[position])
    }
    var report = QuantizationReport(
      model: graph.name, settings: settings, runs: inputs.count, layers: layers, pairs: placement.paired.count)
    let results = products.map { graph.nodes[$0].results[0] }
    let places = Dictionary(uniqueKeysWithValues: results.enumerated().map { ($0.element, $0.offset) })
    let names = Dictionary(results.enumerated().map { (written.name(of: $0.element), $0.offset) }) { first, _ in first }
    let candidate = try written.evaluated()
    for run in 0..<inputs.count {
      progress("comparing, input \(run + 1) of \(inputs.count)")
      let tensors = try tensors(run)
      var expected: [Int: [Float]] = [:]
      let outputs = try GraphInterpreter<Float>().run(graph, inputs: tensors) { node, results in
        if let place = places[node.results[0]] { expected[place] = results[0].tensor.real }
      }
      let found = try GraphInterpreter<Float>().run(candidate, inputs: tensors) { node, results in
        guard let place = names[candidate.values[node.results[0].index].name],
          let reference = expected.removeValue(forKey: place)
        else { return }
        report.layers[place].result.add(results[0].tensor.real, reference: reference)
      }
      report.output.add(found, reference: outputs)
    }
    report.weightBytesBefore = graph.compacted().weightBytes
    report.weightBytesAfter = written.graph.compacted().weightBytes
    return report
  }
}

/// Makes graphs of one calibration, with more or fewer layers in float.
private struct Builder {
  var graph: Graph
  var settings: QuantizationSettings
  var means: ProductMeans?
  var ranges: [ValueID: ClosedRange<Double>]

  func graph(keeping kept: Set<Int>) throws -> (written: QuantizedGraph, placement: QuantizationPlacement) {
    let placement = QuantizationPlacement(graph, activations: settings.activations, keeping: kept)
    let quantizations = placement.ranges(ranges).mapValues { Quantization(covering: $0) }
    let means = means
    let written = try QuantizedGraph(graph, placement, quantizations: quantizations) { means?.mean(of: $0) }
    return (written, placement)
  }
}

extension QuantizationPlacement {
  /// For each set of values of one quantisation the least range that holds all of theirs.
  func ranges(_ ranges: [ValueID: ClosedRange<Double>]) -> [ValueID: ClosedRange<Double>] {
    var result: [ValueID: ClosedRange<Double>] = [:]
    func widen(_ value: ValueID, _ range: ClosedRange<Double>) {
      let set = representative(of: value)
      let old = result[set] ?? range
      result[set] = min(old.lowerBound, range.lowerBound)...max(old.upperBound, range.upperBound)
    }
    for value in paired {
      guard let range = ranges[value] else { preconditionFailure("a value with a pair was not calibrated") }
      widen(value, range)
    }
    for (value, range) in additions { widen(value, range) }
    return result
  }
}

extension QuantizedGraph {
  /// The graph with what depends on constants alone computed once, for many runs: the same numbers.
  fileprivate func evaluated() throws -> Graph { try FoldConstants().run(graph.compacted()) }
}

extension SignalNoise {
  fileprivate mutating func add(_ found: [Tensor<Float>], reference: [Tensor<Float>]) {
    for (tensor, expected) in zip(found, reference) {
      if case .real(let values) = tensor.storage, case .real(let wanted) = expected.storage {
        add(values, reference: wanted)
      }
    }
  }
}

extension Graph {
  /// Bytes of all constants, and of the scales of weights. Those of biases follow from them.
  fileprivate var weightBytes: Int {
    nodes.reduce(0) { sum, node in
      switch node.op {
      case let constant as Constant: sum + constant.type.count * constant.type.element.byteCount
      case let dequantize as Dequantize
      where dequantize.quantization.axis != nil && tensorType(of: node.operands[0]).element == .i8:
        sum + 4 * dequantize.quantization.scales.count
      default: sum
      }
    }
  }
}
