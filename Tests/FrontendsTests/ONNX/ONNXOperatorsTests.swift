import Foundation
import IR
import SwiftProtobuf
import Testing

@testable import Frontends

/// Operators that move data, read it through windows or are composed of others, by hand. The node tests of the ONNX package
/// hold all of them against the standard's own results.
@Suite struct ONNXOperatorsTests {
  /// What one operator makes of x, a model's input, and of further operands that are known.
  private func run(
    _ type: String, _ x: (shape: [Int], values: [Float]), _ others: [Onnx_TensorProto?] = [],
    _ attributes: [Onnx_AttributeProto] = [], outputs: Int = 1, version: Int64 = 22
  ) throws -> [Tensor<Double>] {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    var set = Onnx_OperatorSetIdProto()
    set.version = version
    model.opsetImport = [set]
    model.graph.input = [Onnx_ValueInfoProto("x", TensorType(.f32, x.shape))]
    var node = Onnx_NodeProto()
    node.opType = type
    node.input = ["x"] + others.map { $0?.name ?? "" }
    node.output = (0..<outputs).map { "y\($0)" }
    node.attribute = attributes
    model.graph.node = [node]
    model.graph.initializer = others.compactMap { $0 }
    model.graph.output = node.output.map { name in
      var output = Onnx_ValueInfoProto()
      output.name = name
      return output
    }
    let graph = try ONNXImporter.read(
      bytes: Array(try model.serializedData()), file: "m.onnx", directory: "/nowhere", name: "m")
    try GraphVerifier.verify(graph)
    return try GraphInterpreter<Double>().run(graph, inputs: [Tensor(TensorData(shape: x.shape, floats: x.values))])
  }

  private func floats(_ name: String, _ shape: [Int], _ values: [Float]) -> Onnx_TensorProto {
    Onnx_TensorProto(name, TensorData(shape: shape, floats: values))
  }

  private func integers(_ name: String, _ shape: [Int], _ values: [Int64]) -> Onnx_TensorProto {
    Onnx_TensorProto(name, TensorData(encoding: Tensor<Double>(element: .i64, shape: shape, integer: values)))
  }

