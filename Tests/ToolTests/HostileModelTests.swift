import Foundation
import Frontends
import IR
import Testing

/// Models that no exporter wrote: whatever they say of sizes and attributes, they get one line and status 1.
@Suite struct HostileModelTests {
  /// The one line that a command refuses with, less `vigc: error: `.
  private func refusal(_ arguments: [String], sourceLocation: SourceLocation) async throws -> String {
    let outcome = try await Tool.run(Tool.path, arguments)
    #expect(outcome.status == 1, "\(outcome.output)\(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("vigc: ") }.count == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
    return outcome.firstError.replacing("vigc: error: ", with: "", maxReplacements: 1)
  }

  /// Holds the line for a file against what is expected, less the file's name and its place in it.
  private func expect(
    _ message: String, of contents: [UInt8], in type: String, _ more: [String] = ["--target", "scalar"],
    command: String = "check", sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await withFolder { folder in
      let path = "\(folder)/m.\(type)"
      try Data(contents).write(to: URL(fileURLWithPath: path))
      let line = try await refusal([command, path] + more, sourceLocation: sourceLocation)
      let place = line.hasPrefix(path) ? line.dropFirst(path.count).drop { $0 == ":" || $0.isNumber } : line[...]
      let words = String(place.drop { $0 == " " }).replacing("\(folder)/", with: "")
      #expect(words == message, sourceLocation: sourceLocation)
    }
  }

  private func expect(
    _ message: String, of text: String, in type: String, _ more: [String] = ["--target", "scalar"],
    command: String = "check", sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await expect(message, of: Array(text.utf8), in: type, more, command: command, sourceLocation: sourceLocation)
  }

  // MARK: Graphs

  private func graph(_ input: String, _ node: String) -> String {
    "graph g(%x: \(input)) -> (%y) {\n  %y = \(node)\n}\n"
  }

  @Test func extentsOfGraphs() async throws {
    let huge = 1 << 62
    try await expect(
      "the shape [4611686018427387904,4611686018427387904] has too many elements",
      of: graph("f32[\(huge),\(huge)]", "relu(%x) : f32[1]"), in: "vir")
    try await expect(
      "the shape [-1] has an extent of -1; extents are at least 1", of: graph("f32[-1]", "relu(%x) : f32[1]"), in: "vir"
    )
    let axes = [String](repeating: "1", count: 40).joined(separator: ",")
    try await expect(
      "a shape of 40 axes, [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,...]; at most 32 are possible",
      of: graph("f32[\(axes)]", "relu(%x) : f32[1]"), in: "vir")
    try await expect(
      "neighborhood: operand 0 (x) is f32[2,5,4294967295,4], but must be an image of at most 65536 rows and columns",
      of: graph("f32[2,5,4294967295,4]", "neighborhood(%x) {kind = \"dagc\", step = 2} : f32[1]"), in: "vir")
    try await expect(
      "the output %y of g is neighborhood<offsets (2,0) (0,2), 1x4x4>, and only tensors go in and out",
      of: graph(
        "f32[1,2,4,4]", "neighborhood(%x) {kind = \"svga\", step = 2} : neighborhood<offsets (2,0) (0,2), 1x4x4>"),
      in: "vir")
    try await expect(
      "convert_layout: channels_last holds 9223372036854775807; it must be from 1 to 16777216",
      of: graph("f32[1,2,4,4]", "convert_layout(%x) {channels_last = \(Int.max)} : f32[1]"), in: "vir")
    try await expect(
      "average_pool: an image of 4294967295 x 3 pixels; a side has at most 16777216",
      of: graph(
        "f32[1,1,4294967295,3]",
        "average_pool(%x) {kernel = [2, 2], strides = [2, 2], padding = [0, 0, 0, 0], count_include_pad = true, ceil_mode = false} : f32[1]"
      ), in: "vir")
  }

