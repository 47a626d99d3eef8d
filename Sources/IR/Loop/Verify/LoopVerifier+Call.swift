// Calls: each argument against the parameter's declaration, and the arguments against each other.

extension LoopVerifier {
  /// What a call passes for one view parameter.
  private struct PassedView {
    var name: String
    var view: LoopView
    var offset: AffineIndex
    var count: Int
    var access: LoopParameter.Access
  }

  mutating func verifyCall(
    _ name: String, _ arguments: [LoopArgument], in place: LoopPlace, around: LoopSurroundings
  ) {
    guard let function = functions[name] else {
      let close = nearest(to: name, among: functions.keys.sorted())
      return report("no function is called \(name)", notes: close.map { "did you mean \($0)?" })
    }
    guard function.parameters.count == arguments.count else {
      return report("\(name) takes \(function.parameters.count) arguments, found \(arguments.count)")
    }
    if around.isInParallelLoop, parallelFunctions.contains(name) {
      report("parallel loops do not nest, and \(name) has one inside")
    }
    var passed: [PassedView] = []
    for (parameter, argument) in zip(function.parameters, arguments) {
      switch (parameter.kind, argument) {
      case (.index(let range), .index(let index)):
        guard verify(index, in: place), let form = place.form(of: index) else { continue }
        if !place.analysis.proves(form, in: range) {
          report(
            "\(name) takes \(parameter.name) in \(range.lowerBound)..\(range.upperBound), found \(index)",
            notes: [describe(form, in: place)])
        }
      case (.view(let access, let element, let count, let range), .view(let buffer, let index)):
        guard let view = place.views[buffer] else {
          report("no buffer is called \(buffer)")
          continue
        }
        verify(view, called: buffer, for: parameter, access, element, LoopPlace.range(element, range))
        if view.isScratch, parallelFunctions.contains(name) {
          report("\(name) has a parallel loop, and \(buffer) is scratch, which is each worker's own")
        }
        guard verify(index, in: place), let offset = place.form(of: index) else { continue }
        let room = AffineIndex(view.count) - offset
        if !(place.analysis.proves(nonNegative: offset) && place.analysis.proves(nonNegative: room - count)) {
          report(
            "\(name) takes \(count) elements as \(parameter.name), "
              + "not proved to be in \(buffer)[\(index)] of \(view.count)",
            notes: [describe(offset, in: place)])
        }
        passed.append(PassedView(name: buffer, view: view, offset: offset, count: count, access: access))
      case (.index, .view(let buffer, _)): report("\(name) takes an index as \(parameter.name), found &\(buffer)")
      case (.view, .index(let index)): report("\(name) takes a view as \(parameter.name), found the index \(index)")
      }
    }
    verifyOverlaps(of: passed, in: function, place)
  }

  private mutating func verify(
    _ view: LoopView, called buffer: String, for parameter: LoopParameter, _ access: LoopParameter.Access,
    _ element: ElementType, _ range: IndexRange?
  ) {
    guard view.element == element else {
      return report("\(parameter.name) views \(element.rawValue), and \(buffer) holds \(view.element.rawValue)")
    }
    let reads = access != .write
    let writes = access != .read
    if writes && !view.isWritable { report("\(buffer) is read only and is passed as the written \(parameter.name)") }
    if reads && !view.isReadable { report("\(buffer) is an out parameter and is passed as the read \(parameter.name)") }
    guard let range, let held = view.range else { return }
    if reads && !range.contains(held) {
      report("\(parameter.name) expects \(range.low)..\(range.high), and \(buffer) holds \(held.low)..\(held.high)")
    }
    if writes && !held.contains(range) {
      report("\(buffer) holds \(held.low)..\(held.high), and \(parameter.name) may get \(range.low)..\(range.high)")
    }
  }

  private mutating func verifyOverlaps(of passed: [PassedView], in function: LoopFunction, _ place: LoopPlace) {
    let isLeaf =
      !parallelFunctions.contains(function.name) && function.body.allSatisfy { $0.callees.isEmpty }
    for (index, a) in passed.enumerated() {
      for b in passed[..<index] where a.name == b.name && (a.access != .read || b.access != .read) {
        let isSame = a.offset == b.offset && !a.offset.isUnknown && a.count == b.count
        if isSame && isLeaf { continue }
        if place.analysis.proves(nonNegative: b.offset - a.offset - a.count) { continue }
        if place.analysis.proves(nonNegative: a.offset - b.offset - b.count) { continue }
        report(
          isSame
            ? "\(function.name) gets \(a.name) twice and writes it; only a function without calls and parallel loops may"
            : "\(function.name) gets two views of \(a.name) that may overlap, and writes one")
      }
    }
  }
}
