import IR

/// What a name of an ONNX model stands for while its nodes are read.
enum ImportedValue {
  /// Computed when the model runs.
  case computed(ValueID)
  /// Known now: a weight, or something computed from shapes and constants.
  case known(KnownTensor)
  /// Tensors in an order, as many as are known.
  case sequence([ImportedValue])
  /// Made by a node that was refused. Nodes that read it are skipped, so that each refusal is reported once.
  case refused

  var known: KnownTensor? {
    if case .known(let tensor) = self { tensor } else { nil }
  }

  var isRefused: Bool {
    if case .refused = self { true } else { false }
  }
}

/// Contents known at compile time, with the name they go by.
struct KnownTensor {
  var data: TensorData
  /// An initializer's own, or that of the value it was computed for.
  var name: String
  /// Whether the contents are a weight, which keeps its name, and not something computed on the way.
  var isInitializer: Bool
  /// Equal for copies of one tensor, which then share a node.
  var id: Int

  var tensor: Tensor<Double> { Tensor(data) }
}

/// The graph that nodes are read into. An op is computed at once if all its operands are known.
struct ImportBuilder {
  /// More than any network holds, and few enough that no size of anything overflows.
  static let mostElements = 1 << 31
  /// The most elements that something computed by the compiler may have.
  static let mostKnown = 1 << 27

  var graph: Graph
  /// The layer of the nodes that are added.
  var layer = ""
  /// The name of the value that is being computed.
  var name = ""
  private var constants: [Int: ValueID] = [:]
  private var knownCount = 0
  /// The memory of all known values: they are kept until the model is read.
  private var knownBytes = 0
  /// The parts of values that were joined from known and unknown parts. A slice that lies in one known part is known.
  var joins: [ValueID: (axis: Int, parts: [ImportedValue])] = [:]
  /// For values that only repeat another value, that other value: operators that broadcast read it directly.
  var repeated: [ValueID: ValueID] = [:]

  init(name: String) {
    graph = Graph(name: name)
  }

  mutating func known(_ data: TensorData, name: String? = nil, isInitializer: Bool = false) -> ImportedValue {
    knownCount += 1
    knownBytes += data.bytes.count
    return .known(KnownTensor(data: data, name: name ?? self.name, isInitializer: isInitializer, id: knownCount))
  }

  /// Throws if what is known takes more than the memory limit.
  func requireRoom() throws { try MemoryLimit.require(knownBytes, for: "the tensors that are known ahead of a run") }

  mutating func known(_ tensor: Tensor<Double>) -> ImportedValue { known(TensorData(encoding: tensor)) }

  /// One number of an element type; of an integer type a whole one.
  mutating func known(scalar: Double, _ element: ElementType = .f32) -> ImportedValue {
    known(Tensor<Double>(element, shape: [], [scalar]))
  }

  /// The numbers 0, 1, ... along one axis of a tensor of `rank` axes, as i64; the other axes have extent 1.
  mutating func places(_ count: Int, along axis: Int, rank: Int) throws -> ImportedValue {
    var shape = [Int](repeating: 1, count: rank)
    shape[axis] = try knownExtents([count])[0]
    return known(Tensor<Double>(element: .i64, shape: shape, integer: (0..<count).map { Int64($0) }))
  }

  func type(of value: ImportedValue) throws -> TensorType {
    switch value {
    case .computed(let id): return graph.tensorType(of: id)
    case .known(let tensor): return tensor.data.type
    case .sequence: throw Diagnostic("it reads a sequence of tensors where it takes one")
    case .refused: throw Diagnostic("it reads what a refused node computes")
    }
  }

  /// A value as one of the graph: what is known becomes a constant.
  mutating func graphValue(_ value: ImportedValue) throws -> ValueID {
    switch value {
    case .computed(let id): return id
    case .sequence: throw Diagnostic("it reads a sequence of tensors where it takes one")
    case .refused: throw Diagnostic("it reads what a refused node computes")
    case .known(let tensor):
      if let constant = constants[tensor.id] { return constant }
      let data = tensor.data
      let source: Constant.Source
      if !tensor.isInitializer, data.count <= Constant.inlineLimit, let numbers = data.inlineNumbers {
        source = .inline(numbers)
      } else {
        var name = tensor.name.isEmpty ? "constant" : tensor.name
        var suffix = 1
        while graph.weights[name] != nil {
          name = "\(tensor.name).\(suffix)"
          suffix += 1
        }
        graph.weights[name] = data
        source = .named(name)
      }
      let constant = Constant(type: data.type, source: source)
      let id = try graph.add(constant, [], name: tensor.name.isEmpty ? "constant" : tensor.name, layer: layer)[0]
      constants[tensor.id] = id
      return id
    }
  }

