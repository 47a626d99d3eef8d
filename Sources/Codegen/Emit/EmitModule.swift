import IR

// NAME.c: the kernels once each, a function a layer, and the library's own functions around them. Takes a loop program,
// its memory plan and a target, and gives all files of the library.

/// Emits the library of a model. Throws a `Diagnostic`.
public func emitLibrary(
  _ program: LoopProgram, plan: MemoryPlan, target: Target, options: LibraryOptions
) throws -> EmittedLibrary {
  try options.validate()
  let emitter = try ModuleEmitter(program, plan, target, options)
  return try emitter.library()
}

/// The state that the Emit files share while one library is written.
struct ModuleEmitter {
  let program: LoopProgram
  let plan: MemoryPlan
  let target: Target
  let options: LibraryOptions
  let weights: WeightsLayout
  let inputs: [LoopBuffer]
  let outputs: [LoopBuffer]
  /// Input and output buffers with their parameter names.
  let tensors: [(buffer: LoopBuffer, name: String)]

  var prefix: String { options.prefix }
  var capitals: String { options.prefix.uppercased() }
  /// Never zero, so that an array of it is legal.
  var arenaBytes: Int { max(plan.arenaBytes, plan.alignment) }

  init(_ program: LoopProgram, _ plan: MemoryPlan, _ target: Target, _ options: LibraryOptions) throws {
    self.program = program
    self.plan = plan
    self.target = target
    self.options = options
    weights = try WeightsLayout(program, target: target)
    inputs = program.buffers.filter { $0.storage == .input }
    outputs = program.buffers.filter { $0.storage == .output }
    guard !outputs.isEmpty else { throw Diagnostic("\(program.name) has no output to make a library of") }
    // If there is one of each they are called `input` and `output`; otherwise all keep their own names.
    var names = CNames()
    let isPair = inputs.count == 1 && outputs.count == 1
    tensors =
      isPair
      ? [(inputs[0], "input"), (outputs[0], "output")]
      : (inputs + outputs).map { ($0, names.fresh($0.name)) }
  }

  func library() throws -> EmittedLibrary {
    let (source, layers) = try source()
    var files = [
      EmittedLibrary.File("\(options.name).h", header()), EmittedLibrary.File("\(options.name).c", source),
    ]
    files += weightFiles() + packagingFiles()
    return EmittedLibrary(
      options: options, files: files, layers: layers, weightBytes: weights.byteCount, arenaBytes: arenaBytes,
      inputElements: inputs.map(\.count), outputElements: outputs.map(\.count), inputTypes: inputs.map(\.element),
      outputTypes: outputs.map(\.element), maxWorkers: plan.workers, target: target)
  }

  private func source() throws -> (text: String, layers: [String]) {
    let functionNames = self.functionNames
    let aliasing = Aliasing(program)
    var kernels: [CDeclaration] = program.functions.isEmpty ? [] : [text(LibraryText.kernels), .blank]
    let inner = Set(program.functions.flatMap { callees($0.body) })
    for function in try calleesFirst() {
      let emitted = try FunctionEmitter.function(
        function, of: program, target: target, functionNames: functionNames,
        aliased: aliasing.parameters[function.name] ?? [], isInner: inner.contains(function.name))
      kernels += [.function(emitted), .blank]
    }
    let entry = EntryEmitter(
      program: program, plan: plan, target: target, weights: weights, prefix: prefix, functionNames: functionNames,
      tensors: tensors)
    let body = try entry.run()
    let run = CDeclaration.function(
      CFunction(
        linkage: "", result: .int, name: "\(prefix)_run",
        parameters: [CParameter(.pointer(.constant(.named("\(prefix)_t"))), "m")] + tensorParameters,
        body: runChecks + body + [.giveBack(.name("\(capitals)_OK"))]))
    let threads = entry.usesThreads ? [text(LibraryText.parallelFor), .blank] : []
    let code = kernels + threads + entry.declarations + libraryFunctions + [run]
    let whole = try valueFunctions(usedBy: code, functionNames) + code
    let helpers = helpers(usedBy: whole).map { CDeclaration.verbatim($0 + "\n") }
    let printed = CPrinter.print(helpers) + CPrinter.print(whole)
    return (CPrinter.print(preamble(for: helpers + whole)) + (helpers.isEmpty ? "" : "\n") + printed, entry.layers)
  }

  /// Includes and macros ahead of everything else.
  private func preamble(for code: [CDeclaration]) -> [CDeclaration] {
    var out: [CDeclaration] = [
      .comment(provenance), .include("\(options.name).h", system: false), .blank,
    ]
    if !identifiers(of: code).isDisjoint(with: CIdentifiers.mathNames) { out.append(.include("math.h", system: true)) }
    out.append(.include("string.h", system: true))
    out += target.headers.names.map { .include($0, system: true) }
    if let question = target.cpuQuestion, !question.headers.isEmpty {
      out.append(
        .condition(
          "\(question.condition) && !defined(VIGC_ASSUME_CPU)", question.headers.map { .include($0, system: true) }, [])
      )
    }
    out += [
      .blank, text(LibraryText.contraction), .blank, text(LibraryText.profileHooks), .blank,
      .define("\(prefix)_TARGET", CLiteral.string(target.name)),
      .define("\(prefix)_FORMAT", "\(WeightsLayout.formatVersion)u"),
      .define("\(prefix)_LAYOUT", "\(WeightsLayout.layoutVersion)u"),
      .define("\(prefix)_SEED", "UINT64_C(0x\(String(weights.seed, radix: 16)))"),
      .define("\(prefix)_ID", "UINT64_C(0x\(String(weights.id, radix: 16)))"),
    ]
    return out
  }

