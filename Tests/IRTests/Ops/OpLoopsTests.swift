import Testing

@testable import IR

/// Every op's plain loops: proved safe, and equal to the reference up to float32's rounding.
@Suite struct OpLoopsTests {
  static let target = Target(
    name: "scalar", summary: "one lane at a time", machine: .portable, lanes: 1, registers: 16,
    cache: .init(l1: 32768, l2: 1 << 20),
    fusesMultiplyAdd: true, compilerFlags: [])

  @Test(arguments: OpCase.all) func loopsAgreeWithTheReference(_ test: OpCase) throws {
    let types = try test.op.resultTypes(test.types)
    let values: [RuntimeValue<Float>] = test.values()
    guard let type = types[0].tensor else {
      return try graphLoopsAgree(test, values, #require(types[0].neighborhood))
    }

    var program = LoopProgram(name: "one_op")
    var inputs: [String: [UInt8]] = [:]
    var operands: [LoopTensor] = []
    for (place, value) in values.enumerated() {
      let name = "in\(place)"
      switch value {
      case .tensor(let tensor):
        program.buffers.append(LoopBuffer(name, .input, tensor.element, count: tensor.count))
        inputs[name] = Self.bytes(tensor)
        operands.append(LoopTensor(buffer: name, type: tensor.type))
      case .neighborhood(let graph, let type):
        operands.append(type.loopTensor(buffer: name))
        guard let storage = type.storage else { continue }
        let bytes = Self.bytes(graph, of: type)
        program.buffers.append(
          LoopBuffer(name, .weights, storage.element, count: storage.count, range: type.storageRange))
        program.constants[name] = bytes
      }
    }
    var results: [LoopTensor] = []
    for (place, type) in types.compactMap(\.tensor).enumerated() {
      let name = place == 0 ? "out" : "out\(place)"
      program.buffers.append(LoopBuffer(name, .output, type.element, count: type.count))
      results.append(LoopTensor(buffer: name, type: type))
    }
    var builder = LoopBuilder()
    try test.op.buildLoops(&builder, operands: operands, results: results)
    program.entry = builder.statements
    try program.verify(target: Self.target)

    let interpreter = try LoopInterpreter(program: program, target: Self.target)
    let output = try #require(try interpreter.run(inputs)["out"])
    let found = Tensor<Double>(TensorData(element: type.element, shape: type.shape, bytes: output))
    let reference: [RuntimeValue<Double>] = try test.op.evaluate(test.values())
    #expect(reference[0].tensor.shape == type.shape)
    guard type.element.isFloat else {
      #expect(found.integer == reference[0].tensor.integer, "\(test.name)")
      return
    }
    // Half of what the last place of a result around 1 is worth, and what float32 loses on the way.
    let tolerance =
      switch type.element {
      case .f16: 1e-3
      case .bf16: 8e-3
      default: 4e-6
      }
    for (index, expected) in reference[0].tensor.real.enumerated() {
      let difference = abs(found.real[index] - expected)
      #expect(
        difference <= tolerance * max(1, abs(expected)) || found.real[index] == expected
          || (found.real[index].isNaN && expected.isNaN),
        "\(test.name) at \(index): \(found.real[index]) for \(expected)")
    }
  }

  /// A tensor as a buffer holds it.
  private static func bytes(_ tensor: Tensor<Float>) -> [UInt8] {
    switch tensor.storage {
    case .real(let values): TensorData(tensor.element, shape: tensor.shape, values.map(Double.init)).bytes
    case .integer(let values): TensorData(tensor.element, shape: tensor.shape, values.map(Double.init)).bytes
    }
  }

  /// A graph's loops store exactly what the reference finds; one of fixed offsets is all type, and stores nothing.
  private func graphLoopsAgree(_ test: OpCase, _ values: [RuntimeValue<Float>], _ type: NeighborhoodType) throws {
    var builder = LoopBuilder()
    let operands = [LoopTensor(buffer: "x", type: values[0].tensor.type)]
    try test.op.buildLoops(&builder, operands: operands, results: [type.loopTensor(buffer: "y")])
    guard let storage = type.storage, storage.count > 0 else {
      #expect(builder.statements.isEmpty)
      return
    }
    let input = values[0].tensor
    let program = LoopProgram(
      name: "one_graph",
      buffers: [
        LoopBuffer("x", .input, .f32, count: input.count),
        LoopBuffer("y", .output, storage.element, count: storage.count, range: type.storageRange),
      ], entry: builder.statements)
    try program.verify(target: Self.target)
    let output = try LoopInterpreter(program: program, target: Self.target).run([
      "x": input.real.withUnsafeBytes { Array($0) }
    ])
    let reference: [RuntimeValue<Double>] = try test.op.evaluate(test.values())
    guard case .neighborhood(let graph, _) = reference[0] else {
      Issue.record("\(test.name) makes a graph")
      return
    }
    #expect(output["y"] == Self.bytes(graph, of: type))
  }

