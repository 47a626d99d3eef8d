import IR

/// Turns an optimised graph into a loop program: a buffer for every value that lives in memory, its kernel for every fuse,
/// plain loops for every other op. It knows no kernel: `Kernels` reads a fuse, and the kernel writes its calls.
///
/// The entry is one `layer` region a node, in the graph's order, named after the published module.
public struct GraphLowering {
  let graph: Graph
  var program: ProgramBuilder
  /// The position of the node that makes each value.
  private let definitions: [ValueID: Int]
  /// Values that share memory with another: a reshape of row-major memory.
  private let aliases: [ValueID: ValueID]
  private var buffers: [ValueID: String] = [:]
  /// Constants that kernels read packed, which several of them may share.
  private var packed: [PackedConstant: String] = [:]

  private struct PackedConstant: Hashable {
    var value: ValueID
    /// The form of packing, in a word of the kernel's.
    var form: String
  }
  /// Outputs whose memory the caller owns but whose producer could not write there.
  private var copiedOutputs: [(from: ValueID, to: String)] = []

  /// Lowers `graph` for a target, its parallel regions split into `workers` tasks.
  /// - Throws: a `Diagnostic` when a node has neither kernel nor loops.
  public static func lower(_ graph: Graph, for target: CompilationTarget) throws -> LoopProgram {
    try lowered(graph, for: target).program.finished()
  }

  static func lowered(_ graph: Graph, for target: CompilationTarget) throws -> GraphLowering {
    try graph.requireTensorBoundary()
    try requireIndices(of: graph)
    var lowering = GraphLowering(graph, target)
    try lowering.declareBoundary()
    for node in graph.nodes { try lowering.lower(node) }
    lowering.copyOutputs()
    return lowering
  }

  /// The most elements of one value. Indices have 32 bits on the smallest machines, and are sums of a few terms that
  /// each may be this large.
  static let mostElements = 1 << 29

  private static func requireIndices(of graph: Graph) throws {
    for node in graph.nodes {
      for value in node.operands + node.results {
        guard let type = graph.type(of: value).tensor, type.storageCount > mostElements else { continue }
        throw Diagnostic(
          "%\(graph.values[value.index].name) is \(type), \(type.storageCount) elements; "
            + "at most \(mostElements) can be indexed", at: node.location)
      }
    }
  }

  private init(_ graph: Graph, _ target: CompilationTarget) {
    self.graph = graph
    program = ProgramBuilder(
      name: ProgramBuilder.identifier(graph.name), target: target.target, workers: target.workers, tuning: target.tuning
    )
    var aliases: [ValueID: ValueID] = [:]
    for node in graph.nodes {
      if node.op is Reshape, graph.type(of: node.operands[0]).tensor?.layout == .rowMajor {
        aliases[node.results[0]] = aliases[node.operands[0]] ?? node.operands[0]
      }
    }
    definitions = graph.definitions
    self.aliases = aliases
  }

  var target: Target { program.target }
  var lanes: Int { program.lanes }
  var workers: Int { program.workers }
  /// The order of a loop over tasks.
  var order: LoopStatement.Order { workers > 1 ? .parallel : .serial }

  /// Channels with the padding that an image in memory has.
  func padded(_ channels: Int) -> Int { roundUp(channels, toMultipleOf: lanes) }

  /// The published name of a node's module, or the name of its value: what its constants and rings are called after.
  func layerName(of node: Node) -> String {
    node.layer.isEmpty ? graph.values[node.results[0].index].name : node.layer
  }

  /// Goes on with the entry; see `ProgramBuilder.write`.
  mutating func write(_ body: (_ entry: inout LoopBuilder, _ program: inout ProgramBuilder) -> Void) {
    program.write(body)
  }

  private func producer(_ value: ValueID) -> Node? { definitions[value].map { graph.nodes[$0] } }