  private func expect(
    _ found: Tensor<Double>, _ shape: [Int], _ values: [Double], _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(found.shape == shape, sourceLocation: location)
    guard found.count == values.count else { return }
    for (a, b) in zip(found.real, values) { #expect(abs(a - b) < 1e-6, sourceLocation: location) }
  }

  private func counting(_ shape: [Int]) -> (shape: [Int], values: [Float]) {
    (shape, (0..<shape.reduce(1, *)).map { Float($0) })
  }

  @Test func resizes() throws {
    func resize(
      _ values: [Float], to size: Int, _ attributes: [Onnx_AttributeProto]
    ) throws -> [Double] {
      let sizes = integers("sizes", [1], [Int64(size)])
      let axes = Onnx_AttributeProto.integers("axes", [2])
      return try run("Resize", ([1, 1, values.count], values), [nil, nil, sizes], attributes + [axes])[0].real
    }
    let coordinates = "coordinate_transformation_mode"
    #expect(try resize([1, 2], to: 4, []) == [1, 1, 2, 2])
    #expect(
      try resize([1, 2, 3], to: 2, [.string("nearest_mode", "ceil"), .string(coordinates, "asymmetric")]) == [1, 3])
    #expect(try resize([1, 2], to: 4, [.string("mode", "linear")]) == [1, 1.25, 1.75, 2])
    let even = try resize([1, 4], to: 4, [.string("mode", "linear"), .string(coordinates, "align_corners")])
    for place in 0..<4 { #expect(abs(even[place] - Double(place + 1)) < 1e-6) }
    // Half of the pixels, each the mean of what it covers by triangles twice as wide.
    #expect(try resize([8, 0, 0, 0], to: 2, [.string("mode", "linear"), .integer("antialias", 1)]) == [4, 0])
    // A cubic kernel returns what it is centred on.
    let cubic = try resize(
      [1, 5, 2, 7], to: 7, [.string("mode", "cubic"), .string(coordinates, "align_corners")])
    for place in 0..<4 { #expect(abs(cubic[2 * place] - [1, 5, 2, 7][place]) < 1e-6) }
    // By a scale that is no quotient of extents.
    let scaled = try run(
      "Resize", counting([1, 1, 1, 5]), [nil, floats("scales", [4], [1, 1, 1, 0.6])],
      [.string("mode", "nearest"), .string(coordinates, "asymmetric"), .string("nearest_mode", "floor")])[0]
    expect(scaled, [1, 1, 1, 3], [0, 1, 3])
    // Outside of a region there is nothing of the operand.
    let cropped = try run(
      "Resize", ([1, 1, 1, 3], [1, 2, 3]),
      [floats("roi", [2], [0, 1.5]), nil, integers("sizes", [1], [4])],
      [
        .string("mode", "linear"), .string(coordinates, "tf_crop_and_resize"), .float("extrapolation_value", 9),
        .integers("axes", [3]),
      ])[0]
    expect(cropped, [1, 1, 1, 4], [1, 2, 3, 9])
  }

  @Test func placesOfAResizeAreExact() throws {
    for (extent, size) in [(7, 20), (20, 7), (1, 9), (513, 257), (224, 97), (3, 1024)] {
      // Half-pixel centres, rounded down; and the same in whole numbers.
      let places = (0..<size).map { ((2 * $0 + 1) * extent - size).quotientAndRemainder(dividingBy: 2 * size) }
        .map { $0.remainder < 0 ? $0.quotient - 1 : $0.quotient }
      let found = try #require(evenSteps(places))
      for (i, place) in places.enumerated() {
        #expect(floorDivide(found.step * i + found.start, found.divisor) == place)
      }
      #expect(found.divisor <= size)
    }
    #expect(evenSteps([0, 3, 4]) == nil)
  }

  @Test func windowsOfAnyNumberOfAxes() throws {
    let signal = try run(
      "Conv", counting([1, 1, 5]), [floats("w", [1, 1, 2], [1, 10])],
      [.integers("strides", [2]), .integers("pads", [1, 0])])[0]
    expect(signal, [1, 1, 3], [0, 1 + 20, 3 + 40])
    // One channel of each group, every second plane.
    let volume = try run(
      "Conv", counting([1, 2, 3, 2, 2]),
      [floats("w", [2, 1, 2, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8]), floats("b", [2], [0, 100])],
      [.integer("group", 2), .integers("dilations", [2, 1, 1])])[0]
    expect(
      volume, [1, 2, 1, 2, 1],
      [
        0 + 2 * 1 + 3 * 8 + 4 * 9, 2 + 2 * 3 + 3 * 10 + 4 * 11,
        100 + 5 * 12 + 6 * 13 + 7 * 20 + 8 * 21, 100 + 5 * 14 + 6 * 15 + 7 * 22 + 8 * 23,
      ])
    let mean = try run(
      "AveragePool", counting([1, 1, 3, 3]), [],
      [.integers("kernel_shape", [2, 2]), .integers("dilations", [2, 2]), .integers("pads", [1, 1, 0, 0])])[0]
    expect(mean, [1, 1, 2, 2], [4, 4, 4, 4])
    let cube = try run("AveragePool", counting([1, 1, 2, 2, 2]), [], [.integers("kernel_shape", [2, 2, 2])])[0]
    expect(cube, [1, 1, 1, 1, 1], [3.5])
    let norm = try run(
      "LpPool", ([1, 1, 3], [3, -4, 12]), [], [.integers("kernel_shape", [2]), .integer("p", 2)])[0]
    expect(norm, [1, 1, 2], [5, Double(160).squareRoot()])
    let largest = try run(
      "MaxPool", ([1, 1, 4], [1, 7, 3, 5]), [], [.integers("kernel_shape", [2]), .integers("strides", [2])], outputs: 2)
    expect(largest[0], [1, 1, 2], [7, 5])
    #expect(largest[1].integer == [1, 3])
    expect(try run("GlobalMaxPool", counting([1, 2, 3]))[0], [1, 2, 1], [2, 5])
    expect(try run("GlobalAveragePool", counting([1, 2, 2, 1, 2]))[0], [1, 2, 1, 1, 1], [1.5, 5.5])
  }

  @Test func transposedConvolutions() throws {
    let weight = floats("w", [1, 1, 3], [1, 10, 100])
    expect(
      try run("ConvTranspose", ([1, 1, 2], [1, 2]), [weight], [.integers("strides", [2])])[0], [1, 1, 5],
      [1, 10, 102, 20, 200])
    expect(
      try run(
        "ConvTranspose", ([1, 1, 2], [1, 2]), [weight],
        [.integers("strides", [2]), .integers("pads", [1, 2]), .integers("output_padding", [1])])[0], [1, 1, 3],
      [10, 102, 20])
    // Groups keep their own channels, and each makes two.
    let grouped = try run(
      "ConvTranspose", ([1, 2, 1], [1, 2]), [floats("w", [2, 2, 1], [1, 2, 3, 4]), floats("b", [4], [0, 0, 0, 1])],
      [.integer("group", 2)])[0]
    expect(grouped, [1, 4, 1], [1, 2, 6, 9])
    let sizes = Onnx_AttributeProto.integers("output_shape", [4])
    expect(
      try run("ConvTranspose", ([1, 1, 2], [1, 2]), [weight], [.integers("strides", [2]), sizes])[0], [1, 1, 4],
      [10, 102, 20, 200])
    // Overlapping blocks add up.
    let image = try run(
      "Col2Im", ([1, 2, 2], [1, 2, 3, 4]), [integers("i", [2], [1, 3]), integers("b", [2], [1, 2])])[0]
    expect(image, [1, 1, 1, 3], [1, 5, 4])
  }

  @Test func norms() throws {
    let x: (shape: [Int], values: [Float]) = ([1, 2, 2], [1, 3, 2, 6])
    let ones = floats("s", [2], [1, 2])
    let zeros = floats("b", [2], [0, 1])
    expect(
      try run("InstanceNormalization", x, [ones, zeros], [.float("epsilon", 0)])[0], [1, 2, 2], [-1, 1, -1, 3])
    let group = try run(
      "GroupNormalization", x, [ones, zeros], [.integer("num_groups", 1), .float("epsilon", 0)])[0]
    let deviation = Double(14 / 4.0).squareRoot()
    expect(group, [1, 2, 2], [-2 / deviation, 0, -2 / deviation + 1, 6 / deviation + 1])
    expect(
      try run("RMSNormalization", ([1, 2], [1, 7]), [ones], [.float("epsilon", 0)])[0], [1, 2], [0.2, 2.8])
    expect(try run("LpNormalization", ([2, 2], [3, 4, 0, 0]))[0], [2, 2], [0.6, 0.8, 0, 0])
    let layer = try run("LayerNormalization", ([1, 2], [1, 3]), [ones], [.float("epsilon", 0)], outputs: 3)
    expect(layer[0], [1, 2], [-1, 2])
    expect(layer[1], [1, 1], [2])
    expect(layer[2], [1, 1], [1])
    expect(
      try run(
        "LRN", ([1, 3, 1, 1], [1, 2, 3]), [],
        [.integer("size", 2), .float("alpha", 2), .float("beta", 1), .float("bias", 1)])[0], [1, 3, 1, 1],
      [1.0 / 6, 2.0 / 14, 3.0 / 10])
  }

  @Test func rearrangements() throws {
    let blocks = try run("DepthToSpace", counting([1, 4, 1, 2]), [], [.integer("blocksize", 2)])[0]
    expect(blocks, [1, 1, 2, 4], [0, 2, 1, 3, 4, 6, 5, 7])
    let back = try run(
      "SpaceToDepth", ([1, 1, 2, 4], blocks.real.map { Float($0) }), [], [.integer("blocksize", 2)])[0]
    expect(back, [1, 4, 1, 2], (0..<8).map(Double.init))
    let centre = try run("CenterCropPad", counting([2, 3]), [integers("s", [2], [3, 2])])[0]
    expect(centre, [3, 2], [0, 1, 3, 4, 0, 0])
    let reversed = try run("ReverseSequence", counting([3, 2]), [integers("n", [2], [2, 3])])[0]
    expect(reversed, [3, 2], [2, 5, 0, 3, 4, 1])
    let scattered = try run(
      "ScatterElements", counting([3]), [integers("i", [2], [2, 0]), floats("u", [2], [10, 20])],
      [.string("reduction", "add")])[0]
    expect(scattered, [3], [20, 1, 12])
    let cache = try run(
      "TensorScatter", counting([1, 3, 1]), [floats("u", [1, 2, 1], [7, 8]), integers("i", [1], [2])],
      [.string("mode", "circular")])[0]
    expect(cache, [1, 3, 1], [8, 1, 7])
    let unpooled = try run(
      "MaxUnpool", ([1, 1, 1, 2], [5, 6]), [integers("i", [1, 1, 1, 2], [1, 2])],
      [.integers("kernel_shape", [1, 2]), .integers("strides", [1, 2])])[0]
    expect(unpooled, [1, 1, 1, 4], [0, 5, 6, 0])
  }

  @Test func sumsOfProducts() throws {
    func sum(_ equation: String, _ x: [Int], _ other: [Int]? = nil) throws -> Tensor<Double> {
      let second = other.map { floats("w", $0, counting($0).values) }
      return try run("Einsum", counting(x), second.map { [$0] } ?? [], [.string("equation", equation)])[0]
    }
    expect(try sum("ij->ji", [2, 3]), [3, 2], [0, 3, 1, 4, 2, 5])
    expect(try sum("...ii->...i", [2, 2, 2]), [2, 2], [0, 3, 4, 7])
    expect(try sum("ii", [3, 3]), [], [12])
    expect(try sum("ij,jk->ik", [2, 2], [2, 2]), [2, 2], [2, 3, 6, 11])
    expect(try sum("ij, kj -> ki", [2, 2], [1, 2]), [1, 2], [1, 3])
    expect(try sum("bi,bi->b", [2, 2], [2, 2]), [2], [1, 13])
    expect(try sum("...i,i", [2, 1, 2], [2]), [2, 1], [1, 3])
    expect(try sum("i,j", [2], [3]), [2, 3], [0, 0, 0, 0, 1, 2])
    expect(try sum("ij,k->k", [2, 2], [2]), [2], [0, 6])
  }

  @Test func fourierTransforms() throws {
    let whole = try run("DFT", ([1, 4, 1], [1, 2, 3, 4]), [])[0]
    expect(whole, [1, 4, 2], [10, 0, -2, 2, -2, 0, -2, -2])
    let side = try run("DFT", ([1, 4, 1], [1, 2, 3, 4]), [], [.integer("onesided", 1)])[0]
    expect(side, [1, 3, 2], [10, 0, -2, 2, -2, 0])
    let back = try run(
      "DFT", ([1, 3, 2], side.real.map { Float($0) }), [], [.integer("onesided", 1), .integer("inverse", 1)])[0]
    expect(back, [1, 4, 1], [1, 2, 3, 4])
    let padded = try run("DFT", ([1, 2, 1], [1, 1]), [integers("n", [], [4])])[0]
    expect(padded, [1, 4, 2], [2, 0, 1, -1, 0, 0, 1, 1])
  }

  @Test func attention() throws {
    // Scores of 0 and ln 3, so that the second key weighs three times the first.
    let third = Float(log(3.0))
    let keys = floats("k", [1, 1, 2, 1], [0, third])
    let values = floats("v", [1, 1, 2, 1], [1, 5])
    expect(try run("Attention", ([1, 1, 1, 1], [1]), [keys, values])[0], [1, 1, 1, 1], [4])
    let mask = floats("m", [1, 2], [0, -.infinity])
    expect(try run("Attention", ([1, 1, 1, 1], [1]), [keys, values, mask])[0], [1, 1, 1, 1], [1])
    expect(
      try run("Attention", ([1, 1, 2, 1], [1, 1]), [keys, values], [.integer("is_causal", 1)])[0], [1, 1, 2, 1], [1, 4])
    // Two heads of queries share one of keys, as rows of a flat operand.
    let flat = try run(
      "Attention", ([1, 1, 2], [1, 0]), [floats("k", [1, 2, 1], [0, third]), floats("v", [1, 2, 1], [1, 5])],
      [.integer("q_num_heads", 2), .integer("kv_num_heads", 1)])[0]
    expect(flat, [1, 1, 2], [4, 3])
    let turned = try run(
      "RotaryEmbedding", ([1, 1, 1, 4], [1, 2, 3, 4]),
      [floats("c", [1, 1, 1], [0]), floats("s", [1, 1, 1], [1])], [.integer("rotary_embedding_dim", 2)], version: 23)[0]
    expect(turned, [1, 1, 1, 4], [-2, 1, 3, 4])
  }

  @Test func losses() throws {
    let target = integers("t", [2], [1, 0])
    let x: (shape: [Int], values: [Float]) = ([2, 2], [-1, -2, -3, -5])
    expect(try run("NegativeLogLikelihoodLoss", x, [target])[0], [], [2.5])
    expect(
      try run("NegativeLogLikelihoodLoss", x, [target, floats("w", [2], [1, 3])])[0], [], [(6 + 3) / 4.0])
    expect(
      try run(
        "NegativeLogLikelihoodLoss", x, [target], [.string("reduction", "none"), .integer("ignore_index", 1)])[0], [2],
      [0, 3])
    let entropy = try run("SoftmaxCrossEntropyLoss", ([1, 2], [0, 0]), [integers("t", [1], [1])], outputs: 2)
    expect(entropy[0], [], [log(2.0)])
    expect(entropy[1], [1, 2], [-log(2.0), -log(2.0)])
  }

  @Test func recurrences() throws {
    let x: (shape: [Int], values: [Float]) = ([3, 1, 1], [1, 2, 3])
    let weight = floats("w", [1, 1, 1], [1])
    let sums = try run(
      "RNN", x, [weight, floats("r", [1, 1, 1], [10])],
      [.integer("hidden_size", 1), .strings("activations", ["Relu"])], outputs: 2)
    expect(sums[0], [3, 1, 1, 1], [1, 12, 123])
    expect(sums[1], [1, 1, 1], [123])
    let backwards = try run(
      "RNN", x, [weight, floats("r", [1, 1, 1], [10])],
      [.integer("hidden_size", 1), .strings("activations", ["Relu"]), .string("direction", "reverse")], outputs: 2)
    expect(backwards[0], [3, 1, 1, 1], [321, 32, 3])
    // All weights zero: every gate is one half, and there is nothing to remember but the state.
    let state = floats("h", [1, 1, 1], [8])
    let unit = try run(
      "GRU", x, [floats("w", [1, 3, 1], [0, 0, 0]), floats("r", [1, 3, 1], [0, 0, 0]), nil, nil, state],
      [.integer("hidden_size", 1)])[0]
    expect(unit, [3, 1, 1, 1], [4, 2, 1])
    let cells = try run(
      "LSTM", x,
      [floats("w", [1, 4, 1], [0, 0, 0, 0]), floats("r", [1, 4, 1], [0, 0, 0, 0]), nil, nil, nil, state],
      [.integer("hidden_size", 1)], outputs: 3)
    expect(cells[2], [1, 1, 1], [1])
    expect(cells[0], [3, 1, 1, 1], [tanh(4.0) / 2, tanh(2.0) / 2, tanh(1.0) / 2])
  }

  @Test func whatDoesNotFitIsRefused() {
    func refuses(
      _ type: String, _ x: [Int], _ others: [Onnx_TensorProto?] = [], _ attributes: [Onnx_AttributeProto] = [],
      because text: String, _ location: SourceLocation = #_sourceLocation
    ) {
      do {
        _ = try run(type, counting(x), others, attributes)
        Issue.record("\(type) is accepted", sourceLocation: location)
      } catch {
        #expect("\(error)".contains(text), "\(error)", sourceLocation: location)
      }
    }
    let kernel = Onnx_AttributeProto.integers("kernel_shape", [2])
    refuses("MaxPool", [1, 2, 4], [], [], because: "it has no 'kernel_shape'")
    refuses("MaxPool", [1, 2, 4], [], [kernel, .integers("strides", [0])], because: "one a spatial axis")
    refuses("MaxPool", [4], [], [kernel], because: "at least one spatial axis")
    refuses("Conv", [1, 2, 4], [floats("w", [1, 2], [0, 0])], because: "it must be of rank 3")
    refuses(
      "Conv", [1, 1, 2, 2, 2], [floats("w", [1, 1, 3, 1, 1], [0, 0, 0])], because: "its window spans 3 elements")
    refuses("ConvTranspose", [1, 2, 4], [floats("w", [1, 1, 1], [0])], because: "[2, outputs / 1, a size an axis]")
    refuses(
      "ConvTranspose", [1, 1, 1], [floats("w", [1, 1, 1], [0])], [.integers("pads", [1, 1])], because: "nothing is left"
    )
    refuses("Resize", [1, 1, 2, 2], [nil, floats("s", [4], [1, 1, 0, 1])], because: "positive numbers")
    refuses("Resize", [1, 1, 2, 2], [nil, floats("s", [4], [1, 1, .nan, 1])], because: "positive numbers")
    refuses("Resize", [2], [nil, nil, integers("s", [1], [.max])], because: "at most")
    refuses("Resize", [2], [nil, floats("s", [1], [2])], [.string("mode", "area")], because: "there is no mode 'area'")
    refuses("DepthToSpace", [1, 3, 2, 2], [], [.integer("blocksize", 2)], because: "of the channels")
    refuses("Einsum", [2, 2], [], [.string("equation", "ij->k")], because: "one that no operand has")
    refuses("Einsum", [2, 2], [], [.string("equation", "ijk->i")], because: "names 3 axes")
    refuses("Einsum", [2, 2], [], [.string("equation", "i1->i")], because: "terms are letters")
    refuses(
      "GroupNormalization", [1, 3, 2], [nil, nil], [.integer("num_groups", 2)], because: "2 groups do not divide")
    refuses("ScatterND", [2], [floats("i", [1, 1], [0]), floats("u", [1], [0])], because: "a tensor of i64 or i32")
    refuses("DFT", [1, 4, 3], because: "real and imaginary")
    refuses("Attention", [1, 1, 2], [floats("k", [1, 2, 1], [0, 0]), nil], because: "heads do not divide")
    let unit = floats("w", [1, 1, 1], [0])
    refuses("RNN", [513, 1, 1], [unit, floats("r", [1, 1, 1], [0])], because: "513 steps")
    refuses(
      "RNN", [2, 1, 1], [unit, floats("r", [1, 1, 1], [0])], [.strings("activations", ["Affine"])],
      because: "'Affine' is not supported")
  }
}

extension Onnx_AttributeProto {
  fileprivate static func strings(_ name: String, _ values: [String]) -> Self {
    var attribute = Self()
    attribute.name = name
    attribute.type = .strings
    attribute.strings = values.map { Data($0.utf8) }
    return attribute
  }
}
