import IR

/// Collects a loop program while kernels write themselves: buffers, functions (each distinct one once), constants.
public struct ProgramBuilder {
  public let target: Target
  /// Tasks the work of one parallel region is split into; 1 writes no parallel loop at all.
  public let workers: Int
  public private(set) var program: LoopProgram
  /// The schedules of products: what was measured, and which were asked for.
  var products: ProductSchedules
  /// The entry's statements so far.
  public var entry = LoopBuilder()
  private var functionNames: [FunctionKey: String] = [:]
  /// Names of buffers and functions, which share one namespace, and the words of the language. The entry's variables
  /// never get one of them: a value of a model may be called `image`, like a loop's variable.
  private var taken = LoopProgram.reservedNames
  /// Names of the value functions, keyed by the functions without their names.
  private var valueFunctionNames: [LoopValueFunction: String] = [:]

  private struct FunctionKey: Hashable {
    var parameters: [LoopParameter]
    var body: [LoopStatement]
  }

  public init(name: String, target: Target, workers: Int, tuning: ProductTuning? = nil) {
    self.target = target
    self.workers = workers
    products = ProductSchedules(tuning: tuning)
    self.program = LoopProgram(name: name)
  }

  /// Goes on with the entry. Its variables get names that no buffer and no function has; a buffer or function that `body`
  /// adds gets one that no variable has had before.
  public mutating func write(_ body: (_ entry: inout LoopBuilder, _ program: inout ProgramBuilder) -> Void) {
    var continued = entry
    continued.avoid(taken)
    body(&continued, &self)
    entry = continued
  }

  public var lanes: Int { target.lanes }
  /// The vector type kernels compute in.
  public var vector: LoopType { LoopType(.f32, lanes: lanes) }

  /// Adds a function, or finds the one with the same parameters and body, and returns its name.
  public mutating func function(
    _ hint: String, _ parameters: [LoopParameter], _ write: (inout LoopBuilder) -> Void
  ) -> String {
    var builder = LoopBuilder()
    // Names that the body binds must differ from those of the parameters.
    for parameter in parameters { _ = builder.fresh(parameter.name) }
    write(&builder)
    let key = FunctionKey(parameters: parameters, body: builder.statements)
    if let name = functionNames[key] { return name }
    let name = unique(hint)
    functionNames[key] = name
    program.functions.append(LoopFunction(name, parameters, builder.statements))
    return name
  }

  /// Adds a value function, or finds the one that differs at most by its name, and returns the name it has.
  public mutating func valueFunction(_ function: LoopValueFunction) -> String {
    var key = function
    key.name = ""
    if let name = valueFunctionNames[key] { return name }
    var added = function
    added.name = unique(function.name)
    valueFunctionNames[key] = added.name
    program.valueFunctions.append(added)
    return added.name
  }

  /// Adds a buffer under a name made unique, and returns the name.
  public mutating func buffer(
    _ hint: String, _ storage: LoopBuffer.Storage, _ element: ElementType = .f32, count: Int,
    range: ClosedRange<Int>? = nil
  ) -> String {
    let name = unique(Self.identifier(hint))
    program.buffers.append(LoopBuffer(name, storage, element, count: count, range: range))
    return name
  }

  /// Adds packed float32 constants under a name made unique, and returns the name.
  public mutating func constant(_ hint: String, _ floats: [Float]) -> String {
    let name = buffer(hint, .weights, count: floats.count)
    program.constants[name] = floats.withUnsafeBytes { Array($0) }
    return name
  }

  /// Adds constants of any element type, row-major, under a name made unique, and returns the name.
  public mutating func constant(_ hint: String, _ data: TensorData) -> String {
    let name = buffer(hint, .weights, data.element, count: data.count)
    program.constants[name] = data.bytes
    return name
  }

  /// The finished program.
  public func finished() -> LoopProgram {
    var result = program
    result.entry = entry.statements
    return result
  }

  /// The hint, or the hint and a number, so that the name is unique.
  private mutating func unique(_ hint: String) -> String {
    var name = hint
    var suffix = 2
    while entry.names.contains(name) || !taken.insert(name).inserted {
      name = "\(hint)_\(suffix)"
      suffix += 1
    }
    return name
  }

  /// A layer's or value's name as an identifier of the loop language and of C.
  static func identifier(_ name: String) -> String {
    let mapped = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    return mapped.first.map { $0.isNumber ? "v" + String(mapped) : String(mapped) } ?? "v"
  }
}

extension LoopParameter {
  static func input(_ name: String, count: Int) -> LoopParameter {
    LoopParameter(name, .view(.read, .f32, count: count, range: nil))
  }

  static func output(_ name: String, count: Int) -> LoopParameter {
    LoopParameter(name, .view(.write, .f32, count: count, range: nil))
  }
}
