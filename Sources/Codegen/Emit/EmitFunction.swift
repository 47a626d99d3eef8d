import IR

// Statements: takes loop statements, gives C statements. `unrolled` loops with constant bounds are written out, and
// register arrays whose every index is then a constant become variables of their own.

extension FunctionEmitter {
  /// A kernel, or an inner function, one that kernels call. `aliased` parameters may overlap another and get no `restrict`.
  static func function(
    _ function: LoopFunction, of program: LoopProgram, target: Target, functionNames: [String: String],
    aliased: Set<Int>, isInner: Bool
  ) throws -> CFunction {
    var emitter = FunctionEmitter(program, target: target, functionNames: functionNames)
    var parameters: [CParameter] = []
    for (position, parameter) in function.parameters.enumerated() {
      let name = emitter.names.fresh(parameter.name)
      switch parameter.kind {
      case .view(let access, let element, count: _, range: _):
        let base = CType.named(element.cName)
        let restrict = !aliased.contains(position)
        parameters.append(
          CParameter(.pointer(access == .read ? .constant(base) : base, restrict: restrict), name))
        emitter.buffers[parameter.name] = Buffer(pointer: .name(name), element: element)
      case .index(let range):
        parameters.append(CParameter(.index, name))
        emitter.indices.bindings[parameter.name] = .variable(name, range)
      }
    }
    let body = try emitter.block { try $0.emit(function.body) }
    return CFunction(
      linkage: isInner ? "static" : "VIGC_KERNEL", result: .void,
      name: functionNames[function.name] ?? function.name, parameters: parameters,
      body: readingAll(parameters, in: body))
  }

  /// `body` without unread locals, and with every parameter read: compilers warn about unread ones.
  static func readingAll(_ parameters: [CParameter], in body: [CStatement]) -> [CStatement] {
    let body = withoutUnreadLocals(body)
    var reads: Set<String> = []
    for statement in body { statement.forEachRead { reads.insert($0) } }
    let unread = parameters.filter { !reads.contains($0.name) }
    return unread.map { .expression(.cast(.void, .name($0.name))) } + body
  }

  mutating func emit(_ statements: [LoopStatement]) throws {
    for (position, statement) in statements.enumerated() {
      try emit(statement, rest: statements[(position + 1)...])
    }
  }

  private mutating func emit(_ statement: LoopStatement, rest: ArraySlice<LoopStatement>) throws {
    switch statement {
    case .forLoop(let name, let from, let to, let step, let order, let body):
      try loop(name, from, to, step, order, body)
    case .forWhile(let name, let maximum, let condition, let body):
      let spelled = names.fresh(name)
      let inner = try block { emitter in
        emitter.indices.bindings[name] = .variable(spelled, 0...max(0, maximum - 1))
        let goes = try emitter.single(condition)
        emitter.append(.branch(.prefix("!", goes), [.leave], []))
        try emitter.emit(body)
      }
      append(.loop(spelled, from: .integer(0), to: .integer(maximum), step: 1, inner))
    case .ifIndex(let comparisons, let then, let otherwise): try branch(comparisons, then, otherwise)
    case .ifValue(let condition, let then, let otherwise):
      let condition = try single(condition)
      let thenBlock = try block { try $0.emit(then) }
      append(.branch(condition, thenBlock, try block { try $0.emit(otherwise) }))
    case .letValue(let name, let type, let value):
      let lowered = try lower(value)
      let layout = layout(type)
      bindings[name] = .parts(
        declare(name, .constant(layout.type), lowered.parts), type)
    case .letIndex(let name, let range, let value):
      let spelled = names.fresh(name)
      append(.declare(.constant(.index), spelled, try single(value)))
      indices.bindings[name] = .variable(spelled, range)
    case .register(let name, let type, let count, range: _, let value):
      try register(name, type, count, value, rest)
    case .assign(let name, let element, let value): try assign(name, element, value)
    case .store(let buffer, let index, let value, let mask): try store(buffer, index, value, mask)
    case .prefetch(let buffer, let index):
      guard let template = spelling("prefetch"), !template.isEmpty else { return }
      append(.expression(.spelled(template, [try pointer(buffer, index)])))
    case .call(let function, let arguments): try call(function, arguments)
    case .layer(let name, let body):
      if let entry, try entry.outline(layer: name, body, from: &self) { return }
      append(.comment(name))
      append(.block(try block { try $0.emit(body) }))
    }
  }

  // MARK: Control

  private mutating func loop(
    _ name: String, _ from: LoopIndex, _ to: LoopIndex, _ step: Int, _ order: LoopStatement.Order,
    _ body: [LoopStatement]
  ) throws {
    if order == .unrolled, let low = indices.constant(from), let high = indices.constant(to) {
      for round in stride(from: low, to: high, by: step) {
        // Names go out of scope with each round; the C variables have names of their own.
        let (outerIndices, outerBindings) = (indices, bindings)
        indices.bindings[name] = .constant(round)
        try emit(body)
        indices = outerIndices
        bindings = outerBindings
      }
      return
    }
    if order == .parallel, let entry, try entry.outline(parallel: name, from, to, step, body, from: &self) { return }
    let spelled = names.fresh(name)
    let low = indices.range(from).lowerBound
    let high = max(low, indices.range(to).upperBound - 1)
    let (first, end) = (index(from), index(to))
    let inner = try block { emitter in
      emitter.indices.bindings[name] = .variable(spelled, low...high)
      try emitter.emit(body)
    }
    append(.loop(spelled, from: first, to: end, step: step, inner))
  }

