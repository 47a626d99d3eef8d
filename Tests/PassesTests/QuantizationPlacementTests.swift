import IR
import Testing

@testable import Passes

/// Where pairs stand in small graphs, and which of them have one quantisation.
@Suite struct QuantizationPlacementTests {
  private static let plain = "{strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1}"

  /// A graph on %x, with weights %w of two channels, that returns %y.
  private func graph(_ body: String) throws -> Graph {
    let text = """
      graph g(%x: f32[1,2,4,4]) -> (%y) {
        %w = constant {values = [1.0, 0.5, -0.25, 2.0]} : f32[2,2,1,1]
      \(body.replacing("conv(", with: "conv2d(").replacing("%w)", with: "%w) \(Self.plain)"))
      }
      """
    let graph = try GraphParser.parse(text, file: "test.vir")
    try GraphVerifier.verify(graph)
    return graph
  }

  /// The names of the values with a pair after them.
  private func pairs(
    _ body: String, activations: ActivationForm = .table, keeping kept: [String] = []
  ) throws -> [String] {
    let graph = try graph(body)
    let positions = graph.nodes.indices.filter { kept.contains(graph.values[graph.nodes[$0].results[0].index].name) }
    let placement = QuantizationPlacement(graph, activations: activations, keeping: Set(positions))
    return placement.paired.map { graph.values[$0.index].name }.sorted()
  }

  private static let image = ": f32[1,2,4,4]"

  @Test func noneBeforeAClamp() throws {
    let body = """
      %a = conv(%x, %w) \(Self.image)
      %r = relu(%a) \(Self.image)
      %y = conv(%r, %w) \(Self.image)
      """
    #expect(try pairs(body) == ["r", "x"])
    #expect(try pairs(body.replacing("relu", with: "relu6")) == ["r", "x"])
  }

  @Test func activationsAreTables() throws {
    let body = """
      %a = conv(%x, %w) \(Self.image)
      %g = gelu(%a) {approximation = "none"} \(Self.image)
      %y = conv(%g, %w) \(Self.image)
      """
    #expect(try pairs(body) == ["a", "g", "x"])
    #expect(try pairs(body, activations: .float) == ["g", "x"])
    // What stays float has its activation in float.
    #expect(try pairs(body, keeping: ["a"]) == ["g"])
    #expect(try pairs(body, keeping: ["y"]) == ["x"])
    #expect(try pairs(body, keeping: ["a", "y"]) == [])
  }

  /// A chain of functions of one element is one table.
  @Test func chainsAreOneTable() throws {
    let body = """
      %h = constant {values = [0.5]} : f32[]
      %a = conv(%x, %w) \(Self.image)
      %s = sigmoid(%a) \(Self.image)
      %t = tanh(%s) \(Self.image)
      %m = multiply(%t, %h) \(Self.image)
      %y = conv(%m, %w) \(Self.image)
      """
    #expect(try pairs(body) == ["a", "m", "x"])
  }

  @Test func additionsBelongToTheProduct() throws {
    let residual = """
      %a = conv(%x, %w) \(Self.image)
      %s = add(%a, %x) \(Self.image)
      %y = conv(%s, %w) \(Self.image)
      """
    #expect(try pairs(residual) == ["s", "x"])
    // Of two products one can belong to it.
    let both = """
      %a = conv(%x, %w) \(Self.image)
      %b = conv(%x, %w) \(Self.image)
      %s = add(%b, %a) \(Self.image)
      %r = relu(%s) \(Self.image)
      %y = conv(%r, %w) \(Self.image)
      """
    #expect(try pairs(both) == ["a", "r", "x"])
    // A product that others read as well is a value of its own.
    let read = """
      %a = conv(%x, %w) \(Self.image)
      %s = add(%a, %x) \(Self.image)
      %t = multiply(%s, %a) \(Self.image)
      %y = conv(%t, %w) \(Self.image)
      """
    #expect(try pairs(read) == ["a", "s", "t", "x"])
  }

