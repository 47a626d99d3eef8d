import Testing

@testable import IR

/// Choices and what is read by them: by hand, and loops against the reference, which the tests of all ops do for float
/// operands only.
@Suite struct GatherTests {
  private func integers(_ shape: [Int], _ values: [Int64], _ element: ElementType = .i64) -> RuntimeValue<Double> {
    .tensor(Tensor(element: element, shape: shape, integer: values))
  }

  private func reals(_ shape: [Int], _ values: [Double]) -> RuntimeValue<Double> {
    .tensor(Tensor(shape: shape, real: values))
  }

  private func counting(_ shape: [Int]) -> RuntimeValue<Double> {
    reals(shape, (0..<shape.reduce(1, *)).map(Double.init))
  }

  private func types(_ operands: [RuntimeValue<Double>]) -> [ValueType] {
    operands.map { .tensor(TensorType($0.tensor.element, $0.tensor.shape)) }
  }

  /// The results of an op by its loops, after the reference has said the same.
  private func run(_ op: any Op, _ operands: [RuntimeValue<Double>]) throws -> [Tensor<Double>] {
    let expected = try op.evaluate(operands).map(\.tensor)
    let results = try op.resultTypes(types(operands)).compactMap(\.tensor)
    #expect(results == expected.map { TensorType($0.element, $0.shape) })
    var program = LoopProgram(name: "one_op")
    var inputs: [String: [UInt8]] = [:]
    func tensor(_ name: String, _ type: TensorType, _ storage: LoopBuffer.Storage) -> LoopTensor {
      program.buffers.append(LoopBuffer(name, storage, type.element, count: type.count))
      return LoopTensor(buffer: name, type: type)
    }
    let loopOperands = operands.enumerated().map { place, operand in
      inputs["in\(place)"] = TensorData(encoding: operand.tensor).bytes
      return tensor("in\(place)", TensorType(operand.tensor.element, operand.tensor.shape), .input)
    }
    let loopResults = results.enumerated().map { tensor("out\($0.offset)", $0.element, .output) }
    var builder = LoopBuilder()
    try op.buildLoops(&builder, operands: loopOperands, results: loopResults)
    program.entry = builder.statements
    try program.verify(target: OpLoopsTests.target)
    let outputs = try LoopInterpreter(program: program, target: OpLoopsTests.target).run(inputs)
    for (place, reference) in expected.enumerated() {
      #expect(outputs["out\(place)"] == TensorData(encoding: reference).bytes, "result \(place) of \(op.mnemonic)")
    }
    return expected
  }

  @Test func largestInOrderWithLowerPlacesFirst() throws {
    let x = reals([2, 5], [3, 1, 3, -2, 5, 0, 0, 0, 0, 0])
    let largest = try run(TopK(axis: 1, k: 3, largest: true), [x])
    #expect(largest[0].real == [5, 3, 3, 0, 0, 0] && largest[1].integer == [4, 0, 2, 0, 1, 2])
    let smallest = try run(TopK(axis: -1, k: 5, largest: false), [x])
    #expect(smallest[1].integer == [3, 1, 0, 2, 4, 0, 1, 2, 3, 4])
    let columns = try run(TopK(axis: 0, k: 1, largest: false), [x])
    #expect(columns[0].shape == [1, 5] && columns[1].integer == [1, 1, 1, 0, 1])
  }

  @Test func noNumberIsMoreThanAny() throws {
    let x = reals([6], [1, .nan, .infinity, -.infinity, .nan, 2])
    #expect(try run(TopK(axis: 0, k: 6, largest: true), [x])[1].integer == [1, 4, 2, 5, 0, 3])
    #expect(try run(TopK(axis: 0, k: 6, largest: false), [x])[1].integer == [3, 0, 5, 2, 1, 4])
    let zeros = reals([3], [0, -0.0, 0])
    #expect(try run(TopK(axis: 0, k: 3, largest: false), [zeros])[1].integer == [0, 1, 2])
  }

  @Test(arguments: [ElementType.i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64]) func integersToo(_ element: ElementType)
    throws
  {
    let x = integers([2, 2, 3], [7, 0, 7, 100, 3, 3, 1, 2, 3, 6, 5, 4], element)
    let found = try run(TopK(axis: 1, k: 1, largest: true), [x])
    #expect(found[0].integer == [100, 3, 7, 6, 5, 4] && found[1].integer == [1, 1, 0, 1, 1, 1])
  }

  @Test func topKOfNothingSensible() {
    for (op, said) in [
      (TopK(axis: 1, k: 0), "k is 0; axis 1 of f32[2,3] has 3 elements"), (TopK(axis: 1, k: 4), "k is 4"),
      (TopK(axis: 2, k: 1), "axis 2 is not in a tensor of rank 2"), (TopK(axis: 0, k: .min), "so k is from 1 to that"),
    ] {
      let error = #expect(throws: Diagnostic.self) { try op.resultTypes([.tensor(TensorType(.f32, [2, 3]))]) }
      #expect(error?.message.contains(said) == true, "\(error?.message ?? "")")
    }
    #expect(throws: Diagnostic.self) { try TopK(axis: 0, k: 1).resultTypes([.tensor(TensorType(.f32, []))]) }
  }

