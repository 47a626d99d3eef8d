import Foundation
import Frontends
import IR
import Testing

@testable import Passes

/// From a float32 graph and inputs to one of eight bits: what it holds, how close it is, what it says of mistakes.
@Suite struct QuantizerTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  private func folded(_ model: String = "tiny") throws -> Graph {
    let path = Self.root.appendingPathComponent("Fixtures/specs/\(model).yaml").path
    var manager = PassManager()
    return try manager.run(Pipeline.folding, on: ModelLoader.load(model: path, weights: .synthetic(seed: 3)).graph)
  }

  private func inputs(_ graph: Graph, count: Int, spoiled: Int? = nil) -> CalibrationInputs {
    let shape = graph.tensorType(of: graph.inputs[0]).shape
    return CalibrationInputs(count: count, name: { "input \($0)" }) { run in
      var values = SyntheticWeights(seed: UInt64(run)).uniform("input", count: shape.reduce(1, *))
      if run == spoiled { values[5] = .infinity }
      return [TensorData(shape: shape, floats: values)]
    }
  }

  private func quantized(
    _ graph: Graph, count: Int = 3, _ change: (inout QuantizationSettings) -> Void = { _ in }
  ) throws -> (graph: Graph, report: QuantizationReport) {
    var settings = QuantizationSettings()
    change(&settings)
    return try Quantizer(graph, settings, inputs: inputs(graph, count: count)).run()
  }

  private static let small = """
    graph g(%x: f32[1,2,1,2]) -> (%y) {
      %w = constant {values = [1.27, 0.5, -0.635, 0.1]} : f32[2,2,1,1]
      %b = constant {values = [0.25, -0.5]} : f32[2]
      %a = conv2d(%x, %w, %b) {strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1} : f32[1,2,1,2] layer "first"
      %r = relu(%a) : f32[1,2,1,2] layer "act"
      %y = conv2d(%r, %w) {strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1} : f32[1,2,1,2] layer "second.conv"
    }
    """

  /// The graph as text: each product reads dequantised integers, and nothing stands between a product and its clamp.
  @Test func writesPairs() throws {
    let graph = try GraphParser.parse(Self.small, file: "small.vir")
    let data = CalibrationInputs(count: 1, name: { _ in "it" }) { _ in
      [TensorData(shape: [1, 2, 1, 2], floats: [-1.28, 0.5, 1.27, 0])]
    }
    var settings = QuantizationSettings()
    settings.range = .minmax
    settings.correctsBias = false
    let (result, report) = try Quantizer(graph, settings, inputs: data).run()
    let names = result.values.map(\.name)
    let lines = result.nodes.map { node in
      let operands = node.operands.map { names[$0.index] }.joined(separator: " ")
      return
        "\(names[node.results[0].index]) = \(node.op.mnemonic) \(operands) : \(result.tensorType(of: node.results[0]).element)"
    }
    #expect(
      lines == [
        "x.q = quantize x : i8", "x.dq = dequantize x.q : f32", "w.int8 = constant  : i8",
        "w.int8.dq = dequantize w.int8 : f32", "b.int32 = constant  : i32", "b.int32.dq = dequantize b.int32 : f32",
        "a = conv2d x.dq w.int8.dq b.int32.dq : f32", "r = relu a : f32", "r.q = quantize r : i8",
        "r.dq = dequantize r.q : f32", "w.int8.2 = constant  : i8", "w.int8.2.dq = dequantize w.int8.2 : f32",
        "y = conv2d r.dq w.int8.2.dq : f32",
      ])
    let input = try #require(result.nodes[0].op as? Quantize)
    #expect(input.quantization == Quantization(scales: [Double(Float(2.55 / 255))], zeroPoints: [0]))
    #expect(result.weights["w.int8"] == TensorData(.i8, shape: [2, 2, 1, 1], [127, 50, -127, 20]))
    #expect(result.weights["b.int32"] == TensorData(.i32, shape: [2], [2500, -10000]))
    #expect(report.pairs == 2 && report.layers.map(\.name) == ["first", "second.conv"])
    // Two weights of four, each with two scales; the bias.
    #expect(report.weightBytesBefore == 4 * 4 + 2 * 4 && report.weightBytesAfter == 2 * (4 + 2 * 4) + 2 * 4)
    let text = GraphPrinter.print(result)
    #expect(GraphPrinter.print(try GraphParser.parse(text, file: "again.vir")) == text)
  }

  @Test(arguments: ["tiny", "dynamic", "small", "pvig_onnx"]) func staysClose(_ model: String) throws {
    let graph = try folded(model)
    let (result, report) = try quantized(graph)
    #expect(report.layers.allSatisfy { $0.isQuantized })
    #expect(report.output.decibels > (model == "tiny" || model == "small" ? 20 : 5), "\(report.output.decibels)")
    // Most of what the small Pyramid ViG has are positions, which stay float.
    if model != "pvig_onnx" {
      #expect(Double(report.weightBytesAfter) < 0.5 * Double(report.weightBytesBefore))
    }
    // No product reads floats that were not integers.
    let definitions = result.definitions
    for node in result.nodes where node.op is Conv2D {
      #expect(node.operands.allSatisfy { definitions[$0].map { result.nodes[$0].op is Dequantize } ?? false })
    }
  }

  /// Rounding shifts the mean of an output; the corrected bias takes that back.
  @Test func biasesMakeUpForRounding() throws {
    let graph = try GraphParser.parse(
      Self.small.replacing("1.27, 0.5, -0.635, 0.1", with: "1.0, 0.0041, 0.0038, -1.0"), file: "s.vir")
    let data = CalibrationInputs(count: 2, name: { "\($0)" }) { run in
      [TensorData(shape: [1, 2, 1, 2], floats: [Float(0.5), 0.75, 1, Float(run)])]
    }
    func meanError(_ corrects: Bool) throws -> Double {
      var settings = QuantizationSettings()
      settings.correctsBias = corrects
      settings.range = .minmax
      settings.kept = ["second"]
      let result = try Quantizer(graph, settings, inputs: data).run().graph
      let place = try #require(result.values.firstIndex { $0.name == "a" })
      var errors = [0.0, 0.0]
      for run in 0..<2 {
        var (float, integer): ([Float], [Float]) = ([], [])
        let inputs = try data.tensors(run).map { Tensor<Float>($0) }
        _ = try GraphInterpreter<Float>().run(graph, inputs: inputs) { node, results in
          if node.layer == "first", node.op is Conv2D { float = results[0].tensor.real }
        }
        _ = try GraphInterpreter<Float>().run(result, inputs: inputs) { node, results in
          if node.results[0] == ValueID(place) { integer = results[0].tensor.real }
        }
        for (position, (a, b)) in zip(integer, float).enumerated() { errors[position / 2] += Double(a) - Double(b) }
      }
      return errors.map(abs).max() ?? 0
    }
    let (without, with) = (try meanError(false), try meanError(true))
    #expect(with < without / 2, "\(with) with it, \(without) without")
  }

  @Test func keepsLayers() throws {
    let graph = try folded()
    let names = try quantized(graph, count: 1).report.layers.map(\.name)
    let module = "backbone.0.0"
    let (_, report) = try quantized(graph, count: 1) { $0.kept = [names[0], module] }
    let kept = report.layers.filter { !$0.isQuantized }.map(\.name)
    #expect(kept == names.filter { $0 == names[0] || $0.hasPrefix("\(module).") } && kept.count > 2)
    let problem = #expect(throws: Diagnostic.self) { try quantized(graph, count: 1) { $0.kept = [names[0] + "x"] } }
    #expect(problem?.message == "no convolution or matrix product of tiny is in a layer '\(names[0])x'")
    #expect(problem?.notes.first?.contains(names[0]) == true)
    // With everything in float nothing is lost.
    #expect(try quantized(graph, count: 1) { $0.kept = names }.report.output.decibels == .infinity)
  }

  @Test func reachesARatio() throws {
    let graph = try folded()
    let all = try quantized(graph).report.output.decibels
    let (_, report) = try quantized(graph) { $0.leastRatio = all + 3 }
    let kept = report.layers.filter { !$0.isQuantized }
    #expect(report.output.decibels >= all + 3)
    #expect((1..<report.layers.count).contains(kept.count))
    // Those that lose most were kept.
    let losses = report.layers.filter(\.isQuantized).compactMap(\.alone?.decibels)
    #expect(kept.compactMap(\.alone?.decibels).max() ?? .infinity <= losses.min() ?? -.infinity)
    #expect(try quantized(graph) { $0.leastRatio = all - 1 }.report.layers.allSatisfy { $0.isQuantized })
  }

  @Test func refusesWhatItCannotQuantise() throws {
    let graph = try folded()
    let bad = #expect(throws: Diagnostic.self) {
      try Quantizer(graph, QuantizationSettings(), inputs: inputs(graph, count: 2, spoiled: 1)).run()
    }
    #expect(bad?.message.hasPrefix("on input 1 the float model computes inf") == true)
    let none = #expect(throws: Diagnostic.self) {
      try Quantizer(graph, QuantizationSettings(), inputs: inputs(graph, count: 0)).run()
    }
    #expect(none?.message == "there is no calibration input")
    let again = try quantized(graph, count: 1).graph
    let twice = #expect(throws: Diagnostic.self) { try quantized(again, count: 1) }
    #expect(twice?.message == "tiny is quantised already; give the model that it was made of")
    let empty = try GraphParser.parse("graph g(%x: f32[1,2]) -> (%y) {\n%y = relu(%x) : f32[1,2]\n}", file: "e.vir")
    #expect(throws: Diagnostic.self) { try quantized(empty, count: 1) }
  }
}