  /// Inputs and outputs are the caller's buffers, in order.
  private mutating func declareBoundary() throws {
    for (index, input) in graph.inputs.enumerated() {
      let type = graph.tensorType(of: input)
      let name = graph.inputs.count == 1 ? "input" : "input_\(index)"
      buffers[input] = program.buffer(name, .input, type.element, count: type.storageCount)
    }
    for (index, output) in graph.outputs.enumerated() {
      let type = graph.tensorType(of: output)
      let hint = graph.outputs.count == 1 ? "output" : "output_\(index)"
      let name = program.buffer(hint, .output, type.element, count: type.storageCount)
      let root = root(of: output)
      let readers = graph.nodes.filter { node in
        !(node.op is Reshape && aliases[node.results[0]] != nil) && node.operands.contains { self.root(of: $0) == root }
      }
      if buffers[root] == nil, readers.isEmpty, let producer = producer(root), !(producer.op is Constant) {
        buffers[root] = name
      } else {
        copiedOutputs.append((output, name))
      }
    }
  }

  private func root(of value: ValueID) -> ValueID { aliases[value] ?? value }

  /// The buffer a value lives in: made on first use. Constants are packed as their layout says.
  mutating func buffer(for value: ValueID) -> String {
    let root = root(of: value)
    if let known = buffers[root] { return known }
    if let graphType = graph.type(of: root).neighborhood, let storage = graphType.storage {
      let name = program.buffer(
        graph.values[root.index].name, .arena, storage.element, count: max(1, storage.count),
        range: graphType.storageRange)
      buffers[root] = name
      return name
    }
    let type = graph.tensorType(of: root)
    let hint = graph.values[root.index].name
    let name: String
    if let values = constant(root) {
      name = program.constant(hint, type.stored(values).map { Float($0) })
    } else if let data = producer(root).flatMap({ graph.data(of: $0) }) {
      name = program.constant(hint, data)
    } else {
      name = program.buffer(hint, .arena, type.element, count: type.storageCount)
    }
    buffers[root] = name
    return name
  }

  /// The buffer of a float32 constant that is packed in some form; packed once for each form. Nil if the value is not a
  /// float32 constant.
  /// - Parameters:
  ///   - form: which packing, in a word of the kernel's; equal words, equal packing.
  ///   - suffix: of the buffer's name.
  mutating func packedBuffer(
    for value: ValueID, form: String, suffix: String, _ pack: (_ values: [Double]) -> [Float]
  ) -> String? {
    guard let values = constant(value) else { return nil }
    let key = PackedConstant(value: value, form: form)
    if let known = packed[key] { return known }
    let name = program.constant("\(graph.values[value.index].name)_\(suffix)", pack(values))
    packed[key] = name
    return name
  }

  /// Contents of a value that is a float32 constant.
  func constant(_ value: ValueID) -> [Double]? { producer(value).flatMap { graph.contents(of: $0) } }

  /// An image of the graph as rows in memory.
  mutating func image(_ value: ValueID) -> RowImage {
    let type = graph.tensorType(of: value)
    let shape = type.shape
    let name = buffer(for: value)
    switch type.layout {
    case .rowMajor:
      return RowImage(buffer: name, rowStep: shape[3], imageElements: shape[1] * shape[2] * shape[3])
    case .channelsLast(let padding):
      let row = shape[3] * roundUp(shape[1], toMultipleOf: padding)
      return RowImage(buffer: name, rowStep: row, imageElements: shape[2] * row)
    }
  }

  private mutating func lower(_ node: Node) throws {
    if node.op is Constant || aliases[node.results[0]] != nil { return }
    // A graph that its type describes completely is not in memory.
    if let graph = graph.type(of: node.results[0]).neighborhood, graph.storage == nil { return }
    var failure: (any Error)?
    let outer = program.entry
    program.entry = LoopBuilder(continuing: outer)
    do {
      if let site = FuseSite(node, in: graph, definitions: definitions) {
        let kernel = try Kernels.read(site)
        try kernel.checkLayouts(image: .channelsLast(padding: lanes))
        try kernel.lower(node, into: &self)
      } else if let concat = node.op as? Concat, node.operands.count > Self.mostParts,
        (node.operands + node.results).allSatisfy({ graph.tensorType(of: $0).layout == .rowMajor })
      {
        lowerParts(node, concat)
      } else {
        try lowerGeneral(node)
      }
    } catch {
      failure = error
    }
    let body = program.entry.statements
    var entry = LoopBuilder(continuing: program.entry, with: outer.statements)
    entry.append(.layer(layerName(of: node), body))
    program.entry = entry
    if let failure { throw failure }
  }

