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

  private func check(_ name: String, golden path: String) throws {
    let golden = try JSON(parsing: readFile(path))
    let model = try ModelLoader.load(model: name)
    let shape = try #require(golden["input"]?["shape"]?.array).compactMap(\.integer)
    #expect(model.graph.inputs.map { model.graph.tensorType(of: $0).shape } == [shape])
    #expect(model.entries.parameterCount == golden["params"]?.integer)

    let values = SyntheticWeights().uniform("input", count: shape.reduce(1, *)).map(Double.init)
    let wanted = Set(model.modules.map(\.value))
    var outputs: [ValueID: Tensor<Double>] = [:]
    let results = try GraphInterpreter<Double>().run(model.graph, inputs: [Tensor(shape: shape, real: values)]) {
      node, results in
      for (id, result) in zip(node.results, results) where wanted.contains(id) { outputs[id] = result.tensor }
    }

    let logits = try #require(results.first).real
    let expected = try #require(golden["logits_f64"]?.array?.first?.array).compactMap(\.double)
    let error = relativeError(logits, expected)
    print("\(name): relative L2 error of the logits \(error)")
    #expect(error < 1e-8)
    #expect(logits.indices.max { logits[$0] < logits[$1] } == golden["argmax"]?.array?.first?.integer)

    let modules = try #require(golden["modules"]?.array)
    for module in modules {
      let name = try #require(module["module"]?.string)
      let value = try #require(model.modules.first { $0.name == name }?.value, "\(name) is not recorded")
      try compare(#require(outputs[value]), with: module, name: name)
    }
  }

  /// The golden's statistics were computed in float32: the tolerance is that of its last bits, added up.
  private func compare(_ output: Tensor<Double>, with golden: JSON, name: String) throws {
    let values = output.real
    #expect(output.shape == golden["shape"]?.array?.compactMap(\.integer), "\(name)")
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + $1 * $1 }
    let deviation = (squares / count - mean * mean).squareRoot()
    let scale = squares.squareRoot()
    #expect(abs(mean - (golden["mean"]?.double ?? .nan)) < 1e-5 * deviation, "\(name)")
    #expect(abs(deviation - (golden["std"]?.double ?? .nan)) < 1e-5 * deviation, "\(name)")
    #expect(abs(scale - (golden["l2"]?.double ?? .nan)) < 1e-5 * scale, "\(name)")
    let first = try #require(golden["first"]?.array).compactMap(\.double)
    let last = try #require(golden["last"]?.array).compactMap(\.double)
    #expect(first.count == 6 && last.count == 6)
    for (found, expected) in zip(values.prefix(6) + values.suffix(6), first + last) {
      #expect(abs(found - expected) < 2e-5 * deviation, "\(name)")
    }
  }

  private func relativeError(_ found: [Double], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    let difference = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / expected.reduce(0) { $0 + $1 * $1 }).squareRoot()
  }
}
