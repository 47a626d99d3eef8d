import IR
import Testing

@Suite struct GraphTextTests {
  /// A graph of one case: its tensors as inputs and constants, its neighbourhood as an input of that type.
  static func graph(_ test: OpCase) throws -> Graph {
    var graph = Graph(name: "case")
    let operands = test.types.enumerated().map { place, type in
      let id = graph.addValue(type, name: "in\(place)")
      graph.inputs.append(id)
      return id
    }
    graph.outputs = try graph.add(test.op, operands, name: "out", layer: "some.\"layer\" \\ 1")
    return graph
  }

  @Test(arguments: OpCase.all) func everyOpRoundTrips(_ test: OpCase) throws {
    let graph = try Self.graph(test)
    let text = GraphPrinter.print(graph)
    let again = try GraphParser.parse(text)
    #expect(again.isIdentical(to: graph))
    #expect(GraphPrinter.print(again) == text)
    try GraphVerifier.verify(again)
  }

  /// One graph that uses what the syntax has.
  static let sample = """
    // A comment.
    graph mobilevig_ti {weights = "synthetic:0"} (%input: f32[1,3,8,6]) -> (%logits) {
      %w = constant {name = "stem.stem.0.weight"} : f32[5,3,3,3]
      %b = constant {values = [1.0, -0.1, 1e-40, inf, nan]} : f32[5]  // inline
      %c = conv2d(%input, %w, %b) {strides = [2, 2], padding = [1, 1, 1, 1], dilation = [1, 1], groups = 1}
        : f32[1,5,4,3] layer "stem.stem.0"
      %n = neighborhood(%c) {kind = "svga", step = 1}
        : neighborhood<offsets (1,0)..(3,0) by (1,0) (0,1) (0,2), 1x4x3>
      %r = aggregate(%c, %n) {kind = "max_relative", direction = "self_minus_neighbor", start = 0.0} : f32[1,5,4,3]
      %t = convert_layout(%r) {channels_last = 8} : f32[1,5,4,3] channels_last(8)
      %f, %"f 2" = fuse "pointwise" (%t, %c) {tile = [4, 3], peel = true, ratio = 0.5, how = "rows"}
        : f32[1,5,4,3] channels_last(8), f32[1,5,4,3] layer "backbone.0"
        graph body(%x: f32[1,5,4,3] channels_last(8), %y: f32[1,5,4,3]) -> (%z, %y) {
          %z = gelu(%x) {approximation = "none"} : f32[1,5,4,3] channels_last(8)
        }
      %back = convert_layout(%f) : f32[1,5,4,3]
      %p = global_average_pool(%back) : f32[1,5,1,1]
      %logits = reshape(%p) {shape = [1, 5]} : f32[1,5]
    }
    """

  @Test func sampleRoundTrips() throws {
    let graph = try GraphParser.parse(Self.sample)
    let text = GraphPrinter.print(graph)
    let again = try GraphParser.parse(text)
    #expect(again.isIdentical(to: graph))
    #expect(GraphPrinter.print(again) == text)
    #expect(graph.weightSource == "synthetic:0")
    #expect(graph.nodes.map(\.op.mnemonic).contains("fuse"))
    #expect(text.contains("%n = neighborhood(%c) {kind = \"svga\", step = 1} : "))
    #expect(text.contains("%f, %\"f 2\" = fuse \"pointwise\" (%t, %c) {tile = [4, 3], peel = true"))
    try GraphVerifier.verify(graph)
  }

  @Test func typesRoundTrip() throws {
    var graph = Graph(name: "a name\nof two lines")
    let scale = Quantization(scales: [0.1, 1e-30], zeroPoints: [0, -3], axis: 1)
    let offsets = [(0, 0), (0, 0), (0, 0), (3, -1), (1, 0), (2, 0), (3, 0), (5, 5)].map { Offset(dy: $0.0, dx: $0.1) }
    let forms: [NeighborhoodForm] = [
      .offsets([]), .offsets(offsets), .gatedOffsets(offsets), .indices(count: 9, candidates: 196),
      .incidence(hyperedges: 25),
    ]
    for element in ElementType.allCases {
      graph.inputs.append(graph.addValue(.tensor(TensorType(element, [2, 3])), name: "x"))
    }
    graph.inputs.append(graph.addValue(.tensor(TensorType(.i8, [4, 2], quantization: scale)), name: "q/x.1"))
    graph.inputs.append(graph.addValue(.tensor(TensorType(.f32, [])), name: "a//b"))
    for form in forms {
      let type = NeighborhoodType(form, batch: 2, height: 7, width: 5)
      graph.inputs.append(graph.addValue(.neighborhood(type), name: "1..2"))
    }
    graph.outputs = [graph.inputs[0]]
    let again = try GraphParser.parse(GraphPrinter.print(graph))
    #expect(again.isIdentical(to: graph))
  }

  @Test func randomFloatsKeepTheirBits() throws {
    var state: UInt64 = 88
    var values: [Double] = [0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e22, 3]
    for _ in 0..<500 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let value = Double(bitPattern: state)
      if !value.isNaN { values.append(value) }
    }
    var graph = Graph(name: "floats")
    let type = TensorType(.f64, [values.count])
    graph.outputs = try graph.add(Constant(type: type, source: .inline(values)), [])
    let again = try GraphParser.parse(GraphPrinter.print(graph))
    let constant = try #require(again.nodes[0].op as? Constant)
    guard case .inline(let read) = constant.source else { throw Diagnostic("not inline") }
    #expect(read.map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func differencesAreSeen() throws {
    let graph = try GraphParser.parse(Self.sample)
    let edits = [
      ("groups = 1", "groups = 1", true), ("tile = [4, 3]", "tile = [4, 2]", false), ("%back", "%front", false),
      ("synthetic:0", "synthetic:1", false), ("\"pointwise\"", "\"other\"", false),
      ("stem.stem.0\"\n", "stem\"\n", false),
      ("-0.1", "-0.2", false), ("mobilevig_ti", "mobilevig_s", false), ("%z = gelu", "%z  =  gelu", true),
      ("approximation = \"none\"", "approximation = \"tanh\"", false), ("start = 0.0", "start = -0.0", false),
    ]
    for (old, new, isSame) in edits {
      let parts = Self.sample.split(separator: old, omittingEmptySubsequences: false)
      #expect(parts.count > 1, "\(old) is not in the sample")
      let edited = try GraphParser.parse(parts.joined(separator: new))
      #expect(edited.isIdentical(to: graph) == isSame, "\(old) to \(new)")
    }
  }
}
