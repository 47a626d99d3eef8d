import Foundation
import Frontends
import IR
import Testing

@testable import Passes

/// The registry of kernels, and that a fuse which is not its kernel's is refused with words.
@Suite struct KernelsTests {
  /// Every `...Kernel.swift` below Passes/Kernels is a kernel in a folder of its own.
  @Test func registryListsTheFolders() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/Passes/Kernels")
    let files = try FileManager.default.subpathsOfDirectory(atPath: root.path())
      .filter { $0.hasSuffix("Kernel.swift") && $0 != "Kernel.swift" && !$0.hasSuffix("ProductKernel.swift") }
    let names = files.map { URL(filePath: $0).deletingPathExtension().lastPathComponent }
    #expect(names.sorted() == Kernels.all.map { String(describing: $0) }.sorted(), "Kernels.all and the folders differ")
    #expect(Set(files.map { URL(filePath: $0).deletingLastPathComponent().path() }).count == files.count)
    #expect(Set(Kernels.all.map { $0.name.description }).count == Kernels.all.count)
  }

  private static func diagnostics(_ text: String) throws -> [String] {
    let graph = try GraphParser.parse(text, file: "test.vir")
    return GraphVerifier.diagnostics(graph, fuses: Kernels.rules).map(\.description)
  }

  private static func pool(_ kernel: String, schedule: String = "", op: String = "average_pool") -> String {
    let window =
      " {kernel = [2, 2], strides = [2, 2], padding = [0, 0, 0, 0], count_include_pad = true, ceil_mode = false}"
    let attributes = op == "average_pool" ? window : ""
    let shape = op == "average_pool" ? "f32[1,3,2,2]" : "f32[1,3,4,4]"
    return """
      graph g(%x: f32[1,3,4,4]) -> (%y) {
        %y = fuse "\(kernel)" (%x)\(schedule) : \(shape) graph body(%x: f32[1,3,4,4]) -> (%y) {
          %y = \(op)(%x)\(attributes) : \(shape)
        }
      }
      """
  }

  @Test func aFuseOfItsKernelVerifies() throws {
    #expect(try Self.diagnostics(Self.pool("average_pool")) == [])
  }

  @Test func unknownKernel() throws {
    let found = try Self.diagnostics(Self.pool("average_pol"))
    #expect(found.count == 1 && found[0].contains("there is no kernel 'average_pol'; is 'average_pool' meant?"))
  }

  @Test func bodyOfAnotherKernel() throws {
    let found = try Self.diagnostics(Self.pool("average_pool", op: "relu"))
    #expect(found.count == 1 && found[0].contains("average_pool runs one average_pool, and the body holds relu"))
  }

  @Test func attributeThatTheKernelDoesNotKnow() throws {
    let found = try Self.diagnostics(Self.pool("average_pool", schedule: " {rows = 2}"))
    #expect(found.count == 1 && found[0].contains("has no attribute 'rows'"))
  }

  @Test func operandInAnotherLayout() throws {
    let text = """
      graph g(%x: f32[1,3,4,4], %r: f32[1,2,4,4] channels_last(8)) -> (%y) {
        %w = constant {name = "w"} : f32[2,3,1,1]
        %y = fuse "pointwise" (%x, %w, %r) : f32[1,2,4,4] channels_last(8) graph body(%x: f32[1,3,4,4], %w: f32[2,3,1,1], %r: f32[1,2,4,4] channels_last(8)) -> (%y) {
          %c = conv2d(%x, %w) {strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1} : f32[1,2,4,4]
          %p = convert_layout(%c) {channels_last = 8} : f32[1,2,4,4] channels_last(8)
          %y = add(%p, %r) : f32[1,2,4,4] channels_last(8)
        }
      }
      """
    var graph = try GraphParser.parse(text, file: "test.vir")
    graph.weights["w"] = TensorData(shape: [2, 3, 1, 1], floats: [1, 2, 3, 4, 5, 6])
    let target = CompilationTarget(target: try Target.named("avx2"), workers: 1)
    let error = #expect(throws: Diagnostic.self) { try GraphLowering.lower(graph, for: target) }
    #expect(error?.message.contains("reads %x as an image, channels_last(8), and it is f32[1,3,4,4]") == true)
  }

  /// Names of a model's values and modules may be those of loops.
  @Test func loopVariablesAndValuesShareNames() throws {
    for name in ["image", "y", "share", "first", "class", "block", "pixel", "for", "let", "image_1"] {
      let text = """
        graph g(%x: f32[2,3,4,4]) -> (%out) {
          %w = constant {name = "w"} : f32[2,3,1,1]
          %\(name) = conv2d(%x, %w) {strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1} : f32[2,2,4,4] layer "\(name)"
          %p = average_pool(%\(name)) {kernel = [2, 2], strides = [2, 2], padding = [0, 0, 0, 0], count_include_pad = true, ceil_mode = false} : f32[2,2,2,2]
          %out = average_pool(%p) {kernel = [2, 2], strides = [2, 2], padding = [0, 0, 0, 0], count_include_pad = true, ceil_mode = false} : f32[2,2,1,1]
        }
        """
      let target = try Target.named("avx2")
      var graph = try GraphParser.parse(text, file: "test.vir")
      graph.weights["w"] = TensorData(shape: [2, 3, 1, 1], floats: [1, 2, 3, 4, 5, 6])
      var manager = PassManager()
      graph = try manager.run(Pipeline.passes(for: target), on: graph)
      let program = try GraphLowering.lower(graph, for: CompilationTarget(target: target, workers: 2))
      try program.verify(target: target)
    }
  }

  /// The loops over residue classes are called `first` and `class`, as these values are.
  @Test func loopsOverClassesAndValuesShareNames() throws {
    let offsets = "(2,0) (4,0) (6,0) (8,0) (10,0) (0,2) (0,4) (0,6) (0,8) (0,10)"
    func step(_ result: String, _ input: String, _ graph: String) -> String {
      """
        %\(graph) = neighborhood(%\(input)) {kind = "dagc", step = 2} : neighborhood<gated_offsets \(offsets), 1x12x12>
        %\(result) = aggregate(%\(input), %\(graph)) {kind = "max_relative", direction = "neighbor_minus_self", start = 0.0} : f32[1,8,12,12] layer "\(result)"
      """
    }
    let steps = [step("first", "x", "g"), step("class", "first", "h"), step("out", "class", "i")]
    let text = "graph names(%x: f32[1,8,12,12]) -> (%out) {\n\(steps.joined(separator: "\n"))\n}\n"
    let target = try Target.named("avx2")
    var manager = PassManager()
    let passes = Pipeline.passes(for: target, lowerings: LoweringRequests(["*": "class_pairs"]))
    let graph = try manager.run(passes, on: try GraphParser.parse(text, file: "test.vir"))
    let program = try GraphLowering.lower(graph, for: CompilationTarget(target: target, workers: 2))
    try program.verify(target: target)
  }

  /// A graph may be that of another image than the one that is aggregated over it.
  @Test func maxRelativeReadsWhatItAggregates() throws {
    let text = """
      graph other(%x: f32[1,8,7,5], %z: f32[1,8,7,5]) -> (%out) {
        %n = neighborhood(%x) {kind = "svga", step = 2} : neighborhood<offsets (2,0) (4,0) (6,0) (0,2) (0,4), 1x7x5>
        %out = aggregate(%z, %n) {kind = "max_relative", direction = "self_minus_neighbor", start = 0.0} : f32[1,8,7,5]
      }
      """
    let graph = try GraphParser.parse(text, file: "test.vir")
    let images = (0..<2).map { SyntheticWeights(seed: UInt64($0)).uniform("image", count: 280) }
    let tensors = images.map { Tensor<Double>(shape: [1, 8, 7, 5], real: $0.map(Double.init)) }
    let expected = try GraphInterpreter<Double>().run(graph, inputs: tensors)[0].real
    let target = try Target.named("avx2")
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: graph)
    #expect(optimized.nodes.contains { ($0.op as? Fuse)?.kernel == MaxRelativeKernel.name })
    let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: 1))
    try program.verify(target: target)
    let inputs = ["input_0": images[0], "input_1": images[1]]
    let found = try LoopInterpreter(program: program, target: target).run(floats: inputs)["output"] ?? []
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) <= 1e-6) }
  }

  /// Kernels are for float32: other elements keep their plain loops.
  @Test(arguments: ["f64", "f16"]) func otherElementsHaveNoKernel(_ element: String) throws {
    let text = """
      graph other(%x: \(element)[1,8,7,5]) -> (%out) {
        %n = neighborhood(%x) {kind = "svga", step = 2} : neighborhood<offsets (2,0) (4,0) (6,0) (0,2) (0,4), 1x7x5>
        %out = aggregate(%x, %n) {kind = "max_relative", direction = "self_minus_neighbor", start = 0.0} : \(element)[1,8,7,5]
      }
      """
    let target = try Target.named("avx2")
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: try GraphParser.parse(text, file: "test.vir"))
    #expect(!optimized.nodes.contains { $0.op is Fuse })
  }

  /// What a user writes wrongly is the user's mistake, not the first pass's.
  @Test func wrongFuseIsRefusedBeforeThePasses() throws {
    let graph = try GraphParser.parse(Self.pool("average_pol"), file: "test.vir")
    var manager = PassManager()
    #expect(throws: DiagnosticList.self) { try manager.run([FoldConstants()], on: graph) }
  }
}
