import Foundation
import Frontends
import IR
import Testing

/// The state dict of a published model: name, shape and type of every entry, in order.
struct StateDict {
  var names: [String] = []
  var shapes: [[Int]] = []
  var types: [String] = []

  init(path: String) throws {
    let tensors = try #require(JSON(parsing: readFile(path))["tensors"]?.array)
    for tensor in tensors {
      let fields = try #require(tensor.array)
      names.append(try #require(fields[0].string))
      shapes.append(try #require(fields[1].array).compactMap(\.integer))
      types.append(try #require(fields[2].string))
    }
  }
}

@Suite struct ZooTests {
  static let names = Zoo.entries.map(\.name)

  @Test(arguments: names) func stateDictIsThePublishedOne(_ name: String) throws {
    let expected = try StateDict(path: fixture("state_dicts/\(name).json"))
    let entries = try Zoo.spec(named: name).build().entries
    #expect(entries.map(\.name) == expected.names)
    #expect(entries.map(\.shape) == expected.shapes)
    #expect(entries.map { $0.element == .f32 ? "float32" : "int64" } == expected.types)
  }

  @Test(arguments: [
    ("mobilevig_ti", 5_271_074), ("mobilevig_s", 7_276_538), ("mobilevig_m", 14_075_786), ("mobilevig_b", 26_868_506),
    ("vig_ti", 7_184_744), ("vig_s", 22_747_752), ("vig_b", 86_841_832),
    ("pvig_ti", 12_486_314), ("pvig_s", 29_023_850), ("pvig_m", 51_681_930), ("pvig_b", 95_213_258),
    ("vihg_ti", 7_081_076), ("vihg_s", 22_353_528), ("vihg_b", 85_234_168),
    ("pvihg_ti", 12_327_926), ("pvihg_s", 28_575_542), ("pvihg_m", 50_798_944), ("pvihg_b", 93_504_482),
    ("mobilevigv2_ti", 5_695_824), ("mobilevigv2_s", 7_767_632), ("mobilevigv2_m", 15_471_504),
    ("mobilevigv2_b", 27_878_864), ("greedyvig_s", 11_983_376), ("greedyvig_m", 21_928_112),
    ("greedyvig_b", 30_905_296),
  ]) func parameterCount(_ name: String, count: Int) throws {
    #expect(try Zoo.spec(named: name).build().entries.parameterCount == count)
  }

  @Test(arguments: names) func namesAgree(_ name: String) throws {
    let spec = try Zoo.spec(named: name)
    #expect(spec.name == name)
    #expect(spec.family == Zoo.entry(named: name)?.family)
    let model = try spec.build()
    #expect(model.graph.name == name)
    #expect(model.graph.outputs.map { model.graph.tensorType(of: $0).shape } == [[1, 1000]])
    // What evaluation shrinks the shorter side to: 0.9 of it is looked at, 0.95 in the largest pyramids.
    #expect(model.preprocessing?.resize == (["pvig_b", "pvihg_b"].contains(name) ? 235 : 248))
  }

  /// The layers of the nodes name the same outputs as the list of modules: passes keep only the former.
  @Test(arguments: names) func layersLocateModules(_ name: String) throws {
    let model = try Zoo.spec(named: name).build()
    #expect(Set(model.modules.map(\.name)).count == model.modules.count)
    for module in model.modules {
      #expect(model.graph.output(ofModule: module.name) == module.value, "\(module.name)")
    }
  }

  @Test(arguments: [(224, 224), (1, 1), (33, 65), (7, 300), (800, 1344)]) func anySizeHasAPixel(
    height: Int, width: Int
  ) throws {
    let model = try Zoo.spec(named: "mobilevig_ti").build(height: height, width: width, batch: 3)
    #expect(model.graph.outputs.map { model.graph.tensorType(of: $0).shape } == [[3, 1000]])
    let last = try #require(model.modules.first { $0.name == "backbone" })
    let reduced = { (size: Int) in (size + 31) / 32 }
    #expect(model.graph.tensorType(of: last.value).shape == [3, 256, reduced(height), reduced(width)])
  }
}
