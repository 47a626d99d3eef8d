// Proves a loop program safe before any C exists. What holds of a program it accepts:
//
// Names
//  1. Names are identifiers and not words of the language; buffers, functions and parameters are named once; a local
//     name is not that of a buffer or of anything else in scope. What a statement mentions is defined before it.
//  2. A function sees its parameters and nothing else. Calls do not recurse, directly or through other functions. A
//     value function is `let`s and a result: it touches no memory, and applies only value functions declared above it.
// Types
//  3. Every value has a type (see `LoopValue+Type.swift`); masks have as many lanes as what they mask; conditions are
//     one-lane masks; elements stored and assigned are those of their buffer or register.
//  4. `let`s, indices, `in` views, inputs and weights are never written; `out` views are never read.
// Bounds
//  5. Each load, store, gather and prefetch lies inside its buffer or view. Only the first n lanes count if the mask is
//     `lanemask n`; any other mask counts as full.
//  6. Each element of a register array exists, also in code that is never reached: C spells it.
//  7. Loops have finite bounds and a positive step, unrolled loops a constant number of rounds, and `while` loops a
//     maximum; shifts move by less than the type's bits.
//  8. Index arithmetic fits 32 bits: the sum of the sizes of all terms of an index, of both sides of a comparison, and
//     of a loop's end and its step. It then fits in whatever order C adds them, also if `ptrdiff_t` has 32 bits.
// Calls
//  9. A function is proved for every call its declaration allows; each call is proved allowed: index arguments in their
//     range, views large enough inside the caller's, of the same element, access rights and ranges of elements.
// 10. If a call writes a view, no other argument overlaps it, with one exception: the very same view, declared with the
//     same count, may be passed twice to a function without calls and parallel loops, since element-wise kernels run in
//     place. (So C for a view parameter must not say `restrict`.)
// Ranges
// 11. Integers stored into a buffer or assigned to a register that declares a range stay in it; an index that comes
//     from data stays in the range of its `let`. Arithmetic that may leave its type gives any number of the type, as it
//     wraps around. Weights that declare a range have contents, and these are looked at. Inputs declare no range: it
//     could not be proved. A bool that is read from memory is 0 or 1, whatever its byte holds.
//     A float that is converted to an integer without clamping fits it: a clamp before it says so (see `RealRange`).
// Initialisation (see `Initialization`)
// 12. Each element of the arena, of scratch and of an output is written on every path before it is read, and each element
//     of an output is written. Scratch holds nothing when a round of a parallel loop begins.
// Parallel loops
// 13. No round of a parallel loop touches an element that another round writes (see `LoopRaces`); calls inside are
//     followed with their arguments in place of the parameters. Scratch is exempt: each worker has its own, which holds
//     nothing at first. No function that has a parallel loop, or calls one that does, is passed scratch.
// 14. A round assigns no register from outside the loop; parallel loops are not nested, not even through calls.
//
// Whatever the analysis does not know is refused. Nothing else about the values of floats is proved.

extension LoopProgram {
  /// Throws a `DiagnosticList` of everything in the program that cannot be proved safe.
  public func verify(target: Target) throws {
    var verifier = LoopVerifier(program: self, target: target)
    verifier.verify()
    try DiagnosticList(verifier.diagnostics).throwIfAny()
  }
}

struct LoopVerifier {
  let program: LoopProgram
  let target: Target
  let functions: [String: LoopFunction]
  let valueFunctions: [String: LoopValueFunction]
  /// Functions that contain a parallel loop, or call one that does.
  let parallelFunctions: Set<String>
  let atoms = IndexAtoms()
  private(set) var diagnostics: [Diagnostic] = []
  /// The function, or another part of the program, that is being checked.
  var unit = ""
  /// The statement that is being checked, after the statements around it.
  var path: [LoopStatement] = []