  /// Definitions of the target's helpers that `code` mentions, and of theirs, callees first.
  private func helpers(usedBy code: [CDeclaration]) -> [String] {
    var definitions: [String] = []
    var seen: Set<String> = []
    func visit(_ name: String) {
      guard seen.insert(name).inserted, let definition = target.helpers[name] else { return }
      for inner in CIdentifiers(definition) { visit(inner) }
      definitions.append(definition)
    }
    for declaration in code { declaration.forEachIdentifier(visit) }
    return definitions
  }

  private func identifiers(of code: [CDeclaration]) -> Set<String> {
    var names: Set<String> = []
    for declaration in code { declaration.forEachIdentifier { names.insert($0) } }
    return names
  }

  /// The value functions that `code` calls and those they call, callees first.
  private func valueFunctions(usedBy code: [CDeclaration], _ functionNames: [String: String]) throws -> [CDeclaration] {
    var used = identifiers(of: code)
    var declarations: [CDeclaration] = []
    // Each calls only those before it.
    for function in program.valueFunctions.reversed() where used.contains(functionNames[function.name] ?? "") {
      guard
        let emitted = try FunctionEmitter.valueFunction(
          function, of: program, target: target, functionNames: functionNames)
      else { continue }
      declarations = [.function(emitted), .blank] + declarations
      used.formUnion(identifiers(of: [.function(emitted)]))
    }
    return (declarations.isEmpty ? [] : [text(LibraryText.inlining), .blank]) + declarations
  }

  /// C names of the functions: their own, turned into identifiers that differ from the library's.
  private var functionNames: [String: String] {
    var names = CNames(reserved: ["\(prefix)_init", "\(prefix)_run", "\(prefix)_check_weights", "\(prefix)_strerror"])
    var result: [String: String] = [:]
    for name in program.valueFunctions.map(\.name) + program.functions.map(\.name) {
      result[name] = names.fresh(name)
    }
    return result
  }

  /// Functions in an order in which each comes after those it calls.
  private func calleesFirst() throws -> [LoopFunction] {
    var done: Set<String> = []
    var active: Set<String> = []
    var order: [LoopFunction] = []
    let byName = Dictionary(program.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    func visit(_ function: LoopFunction) throws {
      if done.contains(function.name) { return }
      guard active.insert(function.name).inserted else { throw Diagnostic("\(function.name) calls itself") }
      for name in callees(function.body) {
        guard let callee = byName[name] else {
          throw Diagnostic("\(function.name) calls \(name), which is not defined")
        }
        try visit(callee)
      }
      done.insert(function.name)
      order.append(function)
    }
    for function in program.functions { try visit(function) }
    return order
  }

  private func callees(_ statements: [LoopStatement]) -> [String] { LoopMentions(statements).calls.map(\.function) }

  private var runChecks: [CStatement] {
    let nulls = ([CExpression.name("m")] + tensors.map { .name($0.name) }).map {
      CExpression.infix("==", $0, .name("NULL"))
    }
    let any = nulls.dropFirst().reduce(nulls[0]) { .infix("||", $0, $1) }
    return [.branch(any, [.giveBack(.name("\(capitals)_ERROR_ARGUMENT"))], [])]
  }

  private var libraryFunctions: [CDeclaration] {
    [
      .verbatim(cpuCheck), .blank, text(LibraryText.weightsCheck), .blank, text(LibraryText.strerror), .blank,
      text(LibraryText.initialise), .blank,
    ]
  }

  /// Asks the processor as its architecture says; VIGC_ASSUME_CPU leaves the question out, for emulations for example.
  private var cpuCheck: String {
    let always = ["  return 1;"]
    var body = always
    var note = ""
    if let question = target.cpuQuestion {
      let tests = target.features.compactMap(\.test).joined(separator: "\n      && ")
      body =
        ["#if \(question.condition) && !defined(VIGC_ASSUME_CPU)"] + question.statements.map { "  \($0)" }
        + ["  return \(tests);", "#else"] + always + ["#endif"]
      note = "/* Define VIGC_ASSUME_CPU to leave the question to yourself. */\n"
    }
    return note + "static int \(prefix)_cpu_is_supported(void)\n{\n" + body.joined(separator: "\n") + "\n}"
  }
}

extension Target {
  /// How the generated code asks for the features; nil if there is none to ask for.
  var cpuQuestion: Architecture.Question? {
    features.contains { $0.test != nil } ? architecture?.question : nil
  }
}
