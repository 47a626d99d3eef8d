// Statements in order: what they read, and what they write.

extension InitializationWalk {
  mutating func walk(_ block: [LoopStatement], _ proof: inout Initialization) {
    for statement in block {
      if isEntry { path.append(statement) }
      walk(statement, &proof)
      if isEntry { path.removeLast() }
    }
  }

  private mutating func walk(_ statement: LoopStatement, _ proof: inout Initialization) {
    proof.steps += 1
    if proof.steps > Initialization.mostSteps { return }
    switch statement {
    case .forLoop: walkLoop(statement, &proof)
    case .forWhile(let name, let maximum, let condition, let body):
      if maximum < 1 { return }
      indices[name] = DimensionIndex(in: 0...(maximum - 1), causes: [])
      read(condition, proof)
      walkOne(of: [body, []], because: [], &proof)
    case .ifIndex(let comparisons, let then, let otherwise):
      let answers = comparisons.map { holds($0) }
      if answers.contains(where: { $0.answer == false }) { return walk(otherwise, &proof) }
      if answers.allSatisfy({ $0.answer == true }) { return walk(then, &proof) }
      walkOne(of: [then, otherwise], because: answers.reduce(into: []) { $0.formUnion($1.causes) }, &proof)
    case .ifValue(let condition, let then, let otherwise):
      read(condition, proof)
      walkOne(of: [then, otherwise], because: [], &proof)
    case .letValue(let name, let type, let value):
      read(value, proof)
      lanes[name] = type.lanes
      masks[name] = nil
      if case .firstLanes(let index, lanes: _) = value { masks[name] = self.index(index) }
    case .letIndex(let name, let range, let value):
      read(value, proof)
      indices[name] = DimensionIndex(in: range, causes: [])
      if case .index(let index, let type, step: _) = value, let element = type.element, element.byteCount >= 4 {
        indices[name] = self.index(index)
      }
    case .register(let name, let type, count: _, range: _, let value):
      read(value, proof)
      lanes[name] = type.lanes
      masks[name] = nil
    case .assign(_, element: _, let value): read(value, proof)
    case .store(let buffer, let index, let value, let mask):
      read(value, proof)
      if let mask { read(mask, proof) }
      store(buffer, self.index(index), lanes: lanes(of: value, proof), mask)
    case .prefetch: break
    case .call(let name, let arguments): walkCall(name, arguments, &proof)
    case .layer(_, let body): walk(body, &proof)
    }
  }

  private mutating func walkLoop(_ statement: LoopStatement, _ proof: inout Initialization) {
    guard case .forLoop(let variable, let from, let to, let step, let order, let body) = statement else { return }
    let (low, high) = (index(from), index(to))
    let room = high + low * -1
    let name = LoopName(function: function, variable: variable)
    defer { if order == .parallel { clearScratch() } }
    guard room.isConstant else {
      let first = range(of: low).lowerBound
      let causes = loops(of: room)
      indices[variable] = DimensionIndex(in: first...max(first, range(of: high).upperBound - 1), causes: causes)
      if order == .parallel { clearScratch() }
      return walkOne(of: [body, []], because: causes, &proof)
    }
    if room.constant <= 0 { return }
    let rounds = (room.constant - 1) / step + 1
    if rounds == 1 || proof.isTakenApart(name) {
      for round in 0..<rounds {
        indices[variable] = low + round * step
        if order == .parallel { clearScratch() }
        walk(body, &proof)
      }
      return
    }
    let dimension = LoopDimension(number: dimensions.count, name: name, rounds: rounds)
    dimensions.append(dimension)
    written.loops.append(OpenLoop(dimension: dimension))
    indices[variable] = DimensionIndex(dimension: dimension.number, step: step, from: low)
    if order == .parallel { clearScratch() }
    walk(body, &proof)
    closeLoop()
  }

  // MARK: accesses

  private mutating func store(_ buffer: String, _ index: DimensionIndex, lanes: Int, _ mask: LoopValue?) {
    var width = lanes
    var causes = index.causes
    if let mask {
      if let count = firstLanes(of: mask) {
        width = min(max(range(of: count).lowerBound, 0), lanes)
        if !count.isConstant { causes.formUnion(loops(of: count)) }
      } else {
        width = 0
      }
    }
    if index.isExact, width > 0 {
      write(ElementRegion(root: buffer, constant: index.constant, terms: index.terms, width: width))
    }
    mayWrite(buffer, Initialization.Causes(inexact: causes))
  }

  /// How many lanes from the first on are on, if the mask says exactly that.
  private func firstLanes(of mask: LoopValue) -> DimensionIndex? {
    if case .firstLanes(let index, lanes: _) = mask { return self.index(index) }
    if case .variable(let name) = mask { return masks[name] }
    return nil
  }

