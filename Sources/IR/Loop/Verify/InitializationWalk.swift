/// One walk over the entry or a function, with what is written for certain; see `Initialization`.
struct InitializationWalk {
  /// An open loop that is taken as a dimension, and what its rounds have written so far.
  struct OpenLoop {
    var dimension: LoopDimension
    var writes: [ElementRegion] = []
  }

  /// What is written for certain.
  struct Written {
    /// Before the outermost open loop began.
    var sets: [String: ElementSet] = [:]
    /// The same as regions, for the callers of a function.
    var regions: Set<ElementRegion> = []
    var loops: [OpenLoop] = []

    /// What is written in both of two branches.
    func intersection(_ other: Written) -> Written {
      var both = Written()
      for (root, set) in sets { both.sets[root] = other.sets[root].map { set.intersection($0) } }
      both.regions = regions.intersection(other.regions)
      both.loops = zip(loops, other.loops).map { mine, theirs in
        var loop = mine
        loop.writes.removeAll { !theirs.writes.contains($0) }
        return loop
      }
      return both
    }
  }

  /// The most runs of elements that one region may be split into.
  static let mostRuns = 1 << 18

  let function: String
  let isEntry: Bool
  /// Elements of each buffer or view.
  let counts: [String: Int]
  /// Roots whose contents need not be written: inputs and weights.
  let given: Set<String>
  private let scratch: Set<String>
  var written = Written()
  /// For each root, the loops and parameters that could show more stores to be certain.
  var causes: [String: Initialization.Causes] = [:]
  /// Roots stored to, certain or not, since a branch began.
  private var touched: Set<String> = []
  var indices: [String: DimensionIndex] = [:]
  /// `let` masks of the first so many lanes.
  var masks: [String: DimensionIndex] = [:]
  /// Lanes of `let`s and registers.
  var lanes: [String: Int] = [:]
  private var needs: Set<ElementRegion> = []
  var path: [LoopStatement] = []
  /// Every dimension so far, by its number.
  var dimensions: [LoopDimension] = []
  private(set) var failures: [Initialization.Failure] = []

  init(entryOf program: LoopProgram) {
    function = ""
    isEntry = true
    counts = Dictionary(program.buffers.map { ($0.name, $0.count) }, uniquingKeysWith: { first, _ in first })
    given = Set(program.buffers.filter { $0.storage == .input || $0.storage == .weights }.map(\.name))
    scratch = Set(program.buffers.filter { $0.storage == .scratch }.map(\.name))
  }

  /// - Parameter values: of index parameters, in order of all parameters; nil if any in range is meant.
  init(bodyOf function: LoopFunction, _ values: [Int?]) {
    self.function = function.name
    isEntry = false
    (given, scratch) = ([], [])
    var counts: [String: Int] = [:]
    for (parameter, value) in zip(function.parameters, values) {
      switch parameter.kind {
      case .view(_, _, let count, range: _): counts[parameter.name] = count
      case .index(let range):
        indices[parameter.name] =
          value.map { DimensionIndex($0) }
          ?? DimensionIndex(in: range, causes: [LoopName(function: function.name, variable: parameter.name)])
      }
    }
    self.counts = counts
  }

  /// What a function that was walked needs and does.
  var summary: Initialization.Summary {
    var writes: [ElementRegion] = []
    for (root, set) in written.sets {
      let regions = written.regions.filter { $0.root == root }
      var all = ElementSet()
      for region in regions { all.formUnion(region.elements(most: Self.mostRuns) ?? ElementSet()) }
      writes +=
        all == set && regions.count <= set.runs.count + 16
        ? Array(regions)
        : set.runs.map { ElementRegion(root: root, constant: $0.lowerBound, terms: [], width: $0.count) }
    }
    var reads = Array(needs)
    if needs.count > 64 {
      reads = Set(needs.map(\.root)).flatMap { root -> [ElementRegion] in
        var all = ElementSet()
        for need in needs where need.root == root { all.formUnion(need.elements(most: 4096) ?? ElementSet(need.hull)) }
        let runs = all.runs.count <= 64 ? all.runs : all.hull.map { [$0] } ?? []
        return runs.map { ElementRegion(root: root, constant: $0.lowerBound, terms: [], width: $0.count) }
      }
    }
    return Initialization.Summary(needs: reads, causes: causes, writes: writes)
  }