  /// As `NeighborhoodType.storage` lays it out.
  static func bytes(_ graph: NeighborhoodValue, of type: NeighborhoodType) -> [UInt8] {
    switch graph {
    case .offsets: []
    case .incidence(let nodeEdges, let edgeNodes):
      nodeEdges.indices.flatMap { node in
        let first = node / (type.height * type.width) * (edgeNodes.count / type.batch)
        return (0..<(edgeNodes.count / type.batch)).map { edge -> UInt8 in
          if edgeNodes[first + edge].contains(node % (type.height * type.width)) { return 1 }
          return nodeEdges[node].contains(edge) ? 2 : 0
        }
      }
    case .gatedOffsets(_, let admitted): admitted.flatMap { $0.map { $0 ? 1 : 0 } }
    case .indices(let indices, _): indices.map(Int32.init).withUnsafeBytes { Array($0) }
    }
  }

  /// The form that kernels put in their epilogues: eight lanes at a time, every operand a vector of its own.
  @Test(arguments: OpCase.all.filter { $0.op is any ElementwiseOp && $0.isFloat32 }) func lanesAgreeWithTheReference(
    _ test: OpCase
  ) throws {
    let op = try #require(test.op as? any ElementwiseOp)
    let count = 32
    let vector = LoopType(.f32, lanes: 8)
    var program = LoopProgram(name: "lanes")
    var inputs: [String: [Float]] = [:]
    for (place, operand) in test.operands.enumerated() {
      guard case .tensor(_, let range) = operand else { continue }
      program.buffers.append(LoopBuffer("in\(place)", .input, .f32, count: count))
      inputs["in\(place)"] = randomFloats(count, in: range, seed: UInt64(place + 20))
    }
    program.buffers.append(LoopBuffer("out", .output, .f32, count: count))
    var builder = LoopBuilder()
    builder.loop("i", 0, .constant(count), step: 8) { builder, index in
      let operands = inputs.keys.sorted().map { builder.let("x", vector, .load($0, index, vector)) }
      let value = op.buildValue(&builder, operands, lanes: 8)
      builder.store("out", index, value)
    }
    program.entry = builder.statements
    try program.verify(target: LoopFixtures.target())
    let outputs = try LoopInterpreter(program: program, target: LoopFixtures.target()).run(floats: inputs)
    let found = try #require(outputs["out"])
    for index in 0..<count {
      let expected = op.apply(inputs.keys.sorted().map { Double(inputs[$0]?[index] ?? .nan) })
      let difference = abs(Double(found[index]) - expected)
      #expect(difference <= 4e-6 * max(1, abs(expected)), "\(test.name) at \(index): \(found[index]) for \(expected)")
    }
  }

  @Test func channelsLastLoopsWriteZeroPadding() throws {
    let logical = TensorType(.f32, [2, 5, 3, 4])
    var last = logical
    last.layout = .channelsLast(padding: 8)
    var program = LoopProgram(
      name: "layout",
      buffers: [
        LoopBuffer("x", .input, .f32, count: logical.count), LoopBuffer("y", .output, .f32, count: last.storageCount),
        LoopBuffer("z", .output, .f32, count: logical.count), LoopBuffer("t", .arena, .f32, count: last.storageCount),
      ])
    var builder = LoopBuilder()
    let x = LoopTensor(buffer: "x", type: logical)
    for buffer in ["y", "t"] {
      let result = LoopTensor(buffer: buffer, type: last)
      try ConvertLayout(layout: last.layout).buildLoops(&builder, operands: [x], results: [result])
    }
    try ConvertLayout(layout: .rowMajor).buildLoops(
      &builder, operands: [LoopTensor(buffer: "t", type: last)], results: [LoopTensor(buffer: "z", type: logical)])
    program.entry = builder.statements
    try program.verify(target: Self.target)
    let input = randomFloats(logical.count)
    let outputs = try LoopInterpreter(program: program, target: Self.target).run(floats: ["x": input])
    #expect(outputs["z"] == input)
    let y = try #require(outputs["y"])
    #expect(y.count == 2 * 3 * 4 * 8)
    for pixel in 0..<24 {
      #expect(y[(pixel * 8 + 5)..<(pixel * 8 + 8)].allSatisfy { $0 == 0 })
      let n = pixel / 12
      #expect(y[pixel * 8 + 4] == input[(n * 5 + 4) * 12 + pixel % 12])
    }
  }
}

extension Tensor {
  var type: TensorType { TensorType(element, shape) }
}