  private mutating func branch(
    _ comparisons: [LoopComparison], _ then: [LoopStatement], _ otherwise: [LoopStatement]
  ) throws {
    var tests: [CExpression] = []
    for comparison in comparisons {
      if let a = indices.constant(comparison.left), let b = indices.constant(comparison.right) {
        if comparison.relation.holds(a, b) { continue }
        return append(contentsOf: try block { try $0.emit(otherwise) })
      }
      tests.append(.infix(comparison.relation.rawValue, index(comparison.left), index(comparison.right)))
    }
    guard let first = tests.first else { return append(contentsOf: try block { try $0.emit(then) }) }
    let condition = tests.dropFirst().reduce(first) { .infix("&&", $0, $1) }
    let thenBlock = try block { try $0.emit(then) }
    append(.branch(condition, thenBlock, try block { try $0.emit(otherwise) }))
  }

  private mutating func append(contentsOf block: [CStatement]) { statements += block }

  private mutating func call(_ function: String, _ arguments: [LoopArgument]) throws {
    let values = try arguments.map { argument -> CExpression in
      switch argument {
      case .view(let buffer, let index): try pointer(buffer, index)
      case .index(let index): self.index(index)
      }
    }
    append(.expression(.call(functionNames[function] ?? function, values)))
  }

  // MARK: Registers and stores

  /// One variable a part, each starting at its value.
  mutating func declare(_ hint: String, _ type: CType, _ values: [CExpression]) -> [String] {
    values.enumerated().map { number, value in
      let name = names.fresh(values.count == 1 ? hint : "\(hint)_\(number)")
      append(.declare(type, name, value))
      return name
    }
  }

  private mutating func register(
    _ name: String, _ type: LoopType, _ count: Int?, _ value: LoopValue, _ rest: ArraySlice<LoopStatement>
  ) throws {
    let layout = layout(type)
    let start = try lower(value)
    guard let count else {
      bindings[name] = .parts(declare(name, layout.type, start.parts), type)
      return
    }
    let statics = Set(
      indices.bindings.compactMap { if case .constant = $0.value { $0.key } else { nil } })
    let accesses = LoopMentions(Array(rest), array: name, statics: statics).elementIndices
    if accesses.allSatisfy({ LoopMentions.isStatic($0.index, $0.statics) }) {
      let elements = (0..<count).map { declare("\(name)\($0)", layout.type, start.parts) }
      bindings[name] = .variables(elements, type)
      return
    }
    let arrays = start.parts.indices.map { names.fresh(start.parts.count == 1 ? name : "\(name)_\($0)") }
    for array in arrays { append(.declare(layout.type, array, count: count)) }
    let round = names.fresh("n")
    append(
      .loop(
        round, from: .integer(0), to: .integer(count), step: 1,
        zip(arrays, start.parts).map { .assign(.subscripted(.name($0), .name(round)), $1) }))
    bindings[name] = .arrays(arrays, type)
  }

  private mutating func assign(_ name: String, _ element: LoopIndex?, _ value: LoopValue) throws {
    let place = try lower(element.map { .element(name, $0) } ?? .variable(name))
    var parts = try lower(value).parts
    let mentions = LoopMentions(value)
    if parts.count > 1, mentions.crossesLanes, mentions.names.contains(name) {
      let type = layout(place.type).type
      parts = parts.map { bind("next", type, $0) }
    }
    for (target, value) in zip(place.parts, parts) where target != value { append(.assign(target, value)) }
  }

  private mutating func store(
    _ buffer: String, _ index: LoopIndex, _ value: LoopValue, _ mask: LoopValue?
  ) throws {
    var lowered = try lower(value)
    let mask = try mask.map { try lower($0) }
    // A later part's load must not see an earlier part's store.
    if lowered.parts.count > 1, LoopMentions(value).hasLoad {
      let type = layout(lowered.type).type
      lowered.parts = lowered.parts.map { $0.isAtomic ? $0 : bind("stored", type, $0) }
    }
    if let mask {
      if lowered.lanes > 1, mask.lanes == lowered.lanes, let template = spelling("maskstore", lowered.part) {
        for (number, part) in lowered.parts.enumerated() {
          let place = try pointer(buffer, index, plus: number * lowered.lanes)
          append(.expression(.spelled(template, [place, mask.parts[number], part])))
        }
        return
      }
      let (masks, lanes) = (scalars(mask), scalars(lowered))
      for lane in lanes.indices {
        append(.branch(masks[lane], [.assign(try element(buffer, index, plus: lane), lanes[lane])], []))
      }
      return
    }
    if lowered.lanes > 1, let template = spelling("store", lowered.part) {
      for (number, part) in lowered.parts.enumerated() {
        append(.expression(.spelled(template, [try pointer(buffer, index, plus: number * lowered.lanes), part])))
      }
      return
    }
    for (lane, part) in lowered.parts.enumerated() {
      append(.assign(try element(buffer, index, plus: lane), part))
    }
  }
}

extension LoopComparison.Relation {
  fileprivate func holds(_ a: Int, _ b: Int) -> Bool {
    switch self {
    case .less: a < b
    case .lessOrEqual: a <= b
    case .equal: a == b
    case .greaterOrEqual: a >= b
    case .greater: a > b
    }
  }
}
