import Foundation
import Frontends
import IR
import Testing

/// The zoo's graphs, run by the interpreter in Double on the synthetic weights and input, against what the published
/// implementation computes: the logits in float64, and every module's statistics in float32.
@Suite struct GoldenTests {
  @Test func mobileViGTiny() throws {
    try check("mobilevig_ti", golden: fixture("golden/mobilevig_ti.json"))
  }

  @Test(.enabled(if: reference("golden/mobilevig_s.json") != nil, "the reference data are not beside the package"))
  func mobileViGSmall() throws {
    try check("mobilevig_s", golden: #require(reference("golden/mobilevig_s.json")))
  }

  @Test(arguments: ["vig_ti", "pvig_ti", "vihg_ti", "pvihg_ti"]) func discontinuousModels(_ name: String) throws {
    // The statistics come from float32, which takes some other neighbours than float64: single elements say nothing.
    try check(name, golden: fixture("golden/\(name).json"), tolerance: 3e-2, elements: false)
  }

  @Test func mobileViGv2Tiny() throws {
    try check("mobilevigv2_ti", golden: fixture("golden/mobilevigv2_ti.json"))
  }

  @Test(.enabled(if: reference("golden/mobilevigv2_s.json") != nil, "the reference data are not beside the package"))
  func mobileViGv2Small() throws {
    try check("mobilevigv2_s", golden: #require(reference("golden/mobilevigv2_s.json")))
  }

  @Test func greedyViGSmall() throws {
    try check("greedyvig_s", golden: fixture("golden/greedyvig_s.json"))
  }

  private func check(_ name: String, golden path: String, tolerance: Double = 5e-6, elements: Bool = true) throws {
    let golden = try Golden(path: path)
    let model = try ModelLoader.load(model: name, weights: .synthetic(seed: golden.seed))
    #expect(golden.model.lowercased() == name)
    #expect(model.graph.inputs.map { model.graph.tensorType(of: $0).shape } == [golden.inputShape])
    #expect(model.entries.parameterCount == golden.parameterCount)

    let input = try InputSource.synthetic(seed: golden.seed).load(shape: golden.inputShape, preprocessing: nil)
    let values = golden.modules.map { module in
      model.modules.first { $0.name == module.name }?.value ?? model.graph.output(ofModule: module.name)
    }
    let wanted = Set(values.compactMap { $0 })
    var outputs: [ValueID: Tensor<Double>] = [:]
    let results = try GraphInterpreter<Double>().run(model.graph, inputs: [Tensor(input)]) { node, results in
      for (id, result) in zip(node.results, results) where wanted.contains(id) { outputs[id] = result.tensor }
    }
    let error = golden.relativeError(of: try #require(results.first).real)
    print("\(name): relative L2 error of the logits \(error)")
    #expect(error < 1e-8)

    // Statistics in float32: the tolerance is that of their last bits, added up over the network.
    for (var module, value) in zip(golden.modules, values) {
      if !elements { (module.first, module.last) = ([], []) }
      let value = try #require(value, "no node is of \(module.name)")
      let output = try #require(outputs[value])
      #expect(output.shape == module.shape)
      #expect(module.mismatch(output.real, tolerance: tolerance) == nil)
    }
  }

  @Test func noticesWhatIsWrong() throws {
    let golden = try Golden(path: fixture("golden/mobilevig_ti.json"))
    var logits = golden.logits
    #expect(golden.relativeError(of: logits) == 0)
    logits[3] += 0.01
    #expect(golden.relativeError(of: logits) > 1e-4)
    logits[3] = .nan
    #expect(golden.relativeError(of: logits) == .infinity)
    #expect(golden.relativeError(of: []) == .infinity)
    let module = Golden.Module(
      name: "m", shape: [1, 4], mean: 2.5, standardDeviation: 1.25.squareRoot(), norm: 30.0.squareRoot(),
      first: [1], last: [4])
    #expect(module.mismatch([1, 2, 3, 4], tolerance: 1e-12) == nil)
    #expect(module.mismatch([1, 3, 2, 4], tolerance: 1e-12) == nil)
    #expect(module.mismatch([2, 1, 3, 4], tolerance: 1e-3) == "m: first is 2.0, and the golden has 1.0")
    #expect(module.mismatch([1, 2, 3, .nan], tolerance: 1e-3)?.hasPrefix("m: mean is nan") == true)
    #expect(module.mismatch([1, 2], tolerance: 1) == "m has 2 elements, and the golden is [1, 4]")
  }

  @Test func refusesWhatIsNoGolden() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/g.json"
      try writeFileAtomically(Array("{\"model\": \"m\"}".utf8), to: path)
      #expect(message { try Golden(path: path) } == "\(path): not a golden: 'input' is missing or of the wrong type")
      try writeFileAtomically(Array("{".utf8), to: path)
      #expect(message { try Golden(path: path) } == "\(path): not JSON: expected a quoted key at byte 1")
      #expect(message { try Golden(path: "/absent") } == "cannot read /absent: No such file or directory")
    }
  }
}