  @Test func attributesOfGraphs() async throws {
    let cases: [(String, String)] = [
      (
        "pad: before holds 9223372036854775807; it must be from 0 to 16777216",
        "pad(%x) {before = [\(Int.max), 0], after = [\(Int.max), 0], value = 0.0, mode = \"constant\"} : f32[1]"
      ),
      (
        "slice: a step must not be 0",
        "slice(%x) {starts = [0], ends = [\(Int.max)], axes = [0], steps = [\(Int.min)]} : f32[1]"
      ),
      (
        "reshape: the shape [-9223372036854775808,-1] has an extent of -9223372036854775808; extents are at least 1",
        "reshape(%x) {shape = [\(Int.min), -1]} : f32[1]"
      ),
      (
        "concat: axis -9223372036854775808 is not in a tensor of rank 2; axes run from -2 to 1",
        "concat(%x) {axis = \(Int.min)} : f32[1]"
      ),
      (
        "broadcast: the shape [9223372036854775807,2,3] has too many elements",
        "broadcast(%x) {shape = [\(Int.max), 2, 3]} : f32[1]"
      ),
      (
        "transpose: [9223372036854775807,-9223372036854775808] is not a permutation of the axes 0 to 1",
        "transpose(%x) {permutation = [\(Int.max), \(Int.min)]} : f32[1]"
      ),
      (
        "top_k: k is 9223372036854775807; axis 0 of f32[2,3] has 2 elements, so k is from 1 to that",
        "top_k(%x) {axis = 0, k = \(Int.max), largest = true} : f32[1]"
      ),
      (
        "resample: size holds 9223372036854775807; it must be from 1 to 16777216",
        "resample(%x) {axis = 0, size = \(Int.max), step = 1, start = 0, divisor = 1} : f32[1]"
      ),
      ("the integer 99999999999999999999 is too large", "relu(%x) : f32[99999999999999999999]"),
    ]
    for (message, node) in cases { try await expect(message, of: graph("f32[2,3]", node), in: "vir") }
  }

  @Test func memoryOfGraphs() async throws {
    let named =
      "graph g {weights = \"synthetic\"}(%x: f32[1]) -> (%y) {\n  %w = constant {name = \"w\"} : f32[4294967296]\n"
    try await expect(
      "the synthetic weights of m.vir take 16 GiB of memory; the limit is 8 GiB, and --memory-limit raises it",
      of: named + "  %y = add(%x, %w) : f32[4294967296]\n}\n", in: "vir")
    let folded =
      "graph g(%x: f32[1]) -> (%y) {\n  %c = constant {values = [1.0]} : f32[1]\n"
      + "  %b = broadcast(%c) {shape = [1073741824]} : f32[1073741824]\n  %y = add(%x, %b) : f32[1073741824]\n}\n"
    try await expect(
      "the results of broadcast, which are computed ahead, take 8 GiB of memory; the limit is 1 GiB, and --memory-limit raises it",
      of: folded, in: "vir", ["--target", "scalar", "--memory-limit", "1"])
    let wide = graph("f32[1]", "broadcast(%x) {shape = [1073741824]} : f32[1073741824]")
    try await expect(
      "the values of g as the interpreter keeps them take 9 GiB of memory; the limit is 1 GiB, and --memory-limit raises it",
      of: wide, in: "vir", ["--engine", "graph", "--memory-limit", "1"], command: "run")
    let half = graph("f32[1]", "broadcast(%x) {shape = [536870912]} : f32[536870912]")
    try await expect(
      "the buffers of g as the interpreter keeps them take 3 GiB of memory; the limit is 1 GiB, and --memory-limit raises it",
      of: half, in: "vir", ["--engine", "loops", "--memory-limit", "1"], command: "run")
  }

  @Test func nestingOfGraphs() async throws {
    func nested(_ depth: Int) -> String {
      depth == 0
        ? "graph g(%x: f32[1]) -> (%y) {\n  %y = relu(%x) : f32[1]\n}"
        : "graph g(%x: f32[1]) -> (%y) {\n  %y = fuse \"pointwise\" (%x) : f32[1] \(nested(depth - 1))\n}"
    }
    try await expect("graphs are nested more than 32 deep", of: nested(2000), in: "vir")
  }

  /// A layout is dropped where the target has another.
  @Test(.enabled(if: reference("faults/micro.scalar.vir") != nil, "the reference data are not beside the package"))
  func layoutsOfAnotherTarget() async throws {
    let path = try #require(reference("faults/micro.scalar.vir"))
    for target in Target.all {
      let outcome = try await Tool.run("check", path, "--target", target.name)
      expectSuccess(outcome)
    }
  }

  // MARK: Loop programs

