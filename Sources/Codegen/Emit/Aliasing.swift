import IR

// Which parameters of a kernel may overlap, one of them written: they must not be `restrict`. In go the program and its
// memory plan, out come parameter positions by function.
//
// Reads may overlap reads. Two different buffers overlap where the plan gives them common bytes (in-place operation);
// a kernel hands its own parameters' overlaps on to the kernels it calls.

struct Aliasing {
  /// Positions of parameters that overlap another.
  private(set) var parameters: [String: Set<Int>] = [:]

  /// Pairs of parameters that may be views of common bytes.
  private var pairs: [String: Set<[Int]>] = [:]
  private let functions: [String: LoopFunction]
  private let buffers: [String: LoopBuffer]
  private let plan: MemoryPlan
  private var changed = false

  init(_ program: LoopProgram, _ plan: MemoryPlan) {
    functions = Dictionary(program.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    buffers = Dictionary(program.buffers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.plan = plan
    visit(program.entry) { [buffers] a, b in
      guard let first = buffers[a], let second = buffers[b] else { return true }
      return plan.overlaps(first, second)
    }
    repeat {
      changed = false
      for function in program.functions {
        let own = pairs[function.name] ?? []
        let names = function.parameters.map(\.name)
        visit(function.body) { a, b in
          guard a != b else { return true }
          guard let x = names.firstIndex(of: a), let y = names.firstIndex(of: b) else { return true }
          return own.contains([min(x, y), max(x, y)])
        }
      }
    } while changed
  }

  private mutating func visit(_ statements: [LoopStatement], _ overlap: (String, String) -> Bool) {
    for statement in statements {
      switch statement {
      case .forLoop(_, from: _, to: _, step: _, order: _, let body), .forWhile(_, maximum: _, condition: _, let body),
        .layer(_, let body):
        visit(body, overlap)
      case .ifIndex(_, let then, let otherwise), .ifValue(_, let then, let otherwise):
        visit(then, overlap)
        visit(otherwise, overlap)
      case .call(let name, let arguments): visit(call: name, arguments, overlap)
      case .letValue, .letIndex, .register, .assign, .store, .prefetch: break
      }
    }
  }

  private mutating func visit(call name: String, _ arguments: [LoopArgument], _ overlap: (String, String) -> Bool) {
    guard let callee = functions[name] else { return }
    for (x, first) in arguments.enumerated() {
      guard case .view(let a, _) = first else { continue }
      for (y, second) in arguments.enumerated() where y > x {
        guard case .view(let b, _) = second, a == b || overlap(a, b) else { continue }
        if pairs[name, default: []].insert([x, y]).inserted { changed = true }
        if callee.writes(x) || callee.writes(y) { parameters[name, default: []].formUnion([x, y]) }
      }
    }
  }
}

extension LoopFunction {
  fileprivate func writes(_ position: Int) -> Bool {
    guard parameters.indices.contains(position) else { return false }
    switch parameters[position].kind {
    case .view(let access, _, count: _, range: _): return access != .read
    case .index: return false
    }
  }
}

extension MemoryPlan {
  /// Whether two buffers share bytes.
  fileprivate func overlaps(_ a: LoopBuffer, _ b: LoopBuffer) -> Bool {
    if a.name == b.name { return true }
    guard a.storage == b.storage, let first = offsets[a.name], let second = offsets[b.name] else { return false }
    return first < second + b.byteCount && second < first + a.byteCount
  }
}