  /// Nothing that only outputs read is rounded, and softmax computes floats.
  @Test func floatsStayFloat() throws {
    #expect(try pairs("%y = conv(%x, %w) \(Self.image)") == ["x"])
    let softmax = """
      %a = conv(%x, %w) \(Self.image)
      %s = softmax(%a) {axis = 1} \(Self.image)
      %b = conv(%s, %w) \(Self.image)
      %y = sigmoid(%b) \(Self.image)
      """
    #expect(try pairs(softmax) == ["s", "x"])
  }

  @Test func movesAndJointsHaveOneQuantisation() throws {
    let body = """
      %a = conv(%x, %w) \(Self.image)
      %n = neighborhood(%a) {kind = "svga", step = 2} : neighborhood<offsets (2,0) (0,2), 1x4x4>
      %m = aggregate(%a, %n) {kind = "max_relative", direction = "self_minus_neighbor", start = 0.0} \(Self.image)
      %c = concat(%a, %m) {axis = 1} : f32[1,4,4,4]
      %f = reshape(%c) {shape = [1, 2, 8, 4]} : f32[1,2,8,4]
      %p = global_average_pool(%f) : f32[1,2,1,1]
      %y = conv(%p, %w) : f32[1,2,1,1]
      """
    let graph = try graph(body)
    let placement = QuantizationPlacement(graph, activations: .table)
    #expect(try pairs(body) == ["a", "c", "f", "m", "p", "x"])
    func set(_ name: String) throws -> ValueID {
      let value = try #require(graph.values.firstIndex { $0.name == name })
      return placement.representative(of: ValueID(value))
    }
    for name in ["m", "c", "f"] { #expect(try set(name) == set("a")) }
    #expect(try set("x") != set("a"))
    #expect(try set("p") != set("a"))
    let ranges: [String: ClosedRange<Double>] = [
      "a": -2...1, "m": 0...3, "c": -2...3, "f": -1...1, "p": -1...1, "x": -4...4,
    ]
    let byValue = Dictionary(
      uniqueKeysWithValues: placement.paired.map { ($0, ranges[graph.values[$0.index].name] ?? 0...0) })
    let joined = placement.ranges(byValue)
    #expect(joined[try set("a")] == -2...3)
    #expect(joined[try set("x")] == -4...4)
    #expect(joined.count == 3)
  }

  /// What a border or a constant part adds belongs to the range.
  @Test func bordersWidenTheRange() throws {
    let body = """
      %k = constant {values = [7.0, -9.0]} : f32[1,2,1,1]
      %a = global_average_pool(%x) : f32[1,2,1,1]
      %c = concat(%a, %k) {axis = 3} : f32[1,2,1,2]
      %p = pad(%c) {before = [0, 0, 0, 0], after = [0, 0, 0, 1], value = 11.0, mode = "constant"} : f32[1,2,1,3]
      %y = conv(%p, %w) : f32[1,2,1,3]
      """
    let placement = QuantizationPlacement(try graph(body), activations: .table)
    let ranges = Dictionary(uniqueKeysWithValues: placement.paired.map { ($0, -1.0...1.0) })
    #expect(Set(placement.ranges(ranges).values) == [-9...11, -1...1])
  }

  @Test func matrixProducts() throws {
    let body = """
      %v = constant {values = [1.0, 0.5, -0.25, 2.0, 1.0, 0.5, -0.25, 2.0]} : f32[4,2]
      %k = constant {values = [0.5, -0.5]} : f32[2]
      %m = matmul(%x, %v) : f32[1,2,4,2]
      %b = add(%m, %k) : f32[1,2,4,2]
      %t = transpose(%b) {permutation = [0, 1, 3, 2]} : f32[1,2,2,4]
      %q = matmul(%b, %t) : f32[1,2,4,4]
      %y = conv(%q, %w) \(Self.image)
      """
    #expect(try pairs(body) == ["b", "q", "t", "x"])
  }
}
