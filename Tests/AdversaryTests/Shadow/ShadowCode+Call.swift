import IR

extension ShadowCode {
  /// What a call passes for one view.
  private struct Passed {
    var window: ShadowWindow
    var access: LoopParameter.Access
  }

  mutating func compileCall(_ name: String, _ arguments: [LoopArgument]) throws {
    let function = try library.function(name)
    guard function.declaration.parameters.count == arguments.count else {
      throw Diagnostic("\(name) takes \(function.declaration.parameters.count) arguments")
    }
    var passed: [Passed] = []
    for (parameter, argument) in zip(function.declaration.parameters, arguments) {
      switch (parameter.kind, argument) {
      case (.index(let range), .index(let index)):
        guard let slot = function.indices[parameter.name] else { continue }
        let value = try compile(index)
        steps.append {
          let i = try value()
          guard range.contains(i) else {
            throw LoopFault(kind: .argument, details: "\(name) gets \(parameter.name) = \(i), outside \(range)")
          }
          slot.value = i
        }
      case (.view(let access, let element, let count, let range), .view(let buffer, let index)):
        guard let window = function.windows[parameter.name] else { continue }
        guard scope.buffers[buffer] == element else { throw Diagnostic("\(buffer) does not hold \(element)") }
        let (caller, offset) = (try self.window(buffer), try compile(index))
        passed.append(Passed(window: window, access: access))
        steps.append {
          let i = try offset()
          guard i >= 0, i + count <= caller.count else {
            throw LoopFault(
              kind: .argument, details: "\(name) gets \(count) elements from \(buffer)[\(i)] of \(caller.count)")
          }
          window.buffer = caller.buffer
          window.offset = caller.offset + i
          window.count = count
          window.stored = caller.stored + (range.map { [$0] } ?? [])
        }
      case (.index, .view), (.view, .index): throw Diagnostic("\(name) gets the wrong kind of \(parameter.name)")
      }
    }
    let (body, views) = (function.body, passed)
    steps.append {
      try Self.checkOverlaps(views, name)
      for step in body { try step() }
    }
  }

  /// A view that is written meets no other, unless it is the very same.
  private static func checkOverlaps(_ views: [Passed], _ name: String) throws {
    for (number, a) in views.enumerated() {
      for b in views[..<number] where a.window.buffer === b.window.buffer {
        let (x, y) = (a.window, b.window)
        if a.access == .read && b.access == .read { continue }
        if x.offset == y.offset && x.count == y.count { continue }
        if x.offset < y.offset + y.count && y.offset < x.offset + x.count {
          throw LoopFault(kind: .overlap, details: "\(name) gets \(x.name) and \(y.name)")
        }
      }
    }
  }
}