  // MARK: writing

  mutating func write(_ region: ElementRegion) {
    touched.insert(region.root)
    if !written.loops.isEmpty {
      if !written.loops[written.loops.count - 1].writes.contains(region) {
        written.loops[written.loops.count - 1].writes.append(region)
      }
    } else if let elements = region.elements(most: Self.mostRuns) {
      written.sets[region.root, default: ElementSet()].formUnion(elements)
      if !isEntry { written.regions.insert(region) }
    }
  }

  /// Notes a store that writes nothing for certain.
  mutating func mayWrite(_ root: String, _ causes: Initialization.Causes) {
    touched.insert(root)
    if !(causes.inexact.isEmpty && causes.open.isEmpty) { note(causes, root) }
  }

  private mutating func note(_ causes: Initialization.Causes, _ root: String) {
    self.causes[root] = self.causes[root].map { $0.union(causes) } ?? causes
  }

  /// Walks blocks of which one runs; what all of them write is written.
  mutating func walkOne(of blocks: [[LoopStatement]], because causes: Set<LoopName>, _ proof: inout Initialization) {
    let before = written
    let touchedBefore = touched
    touched = []
    var results: [Written] = []
    for block in blocks {
      written = before
      walk(block, &proof)
      results.append(written)
    }
    written = results.dropFirst().reduce(results.first ?? before) { $0.intersection($1) }
    for root in touched { mayWrite(root, Initialization.Causes(inexact: causes)) }
    touched.formUnion(touchedBefore)
  }

  /// A worker's scratch holds nothing that a round of a parallel loop may use.
  mutating func clearScratch() {
    for root in scratch {
      written.sets[root] = nil
      for place in written.loops.indices { written.loops[place].writes.removeAll { $0.root == root } }
    }
  }

  /// Closes the innermost open loop.
  mutating func closeLoop() {
    let loop = written.loops.removeLast()
    for region in loop.writes { write(region.closed(over: loop.dimension)) }
  }

  // MARK: reading

  /// Notes that elements have to be written at this point.
  mutating func require(
    _ region: ElementRegion, _ message: @autoclosure () -> String,
    _ causes: Initialization.Causes = Initialization.Causes()
  ) {
    if given.contains(region.root) || isCovered(region) { return }
    var all = causes.union(self.causes[region.root] ?? Initialization.Causes())
    var closed = region
    for loop in written.loops.reversed() {
      all.open.insert(loop.dimension.name)
      closed = closed.closed(over: loop.dimension)
    }
    if isEntry {
      failures.append(Initialization.Failure(message: message(), path: path, causes: all))
    } else {
      needs.insert(closed)
      note(all, region.root)
    }
  }

  private func isCovered(_ region: ElementRegion) -> Bool {
    let set = written.sets[region.root]
    if set == nil, !written.loops.contains(where: { $0.writes.contains { $0.root == region.root } }) { return false }
    var read = region
    for depth in stride(from: written.loops.count, through: 0, by: -1) {
      // The dimensions of the outermost `depth` loops are open in `read`: what the same rounds wrote has the same terms.
      var same = ElementSet()
      for loop in written.loops {
        for write in loop.writes where write.root == read.root && write.terms == read.terms {
          if let elements = write.elements(most: 4096) { same.formUnion(elements) }
        }
      }
      if !same.isEmpty, same.isSuperset(of: elements(of: read, clipped: false)) { return true }
      if depth > 0 { read = read.closed(over: written.loops[depth - 1].dimension) }
    }
    return set.map { $0.isSuperset(of: elements(of: read, clipped: true)) } ?? false
  }

  /// At least the elements of a region. Every access is proved inside its buffer, so what lies outside is never read.
  private func elements(of region: ElementRegion, clipped: Bool) -> ElementSet {
    let elements = region.elements(most: 4096) ?? ElementSet(region.hull)
    guard clipped, let count = counts[region.root] else { return elements }
    return elements.intersection(ElementSet(0..<count))
  }
}