  @Test func loops() async throws {
    func program(_ buffer: String, _ body: String) -> String {
      "program p {\n  buffer output y: \(buffer)\n  entry {\n    \(body)\n  }\n}\n"
    }
    let store = "store y[0] = const f32 0"
    try await expect(
      "the number of elements is 9223372036854775807; it must be from 0 to 281474976710656",
      of: program("f32[\(Int.max)]", store), in: "vil")
    try await expect(
      "the number of elements is -1; it must be from 0 to 281474976710656", of: program("f32[-1]", store), in: "vil")
    try await expect(
      "the alignment is 0; it must be from 1 to 1048576", of: program("f32[1] align 0", store), in: "vil")
    try await expect(
      "the number of lanes is 9223372036854775807; it must be from 1 to 4096",
      of: program("f32[1]", "store y[0] = splat \(Int.max) const f32 0"), in: "vil")
    try await expect(
      "the number of registers is 9223372036854775807; it must be from 0 to 1048576",
      of: program("f32[1]", "var r: f32[\(Int.max)] = const f32 0"), in: "vil")
    let deep = String(repeating: "(", count: 100_000)
    try await expect("nested more than 256 deep", of: program("f32[1]", "store y[\(deep)"), in: "vil")
    let long = [String](repeating: "0", count: 100_000).joined(separator: " + ")
    try await expect(
      "an index of more than 1024 terms", of: program("f32[1]", "store y[\(long)] = const f32 0"), in: "vil")
    let values = String(repeating: "neg(", count: 100_000)
    try await expect("nested more than 256 deep", of: program("f32[1]", "store y[0] = \(values)"), in: "vil")
    let blocks = String(repeating: "if 0 < 1 { ", count: 100_000)
    try await expect("nested more than 256 deep", of: program("f32[1]", blocks), in: "vil")
  }

  // MARK: ONNX

  @Test func sizesOfONNXModels() async throws {
    typealias M = ForgedModel
    func tensors(_ type: String, _ values: [Int], _ attributes: [[UInt8]] = []) -> [UInt8] {
      M.model(
        x: [2, 3], [M.node(type, ["x", "s"], ["y"], attributes)], initializers: [M.tensor("s", values)])
    }
    try await expect(
      "the input 'x' has the shape [1099511627776, 1099511627776]; extents are at least 1, elements at most 2147483648",
      of: M.model(x: [1 << 40, 1 << 40], [M.node("Relu", ["x"], ["y"])]), in: "onnx")
    try await expect(
      "the node 'y' (Expand) over f32[2,3], i64[3]: a tensor [9223372036854775807, 2, 3] is too large to be known when the model is compiled",
      of: tensors("Expand", [Int.max, 2, 3]), in: "onnx")
    try await expect(
      "the node 'y' (Tile) over f32[2,3], i64[2]: it repeats axis 0 9223372036854775807 times",
      of: tensors("Tile", [Int.max, 1]), in: "onnx")
    try await expect(
      "the node 'y' (Reshape) over f32[2,3], i64[2]: its shape [-9223372036854775808, -1] does not fit f32[2,3]",
      of: tensors("Reshape", [Int.min, -1]), in: "onnx")
    try await expect(
      "the node 'y' (Pad) over f32[2,3], i64[4]: it pads by -9223372036854775808 elements; at most 2147483648 are possible",
      of: tensors("Pad", [Int.min, 0, 0, 0]), in: "onnx")
    try await expect(
      "the node 'y' (TopK) over f32[2,3], i64[1]: top_k: k is 9223372036854775807; axis 1 of f32[2,3] has 3 elements, so k is from 1 to that",
      of: tensors("TopK", [Int.max]), in: "onnx")
    try await expect(
      "the node 'y' (CenterCropPad) over f32[2,3], i64[2]: its shape is not one positive number for each of its axes",
      of: tensors("CenterCropPad", [Int.max, 1]), in: "onnx")
    try await expect(
      "the node 'c' (ConstantOfShape) over i64[1]: a tensor [1099511627776] is too large to be known when the model is compiled",
      of: M.model(
        x: [1], [M.node("ConstantOfShape", ["s"], ["c"]), M.node("Add", ["x", "c"], ["y"])],
        initializers: [M.tensor("s", [1 << 40])]), in: "onnx")
    try await expect(
      "the node 'y' (Split) over f32[2,3]: it does not split 2 into 1 parts that add up to it",
      of: M.model(x: [2, 3], [M.node("Split", ["x"], ["y"], [M.attribute("num_outputs", Int.max)])]), in: "onnx")
    try await expect(
      "the node 'y' (MaxPool) over f32[1,1,4,4]: its kernel is [9223372036854775807, -9223372036854775808]; it must be 2 positive numbers, one a spatial axis",
      of: M.model(
        x: [1, 1, 4, 4], [M.node("MaxPool", ["x"], ["y"], [M.attribute("kernel_shape", [Int.max, Int.min])])]),
      in: "onnx")
    let sizes = M.tensor("s", [1, 1, 1, 200_000_000])
    try await expect(
      "the node 'y' (Resize) over f32[1,1,2,1000000000], nothing, nothing, i64[4]: axis 3 of f32[1,1,2,1000000000] is longer than the 1048576 elements that are resized",
      of: M.model(x: [1, 1, 2, 1_000_000_000], [M.node("Resize", ["x", "", "", "s"], ["y"])], initializers: [sizes]),
      in: "onnx")
    try await expect(
      "the initializer 'w': it has an extent of -1",
      of: M.model(x: [2], [M.node("Relu", ["x"], ["y"])], initializers: [M.tensor("w", [], dimensions: [-1])]),
      in: "onnx")
  }