  @Test func gathersAlongAnyAxis() throws {
    let x = counting([2, 3, 2])
    #expect(try run(Gather(axis: 1), [x, integers([], [2])])[0].real == [4, 5, 10, 11])
    let rows = try run(Gather(axis: -3), [x, integers([2, 1], [1, -2], .i32)])[0]
    #expect(rows.shape == [2, 1, 3, 2] && rows.real == [6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5])
    let last = try run(Gather(axis: 2), [x, integers([3], [0, 0, -1])])[0]
    #expect(last.shape == [2, 3, 3] && Array(last.real[..<6]) == [0, 0, 1, 2, 2, 3])
    let truths = try run(Gather(axis: 0), [integers([3], [1, 0, 1], .bool), integers([2], [1, 2])])[0]
    #expect(truths.element == .bool && truths.integer == [0, 1])
  }

  @Test func elementsAtTheirOwnPlaces() throws {
    let x = counting([3, 3])
    let found = try run(GatherElements(axis: 0), [x, integers([2, 3], [1, 2, 0, 2, 0, 0])])[0]
    #expect(found.shape == [2, 3] && found.real == [3, 7, 2, 6, 1, 2])
    #expect(try run(GatherElements(axis: -1), [x, integers([2, 2], [-1, 0, 1, 1], .i32)])[0].real == [2, 0, 4, 4])
  }

  @Test func tuplesOfIndices() throws {
    let x = counting([2, 2, 3])
    #expect(try run(GatherND(), [x, integers([2, 3], [0, 1, 2, 1, 0, -1])])[0].real == [5, 8])
    let rows = try run(GatherND(), [x, integers([2, 1, 2], [1, 0, 0, -1])])[0]
    #expect(rows.shape == [2, 1, 3] && rows.real == [6, 7, 8, 3, 4, 5])
    let batched = try run(GatherND(batchDims: 1), [x, integers([2, 2, 1], [1, 0, 1, 1])])[0]
    #expect(batched.shape == [2, 2, 3] && batched.real == [3, 4, 5, 0, 1, 2, 9, 10, 11, 9, 10, 11])
    let both = try run(GatherND(batchDims: 2), [x, integers([2, 2, 1], [2, 0, -1, 1])])[0]
    #expect(both.shape == [2, 2] && both.real == [2, 3, 8, 10])
  }

  /// ONNX leaves open what an index outside means; here it is the nearest one inside, and never memory outside.
  @Test(arguments: [ElementType.i32, .i64]) func outsideIsTheNearestInside(_ element: ElementType) throws {
    let most = Int64(Int32.max)
    let far = element == .i64 ? [Int64.max, .min] : [most, -most - 1]
    let indices = integers([6], [3, -4, -3, 2] + far, element)
    #expect(try run(Gather(axis: 0), [counting([3]), indices])[0].real == [2, 0, 0, 2, 2, 0])
    #expect(try run(GatherElements(axis: 0), [counting([3]), indices])[0].real == [2, 0, 0, 2, 2, 0])
    let tuples = integers([6, 1], [3, -4, -3, 2] + far, element)
    #expect(try run(GatherND(), [counting([3]), tuples])[0].real == [2, 0, 0, 2, 2, 0])
  }

  @Test func refusesWhatDoesNotFit() {
    let x = ValueType.tensor(TensorType(.f32, [2, 3]))
    func indices(_ shape: [Int], _ element: ElementType = .i64) -> ValueType { .tensor(TensorType(element, shape)) }
    let cases: [(any Op, [ValueType], String)] = [
      (Gather(axis: 2), [x, indices([1])], "axis 2 is not in a tensor of rank 2"),
      (Gather(axis: 0), [x, x], "must be a tensor of i64 or i32"),
      (Gather(axis: 0), [x], "takes 2 operands"),
      (Gather(axis: 0), [x, indices([1 << 40, 1 << 40])], "too many elements"),
      (GatherElements(axis: 0), [x, indices([1])], "of rank 2"),
      (GatherElements(axis: 0), [x, indices([9, 4])], "no longer than data"),
      (GatherND(batchDims: 2), [x, indices([2, 3])], "batch_dims is 2; it must be less than both ranks"),
      (GatherND(batchDims: -1), [x, indices([2, 1])], "batch_dims is -1"),
      (GatherND(batchDims: 1), [x, indices([3, 1])], "of the extents of data along the first 1 axes"),
      (GatherND(), [x, indices([5, 3])], "of at most 2 along the last axis"),
      (GatherND(), [x, indices([])], "a tensor with axes"),
    ]
    for (op, operands, said) in cases {
      let error = #expect(throws: Diagnostic.self) { try op.resultTypes(operands) }
      #expect(error?.message.contains(said) == true, "\(error?.message ?? "")")
    }
  }
}
