import IR

// Turns loop statements into C statements for one C function: its names, its scope and the block being written. The
// statements are in EmitFunction.swift, the values in EmitValue.swift and EmitLanes.swift, the outlining of layers and
// parallel loops in EntryEmitter.swift.
//
// A vector is a list of parts. If the target has a C type for it, a part is `lanes` of the target's lanes. If it has
// none (any vector on `scalar`, f64 on AVX2, ...), a part is one lane and the operation is done lane by lane. So every
// loop program can be emitted for every target, and a target's table decides what is fast.

struct FunctionEmitter {
  /// What a name of the loop program is in C.
  enum Binding {
    /// A `let` or a register: one C variable a part.
    case parts([String], LoopType)
    /// A register array of variables: element by element, part by part.
    case variables([[String]], LoopType)
    /// A register array as one C array a part.
    case arrays([String], LoopType)
  }

  struct Buffer {
    var pointer: CExpression
    var element: ElementType
  }

  let target: Target
  var indices = IndexScope()
  var bindings: [String: Binding] = [:]
  var buffers: [String: Buffer] = [:]
  var names: CNames
  /// The block being written.
  var statements: [CStatement] = []
  /// Where parallel loops and layers go; nil inside kernels, whose loops are all serial.
  var entry: EntryEmitter?
  /// C for the worker this code runs as.
  var worker: CExpression = .literal("0")
  /// Inside a layer, further layers are blocks.
  var isInLayer = false
  /// C names of the program's functions.
  var functionNames: [String: String] = [:]
  var valueFunctions: [String: LoopValueFunction] = [:]

  /// An emitter for one C function of `program`; `functionNames` are the C names of the program's functions.
  init(_ program: LoopProgram, target: Target, functionNames: [String: String]) {
    self.target = target
    self.functionNames = functionNames
    names = CNames(reserved: functionNames.values)
    valueFunctions = program.valueFunctionsByName
  }

  mutating func append(_ statement: CStatement) { statements.append(statement) }

  /// What `body` writes, as a block with its own scope.
  mutating func block(_ body: (inout FunctionEmitter) throws -> Void) rethrows -> [CStatement] {
    let outer = statements
    let (outerIndices, outerBindings) = (indices, bindings)
    statements = []
    defer {
      statements = outer
      indices = outerIndices
      bindings = outerBindings
    }
    try body(&self)
    return statements
  }

  /// A new constant of `type` with this value, and its name.
  mutating func bind(_ hint: String, _ type: CType, _ value: CExpression) -> CExpression {
    let name = names.fresh(hint)
    append(.declare(.constant(type), name, value))
    return .name(name)
  }

  // MARK: Parts

  /// How many parts a value of `type` has, of how many lanes, as which C type.
  struct Layout: Equatable {
    var parts: Int
    var lanes: Int
    var type: CType
  }

  func layout(_ type: LoopType) -> Layout {
    if type.lanes > 1 {
      if let name = target.typeNames[type] { return Layout(parts: 1, lanes: type.lanes, type: .named(name)) }
      if target.lanes > 1, type.lanes % target.lanes == 0,
        let name = target.typeNames[type.with(lanes: target.lanes)]
      {
        return Layout(parts: type.lanes / target.lanes, lanes: target.lanes, type: .named(name))
      }
    }
    return Layout(parts: type.lanes, lanes: 1, type: .named(type.element?.cName ?? "int"))
  }

  /// The target's spelling of `operation` on parts of these types, if it has one.
  func spelling(_ operation: String, _ types: LoopType...) -> String? {
    target.spellings[([operation] + types.map(\.description)).joined(separator: ".")]
  }

  func index(_ index: LoopIndex) -> CExpression { indices.expression(index) }

  /// A pointer to an element.
  func pointer(_ buffer: String, _ index: LoopIndex, plus lanes: Int = 0) throws -> CExpression {
    let base = try self.buffer(buffer).pointer
    let linear = indices.linear(index + .constant(lanes))
    let offset = indices.expression(linear)
    if offset == .integer(0) { return base }
    // Without differences every partial sum stays in the buffer, so the terms need no parentheses.
    let isSum = linear.constant >= 0 && linear.terms.allSatisfy { $0.factor > 0 }
    return isSum ? offset.appended(to: base) : .infix("+", base, offset)
  }

  func element(_ buffer: String, _ index: LoopIndex, plus lanes: Int = 0) throws -> CExpression {
    .subscripted(try self.buffer(buffer).pointer, self.index(index + .constant(lanes)))
  }

  func buffer(_ name: String) throws -> Buffer {
    guard let buffer = buffers[name] else { throw Diagnostic("no buffer is called \(name)") }
    return buffer
  }
}

extension CExpression {
  /// `base + a + b` for a sum `a + b`.
  fileprivate func appended(to base: CExpression) -> CExpression {
    if case .infix("+", let rest, let last) = self { return .infix("+", rest.appended(to: base), last) }
    return .infix("+", base, self)
  }
}

/// A value in C: one expression a part.
struct LoweredValue {
  var type: LoopType
  /// Lanes of one part.
  var lanes: Int
  var parts: [CExpression]

  /// The type of one part.
  var part: LoopType { type.with(lanes: lanes) }
}