  init(program: LoopProgram, target: Target) {
    self.program = program
    self.target = target
    functions = Dictionary(program.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    valueFunctions = program.valueFunctionsByName
    var parallel: Set<String> = []
    var count = -1
    while count != parallel.count {
      count = parallel.count
      for function in program.functions where function.body.containsParallelLoop(orCallTo: parallel) {
        parallel.insert(function.name)
      }
    }
    parallelFunctions = parallel
  }

  /// Notes a mistake at the current statement.
  mutating func report(_ message: String, notes: [String] = []) {
    let place = ([unit] + path.map(\.headline)).joined(separator: " / ")
    diagnostics.append(Diagnostic(message, at: .init(file: place), notes: notes))
  }

  /// Runs `body`, turning what it throws into a note.
  mutating func reporting(_ body: () throws -> Void) -> Bool {
    do {
      try body()
      return true
    } catch let diagnostic as Diagnostic {
      report(diagnostic.message, notes: diagnostic.notes)
    } catch {
      report("\(error)")
    }
    return false
  }

  mutating func verify() {
    unit = "program \(program.name)"
    verifyNames()
    for buffer in program.buffers { verify(buffer) }
    verifyValueFunctions()
    let isAcyclic = verifyCalls()
    for function in program.functions {
      unit = "func \(function.name)"
      verifyParameters(of: function)
      guard isAcyclic else { continue }
      var place = LoopPlace(bodyOf: function, target: target, valueFunctions: valueFunctions, atoms: atoms)
      verify(function.body, in: &place, around: LoopSurroundings())
    }
    unit = "entry"
    guard isAcyclic else { return }
    var place = LoopPlace(entryOf: program, target: target, atoms: atoms)
    verify(program.entry, in: &place, around: LoopSurroundings())
    // Accesses that are already known to be wrong say nothing useful about what is written.
    guard diagnostics.isEmpty else { return }
    for failure in Initialization.failures(program, target: target, functions: functions) {
      path = failure.path
      report(failure.message)
    }
    path = []
  }

  // MARK: declarations

  mutating func verify(name: String) {
    let bytes = Array(name.utf8)
    func isLetter(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
    }
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    let isIdentifier =
      bytes.first.map(isLetter) == true && bytes.allSatisfy { isLetter($0) || digits.contains($0) }
    if !isIdentifier { report("'\(name)' is not a name: letters, digits and _, not beginning with a digit") }
    if LoopParser.reserved.contains(name) { report("'\(name)' is a word of the language and cannot be a name") }
  }

  private mutating func verifyNames() {
    var seen: Set<String> = []
    verify(name: program.name)
    let functions = program.valueFunctions.map(\.name) + program.functions.map(\.name)
    for name in program.buffers.map(\.name) + functions {
      verify(name: name)
      if !seen.insert(name).inserted { report("\(name) is declared twice") }
    }
  }

  private mutating func verify(_ buffer: LoopBuffer) {
    if buffer.count < 1 || buffer.count > IndexRange.limit / 64 {
      report("buffer \(buffer.name) has \(buffer.count) elements; one is the least")
    }
    if buffer.alignment < 1 || buffer.alignment.nonzeroBitCount != 1 {
      report("buffer \(buffer.name) is aligned to \(buffer.alignment) bytes, not a power of two")
    }
    verify(range: buffer.range, of: buffer.element, what: "buffer \(buffer.name)")
    if buffer.storage == .input, buffer.range != nil {
      report("input \(buffer.name) declares a range nobody proves; clamp what is loaded with min and max instead")
    }
    if let bytes = program.constants[buffer.name] {
      verify(bytes, in: buffer)
    } else if buffer.storage == .weights, buffer.range != nil {
      report("weights \(buffer.name) declare a range, and there are no contents to look at")
    }
  }

  mutating func verify(range: ClosedRange<Int>?, of element: ElementType?, what: String) {
    guard let range else { return }
    guard let all = element?.integerRange else {
      return report("\(what) declares a range, which only integers have")
    }
    if !(all.contains(range.lowerBound) && all.contains(range.upperBound)) {
      report("\(what) declares the range \(range.lowerBound)..\(range.upperBound), outside its type's")
    }
  }

  private mutating func verify(_ bytes: [UInt8], in buffer: LoopBuffer) {
    if buffer.storage != .weights { report("\(buffer.name) has constant contents but is no weights buffer") }
    if bytes.count != buffer.byteCount {
      return report("weights \(buffer.name) take \(buffer.byteCount) bytes, found \(bytes.count)")
    }
    guard let range = buffer.range, buffer.element.integerRange != nil else { return }
    let size = buffer.element.byteCount
    let isSigned = buffer.element.integerRange.map { $0.lowerBound < 0 } == true
    for index in 0..<buffer.count {
      var bits: UInt64 = 0
      for byte in 0..<size { bits |= UInt64(bytes[index * size + byte]) << UInt64(8 * byte) }
      let shift = UInt64(64 - 8 * size)
      let value = isSigned ? Int(Int64(bitPattern: bits << shift) >> Int64(shift)) : Int(clamping: bits)
      if !range.contains(value) {
        return report(
          "weights \(buffer.name)[\(index)] is \(value), outside its range \(range.lowerBound)..\(range.upperBound)")
      }
    }
  }

  private mutating func verifyParameters(of function: LoopFunction) {
    var seen: Set<String> = []
    for parameter in function.parameters {
      verify(name: parameter.name)
      if !seen.insert(parameter.name).inserted { report("parameter \(parameter.name) is declared twice") }
      if case .view(_, let element, let count, let range) = parameter.kind {
        if count < 1 { report("parameter \(parameter.name) has \(count) elements; one is the least") }
        verify(range: range, of: element, what: "parameter \(parameter.name)")
      }
    }
  }

  /// Checks that no function calls itself; false if one does, since following calls would not end.
  private mutating func verifyCalls() -> Bool {
    var finished: Set<String> = []
    var active: [String] = []
    var isAcyclic = true
    func visit(_ name: String, _ report: (String) -> Void) {
      if let start = active.firstIndex(of: name) {
        isAcyclic = false
        return report("calls recurse: \((active[start...] + [name]).joined(separator: " -> "))")
      }
      guard !finished.contains(name), let function = functions[name] else { return }
      active.append(name)
      for callee in function.body.flatMap(\.callees) { visit(callee, report) }
      active.removeLast()
      finished.insert(name)
    }
    var messages: [String] = []
    for function in program.functions { visit(function.name) { messages.append($0) } }
    for message in messages { report(message) }
    return isAcyclic
  }
}

extension LoopStatement {
  /// The blocks inside.
  var blocks: [[LoopStatement]] {
    switch self {
    case .forLoop(_, from: _, to: _, step: _, order: _, let body): [body]
    case .forWhile(_, maximum: _, condition: _, let body), .layer(_, let body): [body]
    case .ifIndex(_, let then, let otherwise), .ifValue(_, let then, let otherwise): [then, otherwise]
    case .letValue, .letIndex, .register, .assign, .store, .prefetch, .call: []
    }
  }

  /// Names of the functions called here and inside, in order, with repetitions.
  var callees: [String] {
    if case .call(let name, _) = self { return [name] }
    return blocks.flatMap { $0.flatMap(\.callees) }
  }
}

extension [LoopStatement] {
  func containsParallelLoop(orCallTo parallel: Set<String>) -> Bool {
    contains { statement in
      if case .forLoop(_, from: _, to: _, step: _, order: .parallel, _) = statement { return true }
      if case .call(let name, _) = statement { return parallel.contains(name) }
      return statement.blocks.contains { $0.containsParallelLoop(orCallTo: parallel) }
    }
  }
}
