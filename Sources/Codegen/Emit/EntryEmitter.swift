import IR

// The entry of a program as C: every layer a static function, every parallel loop a task that the caller's threads run.
//
//   layer "stem" { call conv(&input[0], &w[0], &x[0]) }   ->  static void M_layer_0_stem(const M_t *m, ...) {...}
//   for i in 0 ..< 8 parallel {...}                       ->  static void M_task_0(void *context, int task, int worker)
//                                                             and a call of M_for in its place

/// Collects the functions that the entry is cut into. A class: emitters of nested blocks add to one list.
final class EntryEmitter {
  let program: LoopProgram
  let plan: MemoryPlan
  let target: Target
  let weights: WeightsLayout
  let prefix: String
  let functionNames: [String: String]
  /// Parameter names of the input and output buffers, in order of the buffers.
  let tensors: [(buffer: LoopBuffer, name: String)]
  /// Structures and functions, callees first.
  private(set) var declarations: [CDeclaration] = []
  /// Names of the outlined layers, by profile index.
  private(set) var layers: [String] = []
  private(set) var usesThreads = false
  private var tasks = 0

  init(
    program: LoopProgram, plan: MemoryPlan, target: Target, weights: WeightsLayout, prefix: String,
    functionNames: [String: String], tensors: [(buffer: LoopBuffer, name: String)]
  ) {
    self.program = program
    self.plan = plan
    self.target = target
    self.weights = weights
    self.prefix = prefix
    self.functionNames = functionNames
    self.tensors = tensors
  }

  // MARK: One C function

  /// Where a piece of the entry goes and what it needs from outside.
  private struct Outline {
    var mentions: LoopMentions
    var tensors: [(buffer: LoopBuffer, name: String)]
    var indices: [(name: String, range: ClosedRange<Int>)] = []
    var values: [(name: String, type: LoopType)] = []
  }

  /// What `body` needs from `emitter`'s scope; nil if it assigns to or indexes registers out there.
  private func outline(_ body: [LoopStatement], extra: [LoopIndex], from emitter: FunctionEmitter) -> Outline? {
    var mentions = LoopMentions(body)
    for index in extra { mentions.visit(index) }
    guard mentions.assigned.isEmpty else { return nil }
    var result = Outline(
      mentions: mentions, tensors: tensors.filter { mentions.buffers.contains($0.buffer.name) })
    for name in mentions.names {
      if case .variable(_, let range) = emitter.indices.bindings[name] { result.indices.append((name, range)) }
      switch emitter.bindings[name] {
      case .parts(_, let type): result.values.append((name, type))
      case .variables, .arrays: return nil
      case nil: break
      }
    }
    return result
  }

  /// Pointers to the buffers that `body` itself uses, not those of its parallel loops.
  private func bindBuffers(_ names: [String], in emitter: inout FunctionEmitter) throws {
    for name in names where emitter.buffers[name] == nil {
      guard let buffer = program.buffers.first(where: { $0.name == name }) else {
        throw Diagnostic("no buffer is called \(name)")
      }
      let base = CType.named(buffer.element.cName)
      let place: CExpression
      var isConstant = false
      switch buffer.storage {
      case .input, .output: preconditionFailure("tensors are parameters")
      case .weights:
        isConstant = true
        place = .infix("+", .member(.name("m"), "weights", arrow: true), .integer(weights.offsets[name] ?? 0))
      case .arena:
        guard let offset = plan.offsets[name] else { preconditionFailure("the plan has no place for \(name)") }
        place = .infix("+", .member(.name("m"), "arena", arrow: true), .integer(offset))
      case .scratch:
        guard let offset = plan.offsets[name] else { preconditionFailure("the plan has no place for \(name)") }
        let start = CExpression.infix(
          "+", .member(.name("m"), "arena", arrow: true), .integer(plan.scratchBase + offset))
        let own = CExpression.infix("*", .cast(.size, emitter.worker), .integer(plan.scratchBytes))
        place = emitter.worker == .literal("0") ? start : .infix("+", start, own)
      }
      let type = CType.pointer(isConstant ? .constant(base) : base)
      let local = emitter.names.fresh(name)
      let through = CType.pointer(isConstant ? .constant(.void) : .void)
      emitter.append(.declare(.constant(type), local, .cast(type, .cast(through, place))))
      emitter.buffers[name] = FunctionEmitter.Buffer(pointer: .name(local), element: buffer.element)
    }
  }

