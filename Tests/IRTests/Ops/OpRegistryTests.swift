import Foundation
import IR
import Testing

@Suite struct OpRegistryTests {
  /// The types that the files of a folder and of its subfolders are named after, but for those that many share (`Support`).
  private static func types(in folder: String) throws -> [String] {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let files = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: "Sources/IR/\(folder)").path())
    return files.filter { $0.hasSuffix(".swift") && !$0.contains("+") && !$0.hasPrefix("Support/") }
      .map { URL(filePath: $0).deletingPathExtension().lastPathComponent }.sorted()
  }

  @Test func registryListsTheFilesOfTheFolder() throws {
    let files = try Self.types(in: "Ops").filter { $0 != "OpRegistry" }
    let listed = OpRegistry.all.map { String(describing: $0) }
    #expect(listed.sorted() == files, "OpRegistry.all and Sources/IR/Ops differ: add the op to OpRegistry.swift")
    #expect(listed == listed.sorted(), "keep OpRegistry.all sorted")
  }

  @Test func constructionsListTheFilesOfTheFolder() throws {
    let files = try Self.types(in: "Neighborhoods").filter { $0 != "GraphConstruction" }
    let listed = GraphConstructions.all.map { String(describing: $0) }
    #expect(listed.sorted() == files, "add the kind to GraphConstructions.all in GraphConstruction.swift")
  }

  @Test func mnemonicsAreDistinct() {
    #expect(Set(OpRegistry.all.map { $0.mnemonic }).count == OpRegistry.all.count)
    #expect(Set(GraphConstructions.all.map { $0.kind }).count == GraphConstructions.all.count)
  }

  @Test func everyOpHasACase() {
    let covered = Set(OpCase.all.map(\.op.mnemonic)).union(["constant", "fuse"])
    #expect(OpRegistry.all.map { $0.mnemonic }.filter { !covered.contains($0) } == [])
  }

  @Test(arguments: OpCase.all) func attributesMakeTheSameOp(_ test: OpCase) throws {
    let again = try OpRegistry.make(test.op.mnemonic, test.op.attributes)
    #expect(again.isIdentical(to: test.op))
  }

  @Test(arguments: OpCase.all) func typingPredictsTheResult(_ test: OpCase) throws {
    let types = try test.op.resultTypes(test.types)
    let results: [RuntimeValue<Float>] = try test.op.evaluate(test.values())
    #expect(types.count == results.count)
    for (type, result) in zip(types, results) {
      switch result {
      case .tensor(let tensor):
        // What integers stand for is said by types only.
        let quantization = type.tensor?.quantization
        #expect(type == .tensor(TensorType(tensor.element, tensor.shape, quantization: quantization)))
      case .neighborhood(_, let found): #expect(type == .neighborhood(found))
      }
    }
  }

  @Test(arguments: OpCase.all) func floatAgreesWithDouble(_ test: OpCase) throws {
    let single: [RuntimeValue<Float>] = try test.op.evaluate(test.values())
    let double: [RuntimeValue<Double>] = try test.op.evaluate(test.values())
    guard case .tensor(let x) = single[0], case .tensor(let y) = double[0] else { return }
    #expect(x.element == y.element && x.shape == y.shape)
    guard x.element.isFloat else {
      #expect(x.integer == y.integer)
      return
    }
    let tolerance = x.element == .f16 || x.element == .bf16 ? 1e-2 : 2e-6
    for (a, b) in zip(x.real, y.real) { #expect(abs(Double(a) - b) <= tolerance * max(1, abs(b))) }
  }

  @Test(arguments: OpCase.all) func zeroStaysZeroWhereTheOpSaysSo(_ test: OpCase) throws {
    let zeros = try test.op.resultTypes(test.types)[0].tensor.map { $0.count } ?? 0
    let operands: [RuntimeValue<Double>] = test.values().map { (value: RuntimeValue<Double>) in
      switch value {
      case .tensor(let x):
        .tensor(Tensor(TensorData(x.element, shape: x.shape, [Double](repeating: 0, count: x.count))))
      case .neighborhood: value
      }
    }
    let results: [RuntimeValue<Double>] = try test.op.evaluate(operands)
    guard case .tensor = results[0], zeros > 0 else { return }
    var isInteger = false
    let areZeros = results.allSatisfy { result in
      switch result.tensor.storage {
      case .real(let values): return values.allSatisfy { $0 == 0 }
      case .integer(let values):
        isInteger = true
        return values.allSatisfy { $0 == 0 }
      }
    }
    // What an op says is said of floats first: integers have no NaN.
    #expect(areZeros == test.op.mapsZeroToZero || (isInteger && areZeros))
  }

  @Test func unknownOpsSuggestTheNearest() {
    let error = #expect(throws: Diagnostic.self) { try OpRegistry.make("conv2", []) }
    #expect(error?.message == "there is no op 'conv2'")
    #expect(error?.notes.first?.contains("conv2d") == true)
  }
}
