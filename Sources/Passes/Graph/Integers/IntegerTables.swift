import IR

/// Tables of what is computed element by element out of one tensor of 8 bits: any chain or tree of element-wise ops whose
/// other operands are single numbers, pairs between them included.
struct IntegerTables {
  /// The tensor that a value is a function of, and what it is for each of the tensor's 256 integers.
  private struct Function {
    var source: ValueID
    var values: RuntimeValue<Float>
  }

  private var functions: [ValueID: Function?] = [:]
  private var numbers: [ValueID: RuntimeValue<Float>?] = [:]

  /// The value in a `quantize`'s place; nil if it is no function of one tensor of 8 bits.
  mutating func lookup(_ rewriter: inout GraphRewriter, _ node: Node, _ quantize: Quantize) throws -> [ValueID]? {
    try table(&rewriter, of: node.operands[0], quantize, name: rewriter.name(of: node), like: node).map { [$0] }
  }

  /// What quantising `value` gives, as a table or as the source itself where the table changes nothing.
  mutating func table(
    _ rewriter: inout GraphRewriter, of value: ValueID, _ quantize: Quantize, name: String, like node: Node
  ) throws -> ValueID? {
    guard quantize.quantization.axis == nil, let function = try function(rewriter, value) else { return nil }
    let entries = try quantize.evaluate([function.values])[0].tensor
    let source = rewriter.graph.tensorType(of: function.source)
    let first = Int64(source.element.integerRange?.lowerBound ?? 0)
    let changesNothing =
      source.element == quantize.element && source.quantization == quantize.quantization
      && entries.integer.enumerated().allSatisfy { Int64($0) + first == $1 }
    if changesNothing { return function.source }
    let data = TensorData(encoding: Tensor<Double>(element: quantize.element, shape: [256], integer: entries.integer))
    let table = try rewriter.addConstant(data, hint: "\(name).table", like: node)
    return try rewriter.add(Lookup(quantize.quantization), [function.source, table], name: name, like: node)[0]
  }

  private mutating func function(_ rewriter: GraphRewriter, _ value: ValueID) throws -> Function? {
    if let known = functions[value] { return known }
    let found = try compute(rewriter, value)
    functions[value] = .some(found)
    return found
  }

  private mutating func compute(_ rewriter: GraphRewriter, _ value: ValueID) throws -> Function? {
    guard let node = rewriter.definition(of: value) else { return nil }
    if let (q, dequantize) = rewriter.integers(of: value) {
      let type = rewriter.graph.tensorType(of: q)
      // A table of a table is one table.
      if let before = rewriter.definition(of: q), let lookup = before.op as? Lookup,
        let entries = rewriter.definition(of: before.operands[1]).flatMap({ rewriter.graph.data(of: $0) })
      {
        let table = RuntimeValue<Float>.tensor(Tensor(entries))
        let all = Self.integers(of: rewriter.graph.tensorType(of: before.operands[0]).element)
        return Function(
          source: before.operands[0], values: try dequantize.evaluate(lookup.evaluate([.tensor(all), table]))[0])
      }
      return Function(source: q, values: try dequantize.evaluate([.tensor(Self.integers(of: type.element))])[0])
    }
    guard let op = node.op as? any ElementwiseOp else { return nil }
    let shape = rewriter.graph.tensorType(of: value).shape
    var source: ValueID?
    var operands: [RuntimeValue<Float>] = []
    for operand in node.operands {
      if let number = number(rewriter, operand) {
        operands.append(number)
      } else if let part = try function(rewriter, operand), source == nil || source == part.source,
        rewriter.graph.tensorType(of: operand).shape == shape
      {
        source = part.source
        operands.append(part.values)
      } else {
        return nil
      }
    }
    guard let source else { return nil }
    return Function(source: source, values: try op.evaluate(operands)[0])
  }

  /// A single number that is known, as a tensor without axes.
  private mutating func number(_ rewriter: GraphRewriter, _ value: ValueID) -> RuntimeValue<Float>? {
    if let known = numbers[value] { return known }
    var result: RuntimeValue<Float>?
    if rewriter.graph.type(of: value).tensor?.count == 1, let real = rewriter.constant(value)?.first {
      result = .tensor(Tensor(shape: [], real: [Float(real)]))
    }
    numbers[value] = .some(result)
    return result
  }

  /// All integers of a type of 8 bits, in order.
  private static func integers(of element: ElementType) -> Tensor<Float> {
    let range = element.integerRange ?? 0...255
    return Tensor(element: element, shape: [256], integer: range.map { Int64($0) })
  }
}