  private func newEmitter(isTask: Bool) -> FunctionEmitter {
    var emitter = FunctionEmitter(program, target: target, functionNames: functionNames)
    emitter.entry = isTask ? nil : self
    if isTask { emitter.worker = .name("worker") }
    return emitter
  }

  private var machine: CParameter { CParameter(.pointer(.constant(.named("\(prefix)_t"))), "m") }

  private func parameter(_ tensor: LoopBuffer, _ name: String) -> CParameter {
    let base = CType.named(tensor.element.cName)
    return CParameter(.pointer(tensor.storage == .input ? .constant(base) : base), name)
  }

  private func bindTensors(_ tensors: [(buffer: LoopBuffer, name: String)], in emitter: inout FunctionEmitter) {
    for tensor in tensors {
      let name = emitter.names.fresh(tensor.name)
      emitter.buffers[tensor.buffer.name] = FunctionEmitter.Buffer(
        pointer: .name(name), element: tensor.buffer.element)
    }
  }

  private func finished(_ function: CFunction) -> CDeclaration {
    var function = function
    function.body = withoutUnreadLocals(function.body)
    var reads: Set<String> = []
    for statement in function.body { statement.forEachRead { reads.insert($0) } }
    let unread = function.parameters.filter { !reads.contains($0.name) }
    function.body = unread.map { .expression(.cast(.void, .name($0.name))) } + function.body
    return .function(function)
  }

  private func add(_ function: CFunction) { declarations += [finished(function), .blank] }

  // MARK: Layers

  /// Puts a layer into a function of its own and calls it. False if it must stay where it is.
  func outline(layer name: String, _ body: [LoopStatement], from emitter: inout FunctionEmitter) throws -> Bool {
    guard !emitter.isInLayer, let outline = outline(body, extra: [], from: emitter) else { return false }
    let number = layers.count
    layers.append(name)
    let function = "\(prefix)_layer_\(number)_\(CNames.identifier(name))"
    var inner = newEmitter(isTask: false)
    inner.isInLayer = true
    inner.worker = emitter.worker
    var parameters = [machine]
    var arguments: [CExpression] = [.name("m")]
    bindTensors(outline.tensors, in: &inner)
    for tensor in outline.tensors {
      parameters.append(parameter(tensor.buffer, tensor.name))
      arguments.append(try emitter.buffer(tensor.buffer.name).pointer)
    }
    for (name, range) in outline.indices {
      let local = inner.names.fresh(name)
      inner.indices.bindings[name] = .variable(local, range)
      parameters.append(CParameter(.index, local))
      arguments.append(emitter.index(.variable(name)))
    }
    inner.inheritConstants(of: emitter)
    for (name, type) in outline.values {
      let values = try emitter.lower(.variable(name)).parts
      let locals = values.map { _ in inner.names.fresh(name) }
      inner.bindings[name] = .parts(locals, type)
      for (local, value) in zip(locals, values) {
        parameters.append(CParameter(inner.layout(type).type, local))
        arguments.append(value)
      }
    }
    let statements = try inner.block {
      try bindBuffers(LoopMentions(body, entersParallel: false).buffers, in: &$0)
      try $0.emit(body)
    }
    add(
      CFunction(
        linkage: "static", result: .void, name: function, parameters: parameters, body: statements, comment: name))
    let hook = [CExpression.integer(number), .literal(CLiteral.string(name))]
    let capitals = prefix.uppercased()
    emitter.append(.expression(.call("\(capitals)_PROFILE_BEGIN", hook)))
    emitter.append(.expression(.call(function, arguments)))
    emitter.append(.expression(.call("\(capitals)_PROFILE_END", hook)))
    return true
  }

  // MARK: Parallel loops

