// Runs loop programs: the meaning of the language, against which compiled C is compared bit for bit.
//
// The tree is compiled once into closures. Functions do not recurse, so every variable and every intermediate value has
// one place in memory for the whole run, and a closure knows the addresses it works on: no frames, no look-ups by name.
// Accesses are checked as they happen, whatever the verifier said; one outside its buffer stops the process.

/// What memory holds before anything is stored to it.
public enum LoopPoison: Hashable, Sendable {
  case zeros
  /// Every bit set: NaN in every float format, -1 in signed integers.
  case notANumber
  /// Bytes out of a generator started at `seed`.
  case random(seed: UInt64)
}

/// An argument of one function run alone; see `LoopInterpreter.call`.
public enum LoopInterpreterArgument: Hashable, Sendable {
  case index(Int)
  /// The contents of a view, little-endian bytes.
  case view([UInt8])
}

/// A program ready to run, any number of times.
public final class LoopInterpreter {
  let program: LoopProgram
  let target: Target
  let memory = LoopMemory()
  private(set) var windows: [String: UnsafeMutablePointer<LoopWindow>] = [:]
  private let flags: LoopRunFlags
  private var functions: [String: LoopCode.Function] = [:]
  private var entry: [LoopCode.Step] = []
  private var poison: LoopPoison = .notANumber

  /// Compiles `program`. Throws the `Diagnostic` of the first value that has no type; verify first for all of them.
  public init(program: LoopProgram, target: Target) throws {
    self.program = program
    self.target = target
    flags = LoopRunFlags()
    try MemoryLimit.require(
      Extents.sum(
        program.buffers.map { buffer in Extents.count([buffer.count]).map { $0 * buffer.element.byteCount } }),
      for: "the buffers of \(program.name) as the interpreter keeps them")
    for buffer in program.buffers {
      let window = memory.allocate(LoopWindow.self, count: 1)
      window.initialize(
        to: LoopWindow(base: memory.allocate(bytes: buffer.byteCount), count: buffer.count))
      windows[buffer.name] = window
    }
    let library = LoopCode.Library(program: program, target: target, memory: memory, flags: flags)
    for function in program.functions { functions[function.name] = try library.function(function.name) }
    let code = LoopCode(library: library, scope: LoopScope(entryOf: program, target: target), windows: windows)
    entry = try code.block(program.entry)
    flags.beginRound = { [unowned self] in poisonScratch() }
  }

  /// Runs the entry and returns the output buffers' bytes by name.
  ///
  /// `inputs` holds every input buffer, and any weights that the program does not bring along. Parallel loops run one
  /// round after another, the last first if `reversesParallelLoops`: equal results both ways are cheap evidence
  /// that rounds do not depend on each other. Each round finds its scratch poisoned.
  public func run(
    _ inputs: [String: [UInt8]], poison: LoopPoison = .notANumber, reversesParallelLoops: Bool = false
  ) throws -> [String: [UInt8]] {
    self.poison = poison
    flags.reverses = reversesParallelLoops
    for name in inputs.keys.sorted() where windows[name] == nil {
      throw Diagnostic("\(program.name) has no buffer called \(name)")
    }
    for (number, buffer) in program.buffers.enumerated() {
      guard let window = windows[buffer.name] else { continue }
      let bytes = UnsafeMutableRawBufferPointer(start: window.pointee.base, count: buffer.byteCount)
      switch buffer.storage {
      case .input, .weights:
        guard let contents = inputs[buffer.name] ?? program.constants[buffer.name] else {
          throw Diagnostic("nothing was given for \(buffer.storage.rawValue) \(buffer.name)")
        }
        guard contents.count == buffer.byteCount else {
          throw Diagnostic("\(buffer.name) takes \(buffer.byteCount) bytes, found \(contents.count)")
        }
        bytes.copyBytes(from: contents)
      case .output, .arena, .scratch: LoopMemory.fill(bytes, poison, salt: UInt64(number))
      }
    }
    for step in entry { step() }
    return Dictionary(
      uniqueKeysWithValues: program.buffers.filter { $0.storage == .output }.map { ($0.name, contents(of: $0)) })
  }

