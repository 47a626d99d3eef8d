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

  /// MobileViGv2's own formulation: rolls by K and -K along each axis, made of slices, which clamp.
  @Test(arguments: [(7, 5, 2), (6, 9, 3), (4, 3, 3), (3, 5, 4), (2, 3, 8)])
  func maxRelativeOverMGCIsTheMaximumOverClampedRolls(_ height: Int, _ width: Int, _ step: Int) throws {
    let x: Tensor<Double> = randomTensor([2, 11, height, width])
    let graph = try BuildNeighborhood(construction: MGC(step: step)).evaluate([.tensor(x)])[0]
    let op = Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: 0)
    let result = try op.evaluate([.tensor(x), graph])[0].tensor

    var expected = [Double](repeating: 0, count: x.count)
    for (axis, extent) in [(2, height), (3, width)] {
      for shift in [step, -step] where step < extent {
        let rolled = try Roll(shifts: [shift], axes: [axis]).evaluate([.tensor(x)])[0].tensor.real
        for index in expected.indices { expected[index] = max(expected[index], rolled[index] - x.real[index]) }
      }
    }
    #expect(result.real == expected)
  }

  @Test func mgcOffsets() throws {
    let type = try BuildNeighborhood(construction: MGC(step: 4)).resultTypes([.tensor(TensorType(.f32, [1, 3, 7, 4]))])
    let offsets = [(4, 0), (-4, 0), (0, 0), (0, 0)].map { Offset(dy: $0.0, dx: $0.1) }
    #expect(type == [.neighborhood(NeighborhoodType(.offsets(offsets), batch: 1, height: 7, width: 4))])
  }

  /// LogViG's own formulation: rolls by K^i - 1 and back along each axis, made of slices, which clamp; i from 1 to below the
  /// bits of the side.
  @Test(arguments: [(7, 5, 2), (8, 9, 2), (6, 16, 3), (1, 4, 2), (3, 2, 5), (5, 7, 1)])
  func maxRelativeOverLSGCIsTheMaximumOverClampedRolls(_ height: Int, _ width: Int, _ base: Int) throws {
    let x: Tensor<Double> = randomTensor([2, 3, height, width])
    let graph = try BuildNeighborhood(construction: LSGC(base: base)).evaluate([.tensor(x)])[0]
    let op = Aggregate(kind: .maxRelative, direction: .selfMinusNeighbor, start: 0)
    let result = try op.evaluate([.tensor(x), graph])[0].tensor

    var expected = [Double](repeating: 0, count: x.count)
    for (axis, extent) in [(2, height), (3, width)] {
      let bits = String(extent, radix: 2).count
      for exponent in 1..<max(bits, 1) {
        let shift = (0..<exponent).reduce(1) { power, _ in power * base } - 1
        for signed in [shift, -shift] where shift < extent {
          let rolled = try Roll(shifts: [signed], axes: [axis]).evaluate([.tensor(x)])[0].tensor.real
          for index in expected.indices { expected[index] = max(expected[index], x.real[index] - rolled[index]) }
        }
      }
    }
    #expect(result.real == expected)
  }

  @Test func lsgcOffsets() throws {
    let type = try BuildNeighborhood(construction: LSGC(base: 2)).resultTypes([.tensor(TensorType(.f32, [1, 3, 8, 5]))])
    let offsets = [
      (1, 0), (3, 0), (7, 0), (-1, 0), (-3, 0), (-7, 0), (0, 1), (0, 3), (0, -1), (0, -3),
    ].map { Offset(dy: $0.0, dx: $0.1) }
    #expect(type == [.neighborhood(NeighborhoodType(.offsets(offsets), batch: 1, height: 8, width: 5))])
    #expect(throws: Diagnostic.self) {
      try BuildNeighborhood(construction: LSGC(base: 0)).resultTypes([.tensor(TensorType(.f32, [1, 3, 8, 5]))])
    }
  }

  /// A large base neither overflows nor reaches anyone but the pixel itself.
  @Test func lsgcOfAHugeBase() {
    let offsets = LSGC(base: .max).offsets(height: 64, width: 4)
    #expect(offsets.count == 2 * 6 + 2 * 2)
    #expect(offsets.allSatisfy { $0 == Offset(dy: 0, dx: 0) })
  }

  /// GreedyViG's own formulation, on whole rolled images.
  @Test(arguments: [(7, 5, 2), (6, 9, 1), (4, 3, 3), (1, 5, 2), (3, 1, 1)])
  func dagcAdmitsRollsThatAreNear(_ height: Int, _ width: Int, _ step: Int) throws {
    let x: Tensor<Double> = randomTensor([2, 11, height, width])
    let plane = height * width
    func distances(_ down: Int, _ right: Int) throws -> [Double] {
      let rolled = try Roll(shifts: [down, right], axes: [2, 3]).evaluate([.tensor(x)])[0].tensor.real
      return (0..<(2 * plane)).map { pixel in
        (0..<11).reduce(0.0) { sum, channel in
          let place = (pixel / plane * 11 + channel) * plane + pixel % plane
          return sum + abs(x.real[place] - rolled[place])
        }
      }
    }
    let sampled = try distances((height + 1) / 2, (width + 1) / 2)
    let limits = (0..<2).map { n in
      let own = sampled[(n * plane)..<((n + 1) * plane)]
      let mean = own.reduce(0, +) / Double(plane)
      return mean - (own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(plane - 1)).squareRoot()
    }
    let shifts =
      stride(from: step, to: height, by: step).map { ($0, 0) } + stride(from: step, to: width, by: step).map { (0, $0) }
    let expected = try shifts.map { shift in
      try distances(shift.0, shift.1).enumerated().map { $1 < limits[$0 / plane] }
    }
    let result = try BuildNeighborhood(construction: DAGC(step: step)).evaluate([RuntimeValue<Double>.tensor(x)])[0]
    guard case .neighborhood(.gatedOffsets(let offsets, let admitted), _) = result else {
      Issue.record("DAGC has gated offsets")
      return
    }
    #expect(offsets == shifts.map { Offset(dy: $0.0, dx: $0.1) })
    #expect(admitted == expected)
    // A test that admitted all or nothing would prove little.
    if plane > 20 { #expect(Set(admitted.joined()) == [false, true]) }
  }

  @Test(arguments: ["mgc", "dagc"]) func textRoundTrips(_ kind: String) throws {
    let form = kind == "mgc" ? "offsets (2,0) (-2,0) (0,2) (0,-2)" : "gated_offsets (2,0) (4,0) (0,2)"
    let text = """
      graph g(%x: f32[2,3,5,4]) -> (%y) {
        %n = neighborhood(%x) {kind = "\(kind)", step = 2} : neighborhood<\(form), 2x5x4>
        %y = aggregate(%x, %n) {kind = "max_relative", direction = "neighbor_minus_self", start = 0.0} : f32[2,3,5,4]
      }

      """
    let graph = try GraphParser.parse(text)
    #expect(GraphPrinter.print(graph) == text)
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
