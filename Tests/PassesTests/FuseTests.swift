import Frontends
import IR
import Testing

@testable import Passes

/// Graphs whose fuses a user wrote, or that vigc wrote for another target: the same numbers as anywhere else.
@Suite struct FuseTests {
  private static let plain = "{strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1}"
  private static let padded = "{strides = [1, 1], padding = [1, 1, 1, 1], dilation = [1, 1], groups = 1}"

  private static func error(_ text: String, target: String, workers: Int = 1) throws -> Double {
    let graph = try GraphParser.parse(text, file: "test.vir")
    return try LoweringTests.error(graph, target: target, workers: workers)
  }

  /// Weights that folding makes constants are constants to the kernels' rules as well.
  @Test(arguments: ["scalar", "avx2"]) func weightsThatAreFolded(_ target: String) throws {
    let text = """
      graph g(%x: f32[1,3,4,4]) -> (%y) {
        %flat = constant {name = "flat"} : f32[6]
        %w = reshape(%flat) {shape = [2, 3, 1, 1]} : f32[2,3,1,1]
        %s = constant {name = "scale"} : f32[2]
        %t = reshape(%s) {shape = [1, 2, 1, 1]} : f32[1,2,1,1]
        %y = fuse "pointwise" (%x, %w, %t) : f32[1,2,4,4] graph b(%x: f32[1,3,4,4], %w: f32[2,3,1,1], %t: f32[1,2,1,1]) -> (%y) {
          %c = conv2d(%x, %w) \(Self.plain) : f32[1,2,4,4]
          %y = multiply(%c, %t) : f32[1,2,4,4]
        }
      }
      """
    #expect(try Self.error(text, target: target) < 1e-6)
  }

  /// A constant in the result's shape comes first: the result is an image all the same.
  @Test(arguments: ["scalar", "avx2", "avx512"]) func constantFirst(_ target: String) throws {
    let text = """
      graph g(%x: f32[1,6,3,3]) -> (%y) {
        %w = constant {name = "w"} : f32[5,6,3,3]
        %k = constant {name = "k"} : f32[1,5,1,1]
        %c = conv2d(%x, %w) \(Self.plain) : f32[1,5,1,1]
        %y = subtract(%k, %c) : f32[1,5,1,1]
      }
      """
    #expect(try Self.error(text, target: target) < 1e-6)
  }

  /// The image that a convolution reads row-major is added as well: one operand that both read as an image.
  @Test(arguments: ["scalar", "avx2", "avx512"]) func inputThatIsAdded(_ target: String) throws {
    let text = """
      graph g(%x: f32[2,3,6,5]) -> (%y) {
        %w = constant {name = "w"} : f32[3,3,3,3]
        %c = conv2d(%x, %w) \(Self.padded) : f32[2,3,6,5]
        %r = relu(%c) : f32[2,3,6,5]
        %y = add(%r, %x) : f32[2,3,6,5]
      }
      """
    for workers in 1...2 { #expect(try Self.error(text, target: target, workers: workers) < 1e-6) }
  }

  /// One image is added to each of a batch: by a dense convolution in its registers, by the others after it.
  @Test(arguments: ["scalar", "avx2", "avx512"]) func imageThatABatchShares(_ target: String) throws {
    let text = """
      graph g(%x: f32[3,4,6,5], %r: f32[1,4,6,5]) -> (%dense, %pointwise, %depthwise) {
        %w = constant {name = "w"} : f32[4,4,3,3]
        %c = conv2d(%x, %w) \(Self.padded) : f32[3,4,6,5]
        %dense = add(%c, %r) : f32[3,4,6,5]
        %v = constant {name = "v"} : f32[4,4,1,1]
        %d = conv2d(%x, %v) \(Self.plain) : f32[3,4,6,5]
        %pointwise = add(%d, %r) : f32[3,4,6,5]
        %u = constant {name = "u"} : f32[4,1,3,3]
        %e = conv2d(%x, %u) {strides = [1, 1], padding = [1, 1, 1, 1], dilation = [1, 1], groups = 4} : f32[3,4,6,5]
        %depthwise = add(%e, %r) : f32[3,4,6,5]
      }
      """
    for workers in 1...2 { #expect(try Self.error(text, target: target, workers: workers) < 1e-6) }
  }

  /// Layouts of one target mean nothing to another: what was optimised for the one compiles for the other.
  @Test(arguments: ["scalar", "avx2", "avx512"], ["scalar", "avx2", "avx512"])
  func laidOutForAnotherTarget(_ first: String, _ second: String) throws {
    let text = """
      graph g(%x: f32[2,3,9,8]) -> (%s, %logits) {
        %a = constant {name = "a"} : f32[6,3,3,3]
        %b = constant {name = "b"} : f32[12,6,1,1]
        %d = constant {name = "d"} : f32[12,1,3,3]
        %e = constant {name = "e"} : f32[6,12,1,1]
        %f = constant {name = "f"} : f32[10,6,1,1]
        %stem = conv2d(%x, %a) \(Self.padded) : f32[2,6,9,8]
        %wide = conv2d(%stem, %b) \(Self.plain) : f32[2,12,9,8]
        %taps = conv2d(%wide, %d) {strides = [1, 1], padding = [1, 1, 1, 1], dilation = [1, 1], groups = 12} : f32[2,12,9,8]
        %narrow = conv2d(%taps, %e) \(Self.plain) : f32[2,6,9,8]
        %sum = add(%narrow, %stem) : f32[2,6,9,8]
        %s = softmax(%sum) {axis = 1} : f32[2,6,9,8]
        %p = global_average_pool(%sum) : f32[2,6,1,1]
        %logits = conv2d(%p, %f) \(Self.plain) : f32[2,10,1,1]
      }
      """
    var graph = try GraphParser.parse(text, file: "test.vir")
    LoweringTests.fillWeights(&graph, seed: 0)
    var manager = PassManager()
    let laidOut = try manager.run(Pipeline.passes(for: Target.named(first)), on: graph)
    let read = try GraphParser.parse(GraphPrinter.print(laidOut), file: "laid_out.vir")
    #expect(try LoweringTests.error(read, target: second) < 1e-6)
  }

  /// A kernel that writes images ends in a conversion to rows: the conversion is not the kernel's.
  @Test(arguments: ["scalar", "avx2"]) func rowsThatAKernelDoesNotWrite(_ target: String) throws {
    let text = """
      graph g(%x: f32[1,3,6,5]) -> (%y) {
        %w = constant {name = "w"} : f32[4,3,3,3]
        %c = fuse "convolution" (%x, %w) : f32[1,4,6,5] graph b(%x: f32[1,3,6,5], %w: f32[4,3,3,3]) -> (%r) {
          %c = conv2d(%x, %w) \(Self.padded) : f32[1,4,6,5]
          %p = convert_layout(%c) {channels_last = 4} : f32[1,4,6,5] channels_last(4)
          %r = convert_layout(%p) : f32[1,4,6,5]
        }
        %y = relu(%c) : f32[1,4,6,5]
      }
      """
    #expect(try Self.error(text, target: target) < 1e-6)
    // Lowered as it stands, nothing has dropped the conversion.
    var graph = try GraphParser.parse(text, file: "test.vir")
    LoweringTests.fillWeights(&graph, seed: 0)
    let place = CompilationTarget(target: try Target.named(target), workers: 1)
    let error = #expect(throws: Diagnostic.self) { try GraphLowering.lower(graph, for: place) }
    #expect(error?.message.contains("writes %r as an image") == true)
  }
}