  /// Puts a parallel loop's body into a task and its call into `emitter`. False if it must stay a loop.
  // Long because three things must have one order: the struct's members, what the task takes out, and what the call
  // puts in.
  func outline(
    parallel name: String, _ from: LoopIndex, _ to: LoopIndex, _ step: Int, _ body: [LoopStatement],
    from emitter: inout FunctionEmitter
  ) throws -> Bool {
    guard let outline = outline(body, extra: [from], from: emitter) else { return false }
    usesThreads = true
    let number = tasks
    tasks += 1
    let function = "\(prefix)_task_\(number)"
    var inner = newEmitter(isTask: true)
    var members: [CMember] = [.value(machine.type, "m")]
    var values: [CExpression] = [.name("m")]
    let pack = CExpression.name("arguments")
    bindTensors(outline.tensors, in: &inner)
    let statements = try inner.block { inner in
      func pass(_ type: CType, _ hint: String, _ value: CExpression) -> String {
        let local = inner.names.fresh(hint)
        members.append(.value(type, local))
        values.append(value)
        inner.append(.declare(.constant(type), local, .member(pack, local, arrow: true)))
        return local
      }
      inner.append(.declare(.constant(machine.type), "m", .member(pack, "m", arrow: true)))
      for tensor in outline.tensors {
        let type = parameter(tensor.buffer, tensor.name).type
        members.append(.value(type, tensor.name))
        values.append(try emitter.buffer(tensor.buffer.name).pointer)
        inner.append(.declare(.constant(type), tensor.name, .member(pack, tensor.name, arrow: true)))
      }
      for (name, range) in outline.indices {
        inner.indices.bindings[name] = .variable(pass(.index, name, emitter.index(.variable(name))), range)
      }
      inner.inheritConstants(of: emitter)
      for (name, type) in outline.values {
        let type0 = inner.layout(type).type
        let locals = try emitter.lower(.variable(name)).parts.map { pass(type0, name, $0) }
        inner.bindings[name] = .parts(locals, type)
      }
      let counter = inner.names.fresh(name)
      let start = inner.index(from)
      let task = CExpression.cast(.index, .name("task"))
      let advance = step == 1 ? task : .infix("*", task, .integer(step))
      inner.append(
        .declare(.constant(.index), counter, start == .integer(0) ? advance : .infix("+", start, advance)))
      let low = emitter.indices.range(from).lowerBound
      let high = max(low, emitter.indices.range(to).upperBound - 1)
      inner.indices.bindings[name] = .variable(counter, low...high)
      try bindBuffers(outline.mentions.buffers, in: &inner)
      try inner.emit(body)
    }
    let type = "\(function)_arguments"
    let unpack = CStatement.declare(
      .constant(.pointer(.constant(.named(type)))), "arguments",
      .cast(.pointer(.constant(.named(type))), .name("context")))
    declarations += [.structure(nil, type, members.map { ($0, nil) }), .blank]
    add(
      CFunction(
        linkage: "static", result: .void, name: function,
        parameters: [
          CParameter(.pointer(.void), "context"), CParameter(.int, "task"), CParameter(.int, "worker"),
        ], body: [unpack] + statements))
    let local = emitter.names.fresh("arguments")
    let rounds = (to - from + .constant(step - 1)) / step
    let count = emitter.index(.maximum(0, rounds))
    emitter.append(.initialise(.named(type), local, values))
    emitter.append(
      .expression(
        .call(
          "\(prefix)_for",
          [
            .name("m"), emitter.indices.constant(rounds) == nil ? .cast(.int, count) : count, .name(function),
            .prefix("&", .name(local)),
          ])))
    return true
  }

  // MARK: The entry itself

  /// The statements of `M_run` after its checks.
  func run() throws -> [CStatement] {
    var emitter = newEmitter(isTask: false)
    bindTensors(tensors, in: &emitter)
    let statements = try emitter.block {
      // Pointers that only layers use are unread here, and are removed.
      try bindBuffers(LoopMentions(program.entry, entersParallel: false).buffers, in: &$0)
      try $0.emit(program.entry)
    }
    return withoutUnreadLocals(statements)
  }
}

extension FunctionEmitter {
  /// Loop variables that are constants at the place this code was cut out of.
  fileprivate mutating func inheritConstants(of outer: FunctionEmitter) {
    for (name, binding) in outer.indices.bindings {
      if case .constant = binding { indices.bindings[name] = binding }
    }
  }
}