  /// At most the lanes of a masked access.
  private func mostLanes(of mask: LoopValue, _ lanes: Int) -> Int {
    if let count = firstLanes(of: mask) { return min(max(range(of: count).upperBound, 0), lanes) }
    if case .binary(.and, let a, let b) = mask { return min(mostLanes(of: a, lanes), mostLanes(of: b, lanes)) }
    return lanes
  }

  private mutating func read(_ value: LoopValue, _ proof: Initialization) {
    for operand in value.operands { read(operand, proof) }
    switch value {
    case .load(let buffer, let index, let type, let mask):
      let width = mask.map { mostLanes(of: $0, type.lanes) } ?? type.lanes
      if width > 0 { read(buffer, self.index(index), width: width) }
    case .gather(let buffer, _, _, mask: _):
      read(buffer, DimensionIndex(0), width: counts[buffer] ?? 0)
    default: break
    }
  }

  private mutating func read(_ buffer: String, _ index: DimensionIndex, width: Int) {
    if given.contains(buffer) { return }
    let region = ElementRegion(
      root: buffer, constant: index.constant + index.slack.lowerBound, terms: index.terms,
      width: width + index.slack.upperBound - index.slack.lowerBound)
    require(region, "\(buffer) may be read before it is written", Initialization.Causes(inexact: index.causes))
  }

  // MARK: calls

  private mutating func walkCall(_ name: String, _ arguments: [LoopArgument], _ proof: inout Initialization) {
    guard let function = proof.functions[name] else { return }
    var values: [Int?] = []
    var views: [String: (root: String, offset: DimensionIndex)] = [:]
    var around: [LoopName: Set<LoopName>] = [:]
    for (parameter, argument) in zip(function.parameters, arguments) {
      switch argument {
      case .index(let index):
        let value = self.index(index)
        let own = LoopName(function: name, variable: parameter.name)
        around[own] = loops(of: value)
        values.append(value.isConstant && proof.isTakenApart(own) ? value.constant : nil)
      case .view(let buffer, let index):
        views[parameter.name] = (buffer, self.index(index))
        values.append(nil)
      }
    }
    let summary = proof.summary(of: function, values)
    // If a parameter of the function is a cause, so are the loops around the call.
    func causes(of view: String, _ offset: DimensionIndex) -> Initialization.Causes {
      var all = summary.causes[view] ?? Initialization.Causes()
      all.inexact.formUnion(offset.causes)
      for name in all.inexact { all.inexact.formUnion(around[name] ?? []) }
      return all
    }
    for need in summary.needs {
      guard let (root, offset) = views[need.root], !given.contains(root) else { continue }
      var region = need.moved(to: root, by: offset)
      region.width += offset.slack.upperBound - offset.slack.lowerBound
      region.constant += offset.slack.lowerBound
      require(
        region, "\(name) may read \(root), as \(need.root), before it is written", causes(of: need.root, offset))
    }
    for write in summary.writes {
      guard let (root, offset) = views[write.root], offset.isExact else { continue }
      self.write(write.moved(to: root, by: offset))
    }
    for parameter in function.parameters {
      guard case .view(let access, _, count: _, range: _) = parameter.kind, access != .read,
        let (root, offset) = views[parameter.name]
      else { continue }
      mayWrite(root, causes(of: parameter.name, offset))
    }
  }

  // MARK: types

  /// Lanes of a value whose type is right.
  private func lanes(of value: LoopValue, _ proof: Initialization) -> Int {
    switch value {
    case .constant(_, let type), .load(_, _, let type, mask: _), .index(_, let type, step: _), .convert(_, let type, _),
      .reinterpret(_, let type), .gather(_, _, let type, mask: _):
      return type.lanes
    case .splat(_, let lanes), .firstLanes(_, let lanes): return lanes
    case .variable(let name), .element(let name, _): return lanes[name] ?? 1
    case .unary(_, let a), .binary(_, let a, _), .fma(let a, _, _), .compare(_, let a, _), .select(_, let a, _),
      .permute(let a, _), .compress(_, let a):
      return lanes(of: a, proof)
    case .shuffle(_, _, let choice): return choice.count
    case .reduce: return 1
    case .instruction(let name, _): return proof.lanesOfInstruction(name)
    case .apply(let name, _): return proof.valueFunctions[name]?.type.lanes ?? 1
    }
  }
}

extension ElementRegion {
  /// A region of a function's view in terms of the root that is passed for it.
  fileprivate func moved(to root: String, by offset: DimensionIndex) -> ElementRegion {
    var moved = self
    moved.root = root
    moved.constant += offset.constant
    moved.terms = offset.terms
    return moved
  }
}