  /// `run` where every input and every output is float32.
  public func run(
    floats inputs: [String: [Float]], poison: LoopPoison = .notANumber, reversesParallelLoops: Bool = false
  ) throws -> [String: [Float]] {
    let bytes = inputs.mapValues { $0.withUnsafeBytes(Array.init) }
    return try run(bytes, poison: poison, reversesParallelLoops: reversesParallelLoops).mapValues { bytes in
      bytes.withUnsafeBytes { raw in
        (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
    }
  }

  /// What a buffer holds after a run: for looking at temporaries.
  public func contents(of name: String) -> [UInt8]? {
    program.buffers.first { $0.name == name }.map(contents(of:))
  }

  private func contents(of buffer: LoopBuffer) -> [UInt8] {
    windows[buffer.name].map { Array(UnsafeRawBufferPointer(start: $0.pointee.base, count: buffer.byteCount)) } ?? []
  }

  /// Runs one function alone and returns its views' contents afterwards, in order.
  public func call(_ name: String, _ arguments: [LoopInterpreterArgument]) throws -> [[UInt8]] {
    guard let function = functions[name] else { throw Diagnostic("no function is called \(name)") }
    let parameters = function.declaration.parameters
    guard parameters.count == arguments.count else {
      throw Diagnostic("\(name) takes \(parameters.count) arguments, found \(arguments.count)")
    }
    let local = LoopMemory()
    var views: [UnsafeMutableRawBufferPointer] = []
    for (parameter, argument) in zip(parameters, arguments) {
      switch (parameter.kind, argument) {
      case (.index, .index(let value)): function.indices[parameter.name]?.pointee = value
      case (.view(_, let element, let count, range: _), .view(let bytes)):
        guard bytes.count >= count * element.byteCount else {
          throw Diagnostic(
            "\(parameter.name) takes \(count * element.byteCount) bytes, found \(bytes.count)")
        }
        let base = local.allocate(bytes: bytes.count)
        let view = UnsafeMutableRawBufferPointer(start: base, count: bytes.count)
        view.copyBytes(from: bytes)
        function.windows[parameter.name]?.pointee = LoopWindow(base: base, count: count)
        views.append(view)
      case (.index, .view): throw Diagnostic("\(parameter.name) is an index, found a view")
      case (.view, .index): throw Diagnostic("\(parameter.name) is a view, found an index")
      }
    }
    return withExtendedLifetime(local) {
      for step in function.body.steps { step() }
      return views.map { Array($0) }
    }
  }

  private func poisonScratch() {
    if poison == .zeros { return }
    for (number, buffer) in program.buffers.enumerated() where buffer.storage == .scratch {
      guard let window = windows[buffer.name] else { continue }
      let bytes = UnsafeMutableRawBufferPointer(start: window.pointee.base, count: buffer.byteCount)
      LoopMemory.fill(bytes, poison, salt: UInt64(number))
    }
  }
}

/// A buffer or view at run time.
struct LoopWindow {
  var base: UnsafeMutableRawPointer
  /// Elements.
  var count: Int
}

/// What a run decides, for compiled code to read.
final class LoopRunFlags {
  var reverses = false
  var beginRound: () -> Void = {}
}

/// Memory that lives as long as its owner, 64-byte aligned throughout.
final class LoopMemory {
  private var blocks: [UnsafeMutableRawPointer] = []
  private var free: UnsafeMutableRawPointer?
  private var freeBytes = 0

  deinit {
    for block in blocks { block.deallocate() }
  }

  func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    let size = max(64, (bytes + 63) / 64 * 64)
    if size > 4096 {
      let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      blocks.append(block)
      return block
    }
    // Small pieces share pages, so that values that are used together lie together.
    guard let place = free, freeBytes >= size else {
      let block = UnsafeMutableRawPointer.allocate(byteCount: 1 << 16, alignment: 64)
      blocks.append(block)
      free = block + size
      freeBytes = (1 << 16) - size
      return block
    }
    free = place + size
    freeBytes -= size
    return place
  }

  func allocate<Value>(_ type: Value.Type, count: Int) -> UnsafeMutablePointer<Value> {
    allocate(bytes: count * MemoryLayout<Value>.stride).bindMemory(to: type, capacity: count)
  }

  static func fill(_ bytes: UnsafeMutableRawBufferPointer, _ poison: LoopPoison, salt: UInt64) {
    guard let base = bytes.baseAddress else { return }
    switch poison {
    case .zeros: base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count)
    case .notANumber: base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes.count)
    case .random(let seed):
      // SplitMix64.
      var state = seed &+ salt &* 0x9E37_79B9_7F4A_7C15
      for index in bytes.indices {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        bytes[index] = UInt8(truncatingIfNeeded: mixed >> 32)
      }
    }
  }
}