  /// An op of several results over values: computed now if all of them are known.
  mutating func applyAll(_ op: any Op, _ operands: [ImportedValue]) throws -> [ImportedValue] {
    let types = try op.checkedResultTypes(operands.map { .tensor(try type(of: $0)) })
    let tensors = operands.compactMap(\.known)
    if tensors.count == operands.count {
      if types.contains(where: { $0.tensor?.count ?? 0 > Self.mostKnown }) {
        throw Diagnostic("its results have more than \(Self.mostKnown) elements")
      }
      try requireRoom()
      return try op.evaluateWithinLimit(tensors.map { .tensor($0.tensor) }, results: types).map { known($0.tensor) }
    }
    return try graph.add(op, try operands.map { try graphValue($0) }, name: name, layer: layer).map { .computed($0) }
  }

  /// Makes a value an output by the model's own name. Another value that has this name gets a new one.
  mutating func addOutput(_ id: ValueID, as name: String) {
    graph.outputs.append(id)
    if graph.values[id.index].name == name { return }
    if let other = graph.values.indices.first(where: { graph.values[$0].name == name }),
      !(graph.inputs + graph.outputs).contains(ValueID(other))
    {
      graph.rename(ValueID(other), to: "\(name).1")
    }
    graph.rename(id, to: name)
  }

  /// What an operator that broadcasts may read in place of a value: the value it repeats, if the result keeps its
  /// shape.
  func beforeRepetition(_ operands: [ImportedValue]) throws -> [ImportedValue] {
    guard !repeated.isEmpty else { return operands }
    let shape = try broadcast(operands)
    var operands = operands
    for (index, operand) in operands.enumerated() {
      guard case .computed(let id) = operand, let source = repeated[id] else { continue }
      operands[index] = .computed(source)
      if try broadcast(operands) != shape { operands[index] = operand }
    }
    return operands
  }

  /// The shape that values broadcast to; nil if they do not.
  func broadcast(_ operands: [ImportedValue]) throws -> [Int]? {
    let shapes = try operands.map { try type(of: $0).shape }
    let rank = shapes.map(\.count).max() ?? 0
    var result = [Int](repeating: 1, count: rank)
    for shape in shapes {
      for (axis, extent) in zip((rank - shape.count)..<rank, shape) where extent != 1 {
        if result[axis] != 1 && result[axis] != extent { return nil }
        result[axis] = extent
      }
    }
    return result
  }

  /// An op of one result over values: computed now, in double and rounded once, if all of them are known.
  mutating func apply(_ op: any Op, _ operands: [ImportedValue]) throws -> ImportedValue {
    let types = try operands.map { ValueType.tensor(try type(of: $0)) }
    guard let result = try op.checkedResultTypes(types)[0].tensor, result.count <= Self.mostElements else {
      throw Diagnostic("its result has more than \(Self.mostElements) elements")
    }
    let tensors = operands.compactMap(\.known)
    if tensors.count == operands.count {
      if result.count > Self.mostKnown { throw Diagnostic("its result has more than \(Self.mostKnown) elements") }
      try requireRoom()
      let values = tensors.map { RuntimeValue<Double>.tensor($0.tensor) }
      return known(try op.evaluateWithinLimit(values, results: [.tensor(result)])[0].tensor)
    }
    return .computed(try graph.add(op, try operands.map { try graphValue($0) }, name: name, layer: layer)[0])
  }
}

extension TensorData {
  /// The elements as the text form writes them; nil if some integer has no double of its own.
  fileprivate var inlineNumbers: [Double]? {
    switch Tensor<Double>(self).storage {
    case .real(let values): return values
    case .integer(let values):
      let isExact = values.allSatisfy { $0.magnitude <= 1 << 53 && (element != .u64 || $0 >= 0) }
      return isExact ? values.map(Double.init) : nil
    }
  }
}
