import IR

// Which parameters of a kernel may overlap while one of them is written: they must not be `restrict`. Takes the
// program, gives parameter positions by function.
//
// Reads may overlap reads. Two views overlap only if they are of one buffer: a memory plan never gives common bytes to
// buffers that one step needs. A kernel hands its own parameters' overlaps on to the kernels it calls.

struct Aliasing {
  /// Positions of parameters that overlap another.
  private(set) var parameters: [String: Set<Int>] = [:]

  /// Pairs of parameters that may be views of common bytes.
  private var pairs: [String: Set<[Int]>] = [:]
  private let functions: [String: LoopFunction]
  private var changed = false

  init(_ program: LoopProgram) {
    functions = Dictionary(program.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let calls = Dictionary(
      program.functions.map { ($0.name, LoopMentions($0.body).calls) }, uniquingKeysWith: { first, _ in first })
    for call in LoopMentions(program.entry).calls { visit(call) { $0 == $1 } }
    repeat {
      changed = false
      for function in program.functions {
        let own = pairs[function.name] ?? []
        let names = function.parameters.map(\.name)
        for call in calls[function.name] ?? [] {
          visit(call) { a, b in
            if a == b { return true }
            guard let x = names.firstIndex(of: a), let y = names.firstIndex(of: b) else { return true }
            return own.contains([min(x, y), max(x, y)])
          }
        }
      }
    } while changed
  }

  /// - Parameter overlap: Whether the views of two names may have common bytes.
  private mutating func visit(_ call: LoopMentions.Call, _ overlap: (String, String) -> Bool) {
    guard let callee = functions[call.function] else { return }
    for (x, first) in call.arguments.enumerated() {
      guard case .view(let a, _) = first else { continue }
      for (y, second) in call.arguments.enumerated() where y > x {
        guard case .view(let b, _) = second, overlap(a, b) else { continue }
        if pairs[call.function, default: []].insert([x, y]).inserted { changed = true }
        if callee.writes(x) || callee.writes(y) { parameters[call.function, default: []].formUnion([x, y]) }
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