  @Test func namesOfONNXModels() async throws {
    typealias M = ForgedModel
    let relu = M.node("Relu", ["x"], ["y"])
    try await expect("two outputs are called 'y'", of: M.model(x: [2], [relu], outputs: ["y", "y"]), in: "onnx")
    try await expect(
      "'y' is computed twice, the second time by the node 'y' (Relu)",
      of: M.model(x: [2], [M.node("Relu", ["x"], ["y", "y"])]), in: "onnx")
    try await expect(
      "'y' is computed twice, the second time by the node 'y' (Relu)", of: M.model(x: [2], [relu, relu]), in: "onnx")
    try await expect(
      "the output 'y' depends on a further output of a node, which is not computed",
      of: M.model(x: [2], [M.node("Relu", ["x"], ["a", "y"])]), in: "onnx")
    try await expect(
      "the node 'z' (Add) reads 'y', which nothing before it computes",
      of: M.model(x: [2], [M.node("Add", ["x", "y"], ["z"]), M.node("Relu", ["z"], ["y"])]), in: "onnx")
    try await expect("the output 'z' is computed nowhere", of: M.model(x: [2], [relu], outputs: ["z"]), in: "onnx")
    try await expect(
      "'x' is computed twice, the second time by the node 'x' (Relu)",
      of: M.model(x: [2], [M.node("Relu", ["x"], ["x"])], outputs: ["x"]), in: "onnx")
  }

  /// Models that once ended the process.
  @Test(.enabled(if: reference("faults/onnx") != nil, "the reference data are not beside the package"))
  func knownFaults() async throws {
    let cases = [
      (
        "onnx/alloc_8GB.onnx",
        "the node 'Y' (Resize) over f32[1,1,2,1000000000], nothing, nothing, i64[2]: axis 3 of f32[1,1,2,1000000000] is longer than the 1048576 elements that are resized"
      ),
      (
        "onnx/duplicate_output_name.onnx",
        "'reduced' is computed twice, the second time by the node 'reduced' (ReduceSum)"
      ),
      (
        "onnx/pad_int_min.onnx",
        "the node 'Pad4' (Pad) over f32[1,6,9,1], i64[8]: it pads by -9223372036854775808 elements; at most 2147483648 are possible"
      ),
      (
        "vir_huge.vir",
        "2:8: neighborhood: operand 0 (x) is f32[2,5,4294967295,4], but must be an image of at most 65536 rows and columns"
      ),
    ]
    for (name, message) in cases {
      let path = try #require(reference("faults/\(name)"))
      for arguments in [["check", path], ["compile", path, "-o", "/tmp/never"], ["explain", path]] {
        let line = try await refusal(arguments, sourceLocation: #_sourceLocation)
        #expect(line.hasPrefix("\(path):") && line.hasSuffix(message), "\(line)")
      }
    }
  }

  // MARK: Specs

  @Test func specs() async throws {
    let text = try String(contentsOfFile: tiny, encoding: .utf8)
    try await expect(
      "'height' must be a whole number from 1 to 16384, not '9223372036854775807'",
      of: text.replacing("height: 32", with: "height: \(Int.max)"), in: "yaml")
    let deep = String(repeating: "[", count: 100_000)
    try await expect("nested too deeply for a model spec", of: "name: \(deep)", in: "yaml")
    let indented = (0..<1400).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
    try await expect(
      "not YAML: Maximum nesting level reached, set with yaml_set_max_nest_level())", of: indented, in: "yaml")
  }
}
