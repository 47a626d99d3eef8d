import IR

// What statements and values mention. Takes pieces of a loop program, and gives the names they use, the calls they
// make, and the places that touch a register array. With the names a block can be moved into a function of its own.

/// Names that a piece of a program mentions and does not itself define.
struct LoopMentions {
  struct Call {
    var function: String
    var arguments: [LoopArgument]
  }

  /// Variables, registers and loop indices.
  var names: [String] = []
  var buffers: [String] = []
  /// Registers and arrays that are assigned.
  var assigned: Set<String> = []
  var hasParallelLoop = false
  /// The values read across lanes: a multi-part assignment cannot go part by part.
  var crossesLanes = false
  var hasLoad = false
  /// Calls of the program's functions, in order.
  var calls: [Call] = []
  /// Every index by which the register array that was asked about is accessed, and the unrolled loops around it.
  var elementIndices: [(index: LoopIndex, statics: Set<String>)] = []

  private var array: String?
  private var statics: Set<String> = []
  private var local: Set<String> = []
  private var entersParallel = true

  init() {}

  /// Looks for `array`'s accesses; `statics` are loop variables known to be constants.
  init(_ statements: [LoopStatement], array: String? = nil, statics: Set<String> = [], entersParallel: Bool = true) {
    self.array = array
    self.statics = statics
    self.entersParallel = entersParallel
    visit(statements)
  }

  init(_ value: LoopValue) { visit(value) }

  private mutating func use(_ name: String) {
    if !local.contains(name) && !names.contains(name) { names.append(name) }
  }

  private mutating func use(buffer: String) {
    if !buffers.contains(buffer) { buffers.append(buffer) }
  }

  mutating func visit(_ statements: [LoopStatement]) {
    let outer = local
    for statement in statements { visit(statement) }
    local = outer
  }

  // Long because it is one switch over all statements.
  private mutating func visit(_ statement: LoopStatement) {
    switch statement {
    case .forLoop(let name, let from, let to, _, let order, let body):
      visit(from)
      visit(to)
      if order == .parallel {
        hasParallelLoop = true
        if !entersParallel { return }
      }
      let known = statics
      if order == .unrolled, isStatic(from), isStatic(to) { statics.insert(name) } else { statics.remove(name) }
      inside(name) { $0.visit(body) }
      statics = known
    case .forWhile(let name, maximum: _, let condition, let body):
      inside(name) {
        $0.visit(condition)
        $0.visit(body)
      }
    case .ifIndex(let comparisons, let then, let otherwise):
      for comparison in comparisons {
        visit(comparison.left)
        visit(comparison.right)
      }
      visit(then)
      visit(otherwise)
    case .ifValue(let condition, let then, let otherwise):
      visit(condition)
      visit(then)
      visit(otherwise)
    case .letValue(let name, _, let value), .letIndex(let name, range: _, let value):
      visit(value)
      local.insert(name)
    case .register(let name, _, count: _, range: _, let value):
      visit(value)
      local.insert(name)
    case .assign(let name, let element, let value):
      use(name)
      if !local.contains(name) { assigned.insert(name) }
      if let element { access(name, element) }
      visit(value)
    case .store(let buffer, let index, let value, let mask):
      use(buffer: buffer)
      visit(index)
      visit(value)
      if let mask { visit(mask) }
    case .prefetch(let buffer, let index):
      use(buffer: buffer)
      visit(index)
    case .call(let function, let arguments):
      calls.append(Call(function: function, arguments: arguments))
      for argument in arguments {
        switch argument {
        case .view(let buffer, let index):
          use(buffer: buffer)
          visit(index)
        case .index(let index): visit(index)
        }
      }
    case .layer(_, let body): visit(body)
    }
  }

  private mutating func inside(_ name: String, _ body: (inout LoopMentions) -> Void) {
    let outer = local
    local.insert(name)
    body(&self)
    local = outer
  }

  private mutating func access(_ name: String, _ index: LoopIndex) {
    if name == array { elementIndices.append((index, statics)) }
    visit(index)
  }

  mutating func visit(_ index: LoopIndex) {
    switch index {
    case .constant: break
    case .variable(let name): use(name)
    case .add(let a, let b), .subtract(let a, let b), .minimum(let a, let b), .maximum(let a, let b):
      visit(a)
      visit(b)
    case .multiply(let a, _), .divide(let a, _), .modulo(let a, _): visit(a)
    }
  }

  private func isStatic(_ index: LoopIndex) -> Bool { LoopMentions.isStatic(index, statics) }

  static func isStatic(_ index: LoopIndex, _ statics: Set<String>) -> Bool {
    var mentions = LoopMentions()
    mentions.visit(index)
    return mentions.names.allSatisfy(statics.contains)
  }

  mutating func visit(_ value: LoopValue) {
    switch value {
    case .constant, .splat, .unary, .convert, .binary, .compare, .fma, .select, .instruction, .apply: break
    case .variable(let name): use(name)
    case .element(let name, let index):
      use(name)
      access(name, index)
    case .load(let buffer, let index, _, mask: _):
      hasLoad = true
      use(buffer: buffer)
      visit(index)
    case .gather(let buffer, _, _, mask: _):
      hasLoad = true
      use(buffer: buffer)
    case .index(let index, _, step: _), .firstLanes(let index, lanes: _): visit(index)
    case .reinterpret, .reduce, .permute, .compress, .shuffle: crossesLanes = true
    }
    for operand in value.operands { visit(operand) }
  }
}
