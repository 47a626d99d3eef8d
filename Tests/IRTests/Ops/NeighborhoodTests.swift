import IR
import Testing

@Suite struct NeighborhoodTests {
  /// MobileViG's own formulation: the maximum of x - roll(x) over rolls by K, 2K, ... of rows, then of columns, from 0.
  @Test(arguments: [(7, 5, 2), (6, 9, 3), (4, 4, 1), (3, 2, 5)])
  func maxRelativeOverSVGAIsTheMaximumOverRolls(_ height: Int, _ width: Int, _ step: Int) throws {
    let x: Tensor<Double> = randomTensor([2, 3, height, width])
    let graph = try BuildNeighborhood(construction: SVGA(step: step)).evaluate([.tensor(x)])[0]
    let op = Aggregate(kind: .maxRelative, direction: .selfMinusNeighbor, start: 0)
    let result = try op.evaluate([.tensor(x), graph])[0].tensor

    var expected = [Double](repeating: 0, count: x.count)
    for (axis, extent) in [(2, height), (3, width)] {
      for shift in stride(from: step, to: extent, by: step) {
        let rolled = try Roll(shifts: [shift], axes: [axis]).evaluate([.tensor(x)])[0].tensor.real
        for index in expected.indices { expected[index] = max(expected[index], x.real[index] - rolled[index]) }
      }
    }
    #expect(result.real == expected)
  }

  @Test func svgaOffsets() throws {
    let type = try BuildNeighborhood(construction: SVGA(step: 2)).resultTypes([.tensor(TensorType(.f32, [1, 3, 7, 4]))])
    let offsets = [(2, 0), (4, 0), (6, 0), (0, 2)].map { Offset(dy: $0.0, dx: $0.1) }
    #expect(type == [.neighborhood(NeighborhoodType(.offsets(offsets), batch: 1, height: 7, width: 4))])
  }

  @Test func directionsAndStartsDiffer() throws {
    let x = Tensor<Double>(shape: [1, 1, 1, 3], real: [1, 5, 2])
    let offsets = [Offset(dy: 0, dx: 1)]
    let type = NeighborhoodType(.offsets(offsets), batch: 1, height: 1, width: 3)
    func run(_ direction: Aggregate.Direction, _ start: Double?) throws -> [Double] {
      let graph = RuntimeValue<Double>.neighborhood(.offsets(offsets), type)
      let op = Aggregate(kind: .maxRelative, direction: direction, start: start)
      return try op.evaluate([.tensor(x), graph])[0].tensor.real
    }
    // The neighbour by (0, 1) is the pixel to the left, wrapping: 2, 1, 5.
    #expect(try run(.selfMinusNeighbor, nil) == [-1, 4, -3])
    #expect(try run(.selfMinusNeighbor, 0) == [0, 4, 0])
    #expect(try run(.neighborMinusSelf, nil) == [1, -4, 3])
    #expect(try run(.neighborMinusSelf, 0) == [1, 0, 3])
  }

  @Test func gatedNeighboursContributeZeroWhereNotAdmitted() throws {
    let x = Tensor<Double>(shape: [1, 1, 1, 3], real: [1, 5, 2])
    let offsets = [Offset(dy: 0, dx: 1)]
    let type = NeighborhoodType(.gatedOffsets(offsets), batch: 1, height: 1, width: 3)
    let graph = RuntimeValue<Double>.neighborhood(.gatedOffsets(offsets, admitted: [[false, true, true]]), type)
    let op = Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil)
    #expect(try op.evaluate([.tensor(x), graph])[0].tensor.real == [0, -4, 3])
  }

  @Test func indicesReadTheCandidatesOfTheirImage() throws {
    let x = Tensor<Double>(shape: [2, 1, 1, 2], real: [1, 2, 3, 4])
    let candidates = Tensor<Double>(shape: [2, 1, 1, 3], real: [10, 20, 30, 40, 50, 60])
    let type = NeighborhoodType(.indices(count: 2, candidates: 3), batch: 2, height: 1, width: 2)
    let graph = RuntimeValue<Double>.neighborhood(.indices([0, 1, 1, 2, 2, 2, 0, 1], count: 2), type)
    let op = Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil)
    #expect(try op.evaluate([.tensor(x), graph, .tensor(candidates)])[0].tensor.real == [19, 28, 57, 46])
  }
}