  /// An op without a kernel: its own plain loops, in a function of its own.
  private mutating func lowerGeneral(_ node: Node) throws {
    var parameters: [LoopParameter] = []
    var arguments: [LoopArgument] = []
    /// A value as the loops see it, passed under `name` if it is in memory.
    func tensor(_ value: ValueID, _ name: String, _ access: LoopParameter.Access) -> LoopTensor {
      let stored: TensorType?
      let range: ClosedRange<Int>?
      let result: LoopTensor
      switch graph.type(of: value) {
      case .tensor(let type):
        (stored, range, result) = (type, nil, LoopTensor(buffer: name, type: type))
      case .neighborhood(let type):
        (stored, range, result) = (type.storage, type.storageRange, type.loopTensor(buffer: name))
      }
      if let stored {
        parameters.append(
          LoopParameter(name, .view(access, stored.element, count: max(1, stored.storageCount), range: range)))
        arguments.append(.view(buffer: buffer(for: value), 0))
      }
      return result
    }
    var operands: [LoopTensor] = []
    for (index, operand) in node.operands.enumerated() {
      operands.append(tensor(operand, "operand_\(index)", .read))
    }
    var results: [LoopTensor] = []
    for (index, result) in node.results.enumerated() {
      results.append(tensor(result, "result_\(index)", node.op.readsResults ? .readWrite : .write))
    }
    var failure: (any Error)?
    let function = program.function(node.op.mnemonic, parameters) { builder in
      do { try node.op.buildLoops(&builder, operands: operands, results: results) } catch { failure = error }
    }
    if let failure { throw failure }
    program.entry.call(function, arguments)
  }

  /// The most parts of a concatenation that one function writes: compilers take minutes for a function of hundreds of
  /// loops.
  private static let mostParts = 32

  /// A concatenation of many parts: a call for each part, and one function for all parts of the same shape.
  private mutating func lowerParts(_ node: Node, _ concat: Concat) {
    let type = graph.tensorType(of: node.results[0])
    let axis = concat.axis < 0 ? concat.axis + type.rank : concat.axis
    let inner = type.shape[(axis + 1)...].reduce(1, *)
    let result = buffer(for: node.results[0])
    let row = type.shape[axis] * inner
    var start = 0
    for operand in node.operands {
      let part = graph.tensorType(of: operand)
      let block = part.shape[axis] * inner
      let rows = part.count / block
      let element = LoopType(part.element)
      let parameters = [
        LoopParameter("operand", .view(.read, part.element, count: part.count, range: nil)),
        LoopParameter("result", .view(.write, part.element, count: (rows - 1) * row + block, range: nil)),
      ]
      let function = program.function("concat_part", parameters) { builder in
        builder.loops(over: [rows, block]) { builder, index in
          builder.store("result", index[0] * row + index[1], .load("operand", index[0] * block + index[1], element))
        }
      }
      program.entry.call(function, [.view(buffer: buffer(for: operand), 0), .view(buffer: result, .constant(start))])
      start += block
    }
  }

  /// Outputs that are inputs, constants, or read by other nodes as well.
  private mutating func copyOutputs() {
    for (value, name) in copiedOutputs {
      let type = graph.tensorType(of: value)
      let source = buffer(for: value)
      let count = type.storageCount
      let element = LoopType(type.element)
      let copy = program.function(
        "copy_\(count)",
        [
          LoopParameter("input", .view(.read, type.element, count: count, range: nil)),
          LoopParameter("output", .view(.write, type.element, count: count, range: nil)),
        ]
      ) { builder in
        builder.loop("i", 0, .constant(count)) { builder, i in
          builder.store("output", i, .load("input", i, element))
        }
      }
      program.entry.call(copy, [.view(buffer: source, 0), .view(buffer: name, 0)])
    }
  }
}

extension TensorType {
  /// Row-major values in the order of the layout, padding as zeros.
  fileprivate func stored(_ values: [Double]) -> [Double] {
    guard case .channelsLast(let padding) = layout else { return values }
    let pixels = shape[2] * shape[3]
    let stride = roundUp(shape[1], toMultipleOf: padding)
    var result = [Double](repeating: 0, count: storageCount)
    for (place, value) in values.enumerated() {
      let (plane, pixel) = place.quotientAndRemainder(dividingBy: pixels)
      let (image, channel) = plane.quotientAndRemainder(dividingBy: shape[1])
      result[(image * pixels + pixel) * stride + channel] = value
    }
    return result
  }
}
