import Testing

@testable import IR

/// Nearest neighbours against their definition, written as plainly as possible, and the loops against both.
@Suite struct KNNTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var k: Int
    var dilation: Int
    var x: [Int]
    var candidates: [Int]?
    var hasPositions: Bool

    var testDescription: String { "\(k) neighbours, dilation \(dilation), \(x) among \(candidates ?? x)" }
    var construction: KNN { KNN(k: k, dilation: dilation) }
    var others: Int { (candidates ?? x)[2] * (candidates ?? x)[3] }

    /// The tensors after x, as floats.
    var data: [Tensor<Float>] {
      guard candidates != nil || hasPositions else { return [] }
      let features: Tensor<Float> = candidates.map { randomTensor($0, seed: 7) } ?? randomTensor(x)
      return [features] + (hasPositions ? [randomTensor([1, x[2] * x[3], others], in: -1...1, seed: 9)] : [])
    }
  }

  static let cases = [
    Case(k: 3, dilation: 1, x: [2, 5, 3, 4], candidates: nil, hasPositions: false),
    Case(k: 4, dilation: 3, x: [1, 3, 5, 7], candidates: nil, hasPositions: false),
    Case(k: 2, dilation: 2, x: [2, 6, 5, 3], candidates: [2, 6, 2, 3], hasPositions: false),
    Case(k: 3, dilation: 2, x: [2, 4, 3, 7], candidates: [2, 4, 2, 3], hasPositions: true),
    Case(k: 5, dilation: 1, x: [1, 7, 4, 3], candidates: nil, hasPositions: true),
    Case(k: 1, dilation: 1, x: [2, 3, 1, 1], candidates: nil, hasPositions: false),
  ]

  /// All candidates of each pixel, sorted by distance and then index.
  private func ranked(_ test: Case) -> [[Int]] {
    let x: Tensor<Double> = randomTensor(test.x)
    let features = test.data.first.map { $0.real.map(Double.init) } ?? x.real
    let positions = test.data.count > 1 ? test.data[1].real.map(Double.init) : nil
    let (channels, pixels, others) = (test.x[1], test.x[2] * test.x[3], test.others)
    func unit(_ values: [Double], _ n: Int, _ place: Int, _ plane: Int) -> [Double] {
      let features = (0..<channels).map { values[(n * channels + $0) * plane + place] }
      let norm = max(features.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
      return features.map { $0 / norm }
    }
    return (0..<test.x[0]).flatMap { n in
      (0..<pixels).map { pixel in
        let own = unit(x.real, n, pixel, pixels)
        let distances = (0..<others).map { other in
          zip(own, unit(features, n, other, others)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            + (positions?[pixel * others + other] ?? 0)
        }
        return (0..<others).sorted { (distances[$0], $0) < (distances[$1], $1) }
      }
    }
  }

  private func indices<T>(_ x: Tensor<T>, _ data: [Tensor<T>], _ construction: KNN) throws -> [Int] {
    let operands = ([x] + data).map { RuntimeValue.tensor($0) }
    let value = try BuildNeighborhood(construction: construction).evaluate(operands)[0]
    guard case .neighborhood(.indices(let indices, _), _) = value else { return [] }
    return indices
  }

  @Test(arguments: cases) func referenceIsTheDefinition(_ test: Case) throws {
    let x: Tensor<Double> = randomTensor(test.x)
    let data = test.data.map { Tensor<Double>(shape: $0.shape, real: $0.real.map(Double.init)) }
    let expected = ranked(test).flatMap { row in
      stride(from: 0, to: test.k * test.dilation, by: test.dilation).map { row[$0] }
    }
    #expect(try indices(x, data, test.construction) == expected)
  }

  @Test(arguments: cases) func loopsAgreeWithTheReference(_ test: Case) throws {
    let x: Tensor<Float> = randomTensor(test.x)
    let tensors = [x] + test.data
    let op = BuildNeighborhood(construction: test.construction)
    let type = try #require(op.resultTypes(tensors.map { .tensor($0.type) })[0].neighborhood)
    let storage = try #require(type.storage)
    var program = LoopProgram(name: "knn")
    var inputs: [String: [UInt8]] = [:]
    for (place, tensor) in tensors.enumerated() {
      program.buffers.append(LoopBuffer("in\(place)", .input, .f32, count: tensor.count))
      inputs["in\(place)"] = tensor.real.withUnsafeBytes { Array($0) }
    }
    program.buffers.append(
      LoopBuffer("out", .output, storage.element, count: storage.count, range: type.storageRange))
    var builder = LoopBuilder()
    let operands = tensors.enumerated().map { LoopTensor(buffer: "in\($0)", type: $1.type) }
    try op.buildLoops(&builder, operands: operands, results: [type.loopTensor(buffer: "out")])
    program.entry = builder.statements
    try program.verify(target: OpLoopsTests.target)
    let output = try #require(
      try LoopInterpreter(program: program, target: OpLoopsTests.target).run(inputs)["out"])
    let found = output.withUnsafeBytes { raw in
      (0..<storage.count).map { Int(raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
    }
    #expect(try found == indices(x, test.data, test.construction))
  }

  @Test func tiesGoToTheLowerIndex() throws {
    // Three directions; normalising makes the first, third and fifth pixel equal, and the second and fourth.
    let x = Tensor<Double>(shape: [1, 2, 1, 6], real: [1, 0, 2, 0, 4, 3] + [0, 1, 0, 2, 0, 3])
    let found = try indices(x, [], KNN(k: 4))
    #expect(found[0..<4] == [0, 2, 4, 5])
    #expect(found[4..<8] == [1, 3, 5, 0])
    #expect(try indices(x, [], KNN(k: 2, dilation: 2))[8..<10] == [0, 4])
    // Nothing points anywhere from the origin: all distances are 1, to itself 0.
    let origin = Tensor<Double>(shape: [1, 2, 1, 3], real: [0, 1, 0] + [0, 0, 1])
    #expect(try indices(origin, [], KNN(k: 3))[0..<3] == [0, 1, 2])
  }

  @Test func whatIsNoDistanceIsNobodysNeighbor() throws {
    let x = Tensor<Double>(shape: [1, 1, 1, 3], real: [.nan, 1, 1])
    #expect(try indices(x, [], KNN(k: 2)) == [0, 0, 1, 2, 1, 2])
  }

  @Test func typing() throws {
    let x = TensorType(.f32, [2, 4, 3, 6])
    func message(_ construction: KNN, _ types: TensorType...) -> String {
      do {
        _ = try BuildNeighborhood(construction: construction).resultTypes(types.map { .tensor($0) })
        return ""
      } catch {
        return (error as? Diagnostic)?.message ?? "\(error)"
      }
    }
    let pooled = TensorType(.f32, [2, 4, 1, 3])
    #expect(message(KNN(k: 9, dilation: 2), x) == "")
    #expect(message(KNN(k: 3), x, pooled, TensorType(.f32, [1, 18, 3])) == "")
    #expect(message(KNN(k: 7, dilation: 3), x) == "knn: 7 neighbours with dilation 3 need 21 candidates of 18")
    #expect(message(KNN(k: 4), x, pooled).contains("need 4 candidates of 3"))
    #expect(message(KNN(k: 0), x) == "knn: k is 0; it must be from 1 to 16777216")
    #expect(message(KNN(k: .max, dilation: .max), x).contains("k is"))
    #expect(message(KNN(k: 3), x, TensorType(.f32, [2, 5, 1, 3])).contains("must be images of 4 channels, like x"))
    #expect(message(KNN(k: 3), x, TensorType(.f32, [1, 4, 1, 3])).contains("must be of the batch"))
    #expect(message(KNN(k: 3), x, pooled, TensorType(.f32, [1, 18, 4])).contains("must be f32[1,18,3]"))
  }

  @Test func textRoundTrips() throws {
    var graph = Graph(name: "knn")
    let x = graph.addInput(TensorType(.f32, [1, 4, 6, 4]), name: "x")
    let pool = try graph.add(AveragePool(kernel: [2, 2], strides: [2, 2]), [x])[0]
    let positions = graph.addInput(TensorType(.f32, [1, 24, 6]), name: "positions")
    let neighbors = try graph.add(BuildNeighborhood(construction: KNN(k: 3, dilation: 2)), [x, pool, positions])[0]
    let op = Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil)
    graph.outputs = try graph.add(op, [x, neighbors, pool])
    let text = GraphPrinter.print(graph)
    #expect(text.contains("kind = \"knn\"") || text.contains("knn"))
    #expect(try GraphPrinter.print(GraphParser.parse(text, file: "knn.vir")) == text)
  }
}
