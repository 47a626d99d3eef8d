import IR

/// Runs loop programs and checks all that the verifier promises: a second meaning of the language, written apart from
/// `LoopInterpreter`, slow, with a shadow beside each element of memory.
final class ShadowExecution {
  let program: LoopProgram
  let machine = ShadowMachine()
  private var buffers: [ShadowBuffer] = []
  /// Owns the places of all values.
  private let library: ShadowCode.Library
  private var entry: [ShadowCode.Step] = []

  init(program: LoopProgram, target: Target) throws {
    self.program = program
    library = ShadowCode.Library(program: program, target: target, machine: machine)
    var windows: [String: ShadowWindow] = [:]
    for declaration in program.buffers {
      guard (1...1 << 24).contains(declaration.count) else { throw ShadowTimeout() }
      let buffer = ShadowBuffer(declaration)
      let window = ShadowWindow(declaration.name, range: declaration.range)
      window.buffer = buffer
      window.count = declaration.count
      window.stored = declaration.range.map { [$0] } ?? []
      windows[declaration.name] = window
      buffers.append(buffer)
      if declaration.storage == .scratch { machine.scratch.append(buffer) }
    }
    let code = ShadowCode(library: library, scope: LoopScope(entryOf: program, target: target), windows: windows)
    entry = try code.block(program.entry)
  }

  /// Runs the entry; the outputs' bytes by name. Throws a `LoopFault`, or `ShadowTimeout` after `budget` statements.
  @discardableResult
  func run(_ inputs: [String: [UInt8]], budget: Int) throws -> [String: [UInt8]] {
    machine.run = 0
    machine.steps = budget
    for buffer in buffers {
      let name = buffer.declaration.name
      switch buffer.declaration.storage {
      case .input, .weights:
        guard let bytes = inputs[name] ?? program.constants[name], bytes.count == buffer.declaration.byteCount else {
          throw Diagnostic("nothing was given for \(name)")
        }
        buffer.reset(to: bytes, isWritten: true)
      case .output, .arena, .scratch:
        buffer.reset(to: [UInt8](repeating: 0xA5, count: buffer.declaration.byteCount), isWritten: false)
      }
    }
    for step in entry { try step() }
    var outputs: [String: [UInt8]] = [:]
    for buffer in buffers where buffer.declaration.storage == .output {
      if let element = buffer.firstUnwritten {
        throw LoopFault(kind: .unwrittenOutput, details: "\(buffer.declaration.name)[\(element)]")
      }
      outputs[buffer.declaration.name] = buffer.bytes
    }
    return outputs
  }
}
