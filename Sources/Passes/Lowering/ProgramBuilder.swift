import IR

/// Collects a loop program while kernels write themselves: buffers, functions (each distinct one once), constants.
public struct ProgramBuilder {
  public let target: Target
  /// Tasks the work of one parallel region is split into; 1 writes no parallel loop at all.
  public let workers: Int
  public private(set) var program: LoopProgram
  private let tuning: ProductTuning?
  /// The products that asked for a schedule, each once.
  private(set) var scheduled: [ProductShape] = []
  /// The entry's statements so far.
  public var entry = LoopBuilder()
  private var functionNames: [FunctionKey: String] = [:]
  /// Names of buffers and functions, which share one space. The entry's own loop variables are taken from the start: a
  /// value of the model may be called `image` too, and an op like a word of the language.
  private var taken = LoopProgram.reservedNames.union([
    "image", "band", "block", "share", "round", "list", "panel", "pixel", "y",
  ])
  /// Names of the value functions, by what they are but for it.
  private var valueFunctionNames: [LoopValueFunction: String] = [:]

  private struct FunctionKey: Hashable {
    var parameters: [LoopParameter]
    var body: [LoopStatement]
  }

  public init(name: String, target: Target, workers: Int, tuning: ProductTuning? = nil) {
    self.target = target
    self.workers = workers
    self.tuning = tuning
    self.program = LoopProgram(name: name)
  }

  public var lanes: Int { target.lanes }
  /// The vector type kernels compute in.
  public var vector: LoopType { LoopType(.f32, lanes: lanes) }

  /// The schedule that was measured for a product, or else the one the cost model picks.
  mutating func schedule(depth: Int, pixels: Int, channels: Int) -> ProductSchedule {
    let product = ProductShape(depth: depth, pixels: pixels, channels: channels)
    if !scheduled.contains(product) { scheduled.append(product) }
    return tuning?.schedule(for: product)
      ?? ProductCost(target: target, depth: depth).schedule(pixels: pixels, channels: channels)
  }

  /// Adds a function, or finds the one with the same parameters and body, and returns its name.
  public mutating func function(
    _ hint: String, _ parameters: [LoopParameter], _ write: (inout LoopBuilder) -> Void
  ) -> String {
    var builder = LoopBuilder()
    // What the body binds must not have a parameter's name.
    for parameter in parameters { _ = builder.fresh(parameter.name) }
    write(&builder)
    let key = FunctionKey(parameters: parameters, body: builder.statements)
    if let name = functionNames[key] { return name }
    let name = Self.unique(hint, in: &taken)
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
    added.name = Self.unique(function.name, in: &taken)
    valueFunctionNames[key] = added.name
    program.valueFunctions.append(added)
    return added.name
  }

  /// Adds a buffer under a name made unique, and returns the name.
  public mutating func buffer(
    _ hint: String, _ storage: LoopBuffer.Storage, _ element: ElementType = .f32, count: Int,
    range: ClosedRange<Int>? = nil
  ) -> String {
    let name = Self.unique(Self.identifier(hint), in: &taken)
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

  private static func unique(_ hint: String, in taken: inout Set<String>) -> String {
    var name = hint
    var suffix = 2
    while !taken.insert(name).inserted {
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
