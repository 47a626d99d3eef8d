import IR

// Which names C statements read, so that unread locals are left out: compilers warn about them. Also which names the
// code mentions at all: they decide which helpers, value functions and headers are needed.

extension CExpression {
  /// Calls `visit` for every name in the expression, a name as often as it occurs.
  func forEachName(_ visit: (String) -> Void) {
    switch self {
    case .name(let name): visit(name)
    case .literal, .sizeOf: break
    case .call(_, let operands), .spelled(_, let operands):
      for operand in operands { operand.forEachName(visit) }
    case .subscripted(let a, let b), .infix(_, let a, let b):
      a.forEachName(visit)
      b.forEachName(visit)
    case .member(let a, _, arrow: _), .prefix(_, let a), .cast(_, let a): a.forEachName(visit)
    case .conditional(let a, let b, let c):
      a.forEachName(visit)
      b.forEachName(visit)
      c.forEachName(visit)
    }
  }
}

extension CStatement {
  /// Every name the statement reads. Assigning to a variable does not read it.
  func forEachRead(_ visit: (String) -> Void) {
    switch self {
    case .comment, .leave, .blank: break
    case .declare(_, _, count: _, let value), .giveBack(let value): value?.forEachName(visit)
    case .initialise(_, _, count: _, let values):
      for value in values { value.forEachName(visit) }
    case .assign(let place, let value):
      if case .name = place {} else { place.forEachName(visit) }
      value.forEachName { if place != .name($0) { visit($0) } }
    case .expression(let value): value.forEachName(visit)
    case .branch(let condition, let then, let otherwise):
      condition.forEachName(visit)
      for statement in then + otherwise { statement.forEachRead(visit) }
    case .loop(_, let from, let to, step: _, let body):
      from.forEachName(visit)
      to.forEachName(visit)
      for statement in body { statement.forEachRead(visit) }
    case .block(let body):
      for statement in body { statement.forEachRead(visit) }
    }
  }
}

extension CExpression {
  /// Calls `visit` for every identifier in the expression but types and members, in the order of the text: names,
  /// functions that are called, and what a target's spelling says around its operands.
  func forEachIdentifier(_ visit: (String) -> Void) {
    switch self {
    case .name(let name): visit(name)
    // A number, or a macro such as INFINITY.
    case .literal(let text): if !text.hasPrefix("\"") { CIdentifiers(text).forEach(visit) }
    case .sizeOf: break
    case .call(let function, let operands):
      visit(function)
      for operand in operands { operand.forEachIdentifier(visit) }
    case .spelled(let template, let operands): spellingIdentifiers(template, operands, visit)
    case .subscripted(let a, let b), .infix(_, let a, let b):
      a.forEachIdentifier(visit)
      b.forEachIdentifier(visit)
    case .member(let a, _, arrow: _), .prefix(_, let a), .cast(_, let a): a.forEachIdentifier(visit)
    case .conditional(let a, let b, let c):
      a.forEachIdentifier(visit)
      b.forEachIdentifier(visit)
      c.forEachIdentifier(visit)
    }
  }
}

/// Identifiers of a target's spelling; those of an operand come at its place in the spelling.
private func spellingIdentifiers(_ template: String, _ operands: [CExpression], _ visit: (String) -> Void) {
  var rest = Substring(template)
  while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
    CIdentifiers(String(rest[..<open])).forEach(visit)
    let key = rest[rest.index(after: open)..<close]
    if key == "*" {
      for operand in operands { operand.forEachIdentifier(visit) }
    } else if let number = Int(key), operands.indices.contains(number) {
      operands[number].forEachIdentifier(visit)
    } else {
      preconditionFailure("the spelling \(template) has no operand \(key)")
    }
    rest = rest[rest.index(after: close)...]
  }
  CIdentifiers(String(rest)).forEach(visit)
}

extension CStatement {
  /// Calls `visit` for every identifier in the statement's expressions, in the order of the text.
  func forEachIdentifier(_ visit: (String) -> Void) {
    switch self {
    case .comment, .leave, .blank: break
    case .declare(_, _, count: _, let value), .giveBack(let value): value?.forEachIdentifier(visit)
    case .initialise(_, _, count: _, let values): for value in values { value.forEachIdentifier(visit) }
    case .assign(let place, let value):
      place.forEachIdentifier(visit)
      value.forEachIdentifier(visit)
    case .expression(let value): value.forEachIdentifier(visit)
    case .branch(let condition, let then, let otherwise):
      condition.forEachIdentifier(visit)
      for statement in then + otherwise { statement.forEachIdentifier(visit) }
    case .loop(_, let from, let to, step: _, let body):
      from.forEachIdentifier(visit)
      to.forEachIdentifier(visit)
      for statement in body { statement.forEachIdentifier(visit) }
    case .block(let body): for statement in body { statement.forEachIdentifier(visit) }
    }
  }
}

extension CDeclaration {
  /// Calls `visit` for every identifier in the code of the declaration, in the order of the text. For text that is held
  /// as C these are all its words.
  func forEachIdentifier(_ visit: (String) -> Void) {
    switch self {
    case .comment, .include, .prototype, .structure, .blank: break
    case .define(_, let text), .verbatim(let text): CIdentifiers(text).forEach(visit)
    case .function(let function): for statement in function.body { statement.forEachIdentifier(visit) }
    case .condition(_, let then, let otherwise):
      for declaration in then + otherwise { declaration.forEachIdentifier(visit) }
    }
  }
}

/// `statements` without locals that are never read, what is assigned to them, and blocks that are empty then.
func withoutUnreadLocals(_ statements: [CStatement]) -> [CStatement] {
  var current = statements
  while true {
    var reads: Set<String> = []
    for statement in current { statement.forEachRead { reads.insert($0) } }
    var locals: Set<String> = []
    let next = current.compactMap { pruned($0, reads, &locals) }
    if next == current { return current }
    current = next
  }
}

private func pruned(_ statement: CStatement, _ reads: Set<String>, _ locals: inout Set<String>) -> CStatement? {
  func block(_ statements: [CStatement]) -> [CStatement] { statements.compactMap { pruned($0, reads, &locals) } }
  switch statement {
  case .declare(_, let name, count: _, _), .initialise(_, let name, count: _, _):
    if reads.contains(name) { return statement }
    locals.insert(name)
    return nil
  case .assign(.name(let name), _): return locals.contains(name) ? nil : statement
  case .branch(let condition, let then, let otherwise):
    let (first, second) = (block(then), block(otherwise))
    if first.isEmpty && second.isEmpty { return nil }
    if first.isEmpty { return .branch(.prefix("!", condition), second, []) }
    return .branch(condition, first, second)
  case .loop(let name, let from, let to, let step, let body):
    let inner = block(body)
    return inner.isEmpty ? nil : .loop(name, from: from, to: to, step: step, inner)
  case .block(let body):
    let inner = block(body)
    return inner.isEmpty ? nil : .block(inner)
  case .comment, .assign, .expression, .leave, .giveBack, .blank: return statement
  }
}
