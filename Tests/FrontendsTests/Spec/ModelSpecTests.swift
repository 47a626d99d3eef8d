import Foundation
@testable import Frontends
import IR
import Testing

@Suite struct ModelSpecTests {
  private let small: String
  private let kinds = ModelSpec.blockKinds.map { $0.kind }.joined(separator: ", ")

  init() throws {
    small = try readText(fixture("specs/small.yaml"))
  }

  /// The complaint about the small spec with one text replaced, which must be there.
  private func problem(
    _ old: String, _ new: String, sourceLocation: SourceLocation = #_sourceLocation
  ) -> String {
    #expect(small.contains(old), sourceLocation: sourceLocation)
    let changed = small.replacingOccurrences(of: old, with: new)
    return message(sourceLocation: sourceLocation) { try ModelSpec(parsing: changed, file: "s.yaml").build() }
  }

  @Test func buildsANetworkOfKnownBlocks() throws {
    let model = try ModelSpec(parsing: small, file: "s.yaml").build()
    #expect(
      model.modules.map(\.name) == [
        "stem", "body.0", "body.1", "body.down", "body.3", "body.4", "body", "embedding", "head",
      ])
    let shapes = model.modules.map { model.graph.tensorType(of: $0.value).shape }
    #expect(shapes[0] == [1, 8, 10, 14])
    #expect(shapes[3] == [1, 12, 4, 6])
    #expect(shapes[8] == [1, 5, 1, 1])
    #expect(model.graph.outputs.map { model.graph.tensorType(of: $0).shape } == [[1, 5]])
    let shape = { name in model.entries.first { $0.name == name }?.shape }
    #expect(shape("body.0.mlp.mid.weight") == [12, 1, 5, 5])
    #expect(shape("body.3.graph_conv.nn.0.weight") == [24, 8, 1, 1])
    #expect(model.graph.nodes.allSatisfy { $0.location?.file == "s.yaml" })
    #expect(model.preprocessing?.interpolation == .bilinear)
  }

  @Test func typos() {
    #expect(
      problem("classes: 5", "clases: 5")
        == "s.yaml:5:1: unknown key 'clases' in a model spec; did you mean 'classes'? "
        + "accepted: name, family, input, classes, normalization, modules")
    #expect(
      problem("expansion: 2,", "expnsion: 2,")
        == "s.yaml:28:30: unknown key 'expnsion' in the feed_forward block; did you mean 'expansion'? "
        + "accepted: kind, path, repeat, expansion, activation, residual")
    #expect(
      problem("kind: feed_forward", "kind: feed_foward")
        == "s.yaml:28:16: 'kind' must be one of \(kinds), not 'feed_foward'; did you mean 'feed_forward'?")
    #expect(
      problem("activation: silu", "activation: sliu")
        == "s.yaml:22:85: 'activation' must be one of \(Activation.allCases.map(\.rawValue).joined(separator: ", ")), "
        + "not 'sliu'; did you mean 'silu'?")
    #expect(
      problem("interpolation: bilinear", "interpolation: lanczos").contains("one of bilinear, bicubic, not 'lanczos'"))
    #expect(problem("step: 2", "stepp: 2").hasPrefix("s.yaml:25:23: "))
    #expect(problem("kind: svga", "kind: svgaa").hasPrefix("s.yaml:25:23: "))
    #expect(problem("direction: self_minus_neighbor", "direction: sideways").hasPrefix("s.yaml:26:22: "))
  }

  @Test func reportsSeveralAtOnce() {
    let changed = small.replacingOccurrences(of: "expansion", with: "expnsion")
    let lines = message { try ModelSpec(parsing: changed, file: "s.yaml") }.split(separator: "\n")
    #expect(lines.map { $0.prefix(13) } == ["s.yaml:22:46:", "s.yaml:28:30:"])
  }

  @Test func missingKeys() {
    #expect(
      problem("classes: 5\n", "")
        == "s.yaml:2:1: a model spec needs the key 'classes': a whole number from 1 to 1000000")
    #expect(
      problem("kind: embedding, ", "")
        == "s.yaml:29:5: a module needs the key 'kind': one of \(kinds)")
    #expect(
      problem("path: embedding, ", "")
        == "s.yaml:29:5: a module outside of a sequence needs the key 'path': a state-dict path")
    #expect(
      message {
        try ModelSpec(parsing: "name: a\ninput: {height: 1, width: 1}\nclasses: 1\nmodules: []", file: "s.yaml")
      } == "s.yaml:4:10: 'modules' must be a list of modules, not an empty one")
  }

  @Test(arguments: ["0", "-5", "99999999999999999999999", "5.5", "'5'", "five", "[5]", "{a: 5}", "", "~", "0x5"])
  func badNumbers(_ text: String) {
    let found = problem("classes: 5", "classes: \(text)")
    #expect(found.hasPrefix("s.yaml:5:"))
    #expect(found.contains("'classes' must be a whole number from 1 to 1000000, not "))
  }

  @Test func badValues() {
    #expect(
      problem("height: 20", "height: 99999")
        == "s.yaml:4:30: 'height' must be a whole number from 1 to 16384, not '99999'")
    #expect(
      problem("stride: [2, 1]", "stride: [2, -1]")
        == "s.yaml:16:17: 'stride' must hold whole numbers from 1 to 64, not '-1'")
    #expect(
      problem("stride: [2, 1]", "stride: [2, 1, 1]")
        == "s.yaml:13:5: 'stride' has 3 numbers and 'channels' 2; expected as many, or one stride for all")
    #expect(
      problem("mean: [0.5, 0.5, 0.5]", "mean: [0.5, 0.5]")
        == "s.yaml:7:9: 'mean' must be a list of 3 numbers from 0.0 to 1.0, not a list")
    #expect(problem("std: [0.25", "std: [0").contains("'std' must be a list of 3 numbers"))
    #expect(problem("resize: 32", "resize: 20").contains("'resize' must be a whole number from 28 to"))
    #expect(
      problem("layer_scale: false", "layer_scale: perhaps")
        .contains("'layer_scale' must be true or false, not 'perhaps'"))
    #expect(
      problem("expansion: 1.5", "expansion: nan").contains("'expansion' must be a number above 0 and at most 64.0"))
    #expect(problem("expansion: 1.5", "expansion: 0.01").contains("gives 0 channels"))
    #expect(problem("kernel: 5", "kernel: 4").contains("'kernel' is 4; a residual needs an odd one"))
    #expect(problem("name: small", "name: ../evil").contains("'name' must be letters, digits and underscores"))
    #expect(
      problem("path: stem", "path: a..b").contains("'path' must be a state-dict path like backbone.0, not 'a..b'"))
    #expect(problem("heads: [head]", "heads: []").contains("'heads' must be a list of state-dict paths"))
    #expect(problem("input: {", "input: [").contains("not YAML"))
    #expect(
      problem("input: {channels: 3, height: 20, width: 28}", "input: 3").contains("expected the input, a mapping"))
  }

  @Test func impossibleShapes() {
    #expect(
      problem("groups: 3", "groups: 5")
        == "s.yaml:24:9: body.3.graph_conv.nn.0: 24 channels to 24 cannot be split into 5 groups")
    #expect(
      problem("height: 20", "height: 4")
        == "s.yaml:23:9: an input of 4x28 leaves small no pixel at body.down.0; the least size is 5x5")
    #expect(
      problem("path: embedding", "path: stem")
        == "s.yaml:29:5: the state dict would hold 'stem.0.weight' twice: give the modules different paths")
    #expect(
      problem("modules:", "modules:\n  - {kind: classifiers, heads: [early]}")
        == "s.yaml:13:5: classifiers read one pixel, and there are 20x28; put an embedding before them")
    #expect(
      problem("heads: [head]}", "heads: [head]}\n  - {kind: classifiers, heads: [more]}")
        == "s.yaml:31:5: nothing can follow the classifiers: their output is no longer an image")
    #expect(problem("step: 2", "step: 0").hasPrefix("s.yaml:24:9: svga: the step is 0"))
    #expect(
      problem("channels: [4, 8]", "channels: [65536, 65536]")
        == "s.yaml:13:5: more than 2147483648 weights in one model")
  }

  @Test func yamlItself() {
    #expect(
      problem("classes: 5", "classes: 5\nclasses: 6")
        == "s.yaml:5:1: the key 'classes' appears more than once in a mapping")
    #expect(message { try ModelSpec(parsing: "", file: "s.yaml") } == "s.yaml:1:1: empty; expected a model spec")
    #expect(message { try ModelSpec(parsing: "a: [", file: "s.yaml") }.hasPrefix("s.yaml:2:1: not YAML: "))
    #expect(
      message { try ModelSpec(parsing: "[1, 2]", file: "s.yaml") }
        == "s.yaml:1:1: expected a model spec, a mapping with the keys name, family, input, classes, normalization, "
        + "modules; found a list")
    for text in ["[", "{", "- ", "? ", "a: {"] {
      let deep = String(repeating: text, count: 100_000)
      #expect(!message { try ModelSpec(parsing: deep, file: "s.yaml") }.isEmpty)
    }
  }

  @Test func aliasesCannotMeanAnEnormousModel() {
    var bomb = "name: bomb\ninput: {height: 8, width: 8}\nclasses: 2\nmodules:\n"
    bomb += "  - {kind: sequence, path: a, of: &l0 [{kind: feed_forward}, {kind: feed_forward}]}\n"
    for level in 1...30 {
      let inner = "{kind: sequence, of: *l\(level - 1)}"
      bomb += "  - {kind: sequence, path: p\(level), of: &l\(level) [\(inner), \(inner)]}\n"
    }
    #expect(message { try ModelSpec(parsing: bomb, file: "s.yaml").build() }.contains("more than 4096 modules"))
    #expect(problem("repeat: 2", "repeat: 1025").contains("'repeat' must be a whole number from 1 to 1024"))
    let nested = small.replacingOccurrences(
      of: "      - {kind: feed_forward, expansion: 2, residual: false}\n",
      with: "      - {kind: sequence, repeat: 1024, of: [{kind: feed_forward, repeat: 1024}]}\n")
    #expect(message { try ModelSpec(parsing: nested, file: "s.yaml").build() }.contains("more than 4096 modules"))
  }

  @Test func otherSizesAndBatches() throws {
    let spec = try ModelSpec(parsing: small, file: "s.yaml")
    let model = try spec.build(height: 9, width: 11, batch: 4)
    #expect(model.graph.outputs.map { model.graph.tensorType(of: $0).shape } == [[4, 5]])
    #expect(message { try spec.build(batch: 0) } == "a batch of 0 for small; expected 1 to 1024")
    #expect(
      message { try spec.build(height: -3) }
        == "an input of -3x28 for small; both sides must be from 1 to 16384")
    #expect(message { try spec.build(height: 2, width: 2) }.contains("the least size is 5x5"))
  }

  @Test func anyMutationSucceedsOrIsDiagnosed() throws {
    let bytes = Array(small.utf8)
    var generator = SeededGenerator(state: 5)
    for round in 0..<1500 {
      let text = String(decoding: mutated(bytes, with: &generator), as: UTF8.self)
      #expect(succeedsOrDiagnoses { try ModelSpec(parsing: text, file: "s.yaml").build() }, "round \(round):\n\(text)")
    }
  }

  /// Each kind has a section, and each key a row in it.
  @Test func documentationNamesEveryKindAndKey() throws {
    let page = try readText(packageRoot.appendingPathComponent("docs/ModelSpec.md").path)
    let sections = page.components(separatedBy: "\n### ").dropFirst()
    #expect(sections.map { $0.prefix { $0 != "\n" } } == ModelSpec.blockKinds.map { "`\($0.kind)`" })
    for (section, kind) in zip(sections, ModelSpec.blockKinds) {
      let rows = section.components(separatedBy: "\n").filter { $0.hasPrefix("| `") }
      #expect(rows.map { String($0.dropFirst(3).prefix { $0 != "`" }) } == kind.keys, "\(kind.kind)")
    }
  }
}
