import IR

/// The means over the lists of a hypergraph, pixels of each hyperedge or hyperedges of each pixel, over channels-last
/// features: (sum + missing * last) / longest, so what pads a list is never gathered.
///
/// Lists are rows or columns of the links, one byte for each pixel and hyperedge. Few of them count; for each that
/// does, features are added, in the order of the list.
struct IncidenceMeanFunctions {
  let target: IncidenceMean.Target
  let nodes: Int
  let hyperedges: Int
  /// Elements from one pixel or hyperedge to the next.
  let stride: Int
  /// The factor of an image of the result's shape that is added; nil if there is none.
  let ownFactor: Double?
  /// Lists that one call makes.
  let listsPerCall: Int
  let lanes: Int
  /// Vectors of channels in registers at a time.
  let width: Int

  private var type: LoopType { LoopType(.f32, lanes: lanes) }
  private var vectors: Int { stride / lanes }

  init(
    target: IncidenceMean.Target, nodes: Int, hyperedges: Int, stride: Int, ownFactor: Double?, listsPerCall: Int,
    machine: Target
  ) {
    self.target = target
    self.nodes = nodes
    self.hyperedges = hyperedges
    self.stride = stride
    self.ownFactor = ownFactor
    self.listsPerCall = listsPerCall
    lanes = machine.lanes
    // Sums, and as much room again for what is added.
    let panels = ceilDivide(stride / machine.lanes, max(1, machine.registers / 2))
    width = ceilDivide(stride / machine.lanes, panels)
  }

  var lists: Int { target == .hyperedges ? hyperedges : nodes }
  /// Members of the longest list there could be.
  private var length: Int { target == .hyperedges ? nodes : hyperedges }
  private var linkCount: Int { nodes * hyperedges }
  private var name: String {
    "\(target == .hyperedges ? "hyperedge" : "node")_p\(nodes)_k\(hyperedges)"
  }

  /// The links of an image. A list of hyperedge k is its column k, a pixel's its row.
  private func links(_ count: Int) -> LoopParameter {
    LoopParameter("links", .view(.read, .u8, count: count, range: 0...2))
  }

  private func link(_ list: LoopIndex, _ place: LoopIndex) -> LoopIndex {
    target == .hyperedges ? place * hyperedges + list : list * hyperedges + place
  }

  /// Whether a link counts: a pixel may read a hyperedge without being its member.
  private func counts(_ link: LoopValue) -> LoopValue {
    target == .hyperedges
      ? .compare(.equal, link, .constant(1, LoopType(.u8))) : .compare(.notEqual, link, .constant(0, LoopType(.u8)))
  }

  /// Adds the function that measures an image's lists, and the longest so far; returns its call.
  func lengths(
    in program: inout ProgramBuilder
  ) -> (_ links: LoopArgument, _ lengths: LoopArgument, _ longest: LoopArgument) -> LoopStatement {
    let name = program.function(
      "incidence_lengths_\(name)",
      [
        links(linkCount), .output("lengths", count: lists),
        LoopParameter("longest", .view(.readWrite, .f32, count: 1, range: nil)),
      ]
    ) { builder in
      let most = builder.register("most", .f32, .load("longest", 0, .f32))
      builder.loop("list", 0, .constant(lists)) { builder, list in
        let count = builder.register("count", .i32, .constant(0, .i32))
        builder.loop("place", 0, .constant(length)) { builder, place in
          let isListed = counts(.load("links", link(list, place), LoopType(.u8)))
          builder.assign(count, .variable(count) + .select(isListed, .constant(1, .i32), .constant(0, .i32)))
        }
        let length = builder.let("length", .f32, .convert(.variable(count), .f32, saturating: false))
        builder.store("lengths", list, length)
        builder.assign(most, .maximum(length, .variable(most)))
      }
      builder.store("longest", 0, .variable(most))
    }
    return { .call(name, [$0, $1, $2]) }
  }

  /// What a call reads and writes.
  struct MeanArguments {
    var image: LoopArgument
    /// For hyperedges all links of the image, for pixels those of the lists alone.
    var links: LoopArgument
    var lengths: LoopArgument
    var longest: LoopArgument
    /// The image that is added, if there is one.
    var own: LoopArgument?
    var output: LoopArgument
    /// The number of the first list; needed for hyperedges only.
    var first: LoopIndex
  }

  /// Adds the function that computes `listsPerCall` means; returns its call.
  func means(in program: inout ProgramBuilder) -> (MeanArguments) -> LoopStatement {
    let name = function(in: &program)
    let isColumn = target == .hyperedges
    return { arguments in
      .call(
        name,
        [arguments.image, arguments.links, arguments.lengths, arguments.longest]
          + (arguments.own.map { [$0] } ?? []) + [arguments.output] + (isColumn ? [.index(arguments.first)] : []))
    }
  }

  private func function(in program: inout ProgramBuilder) -> String {
    let isColumn = target == .hyperedges
    let resultCount = listsPerCall * stride
    var parameters: [LoopParameter] = [
      .input("input", count: length * stride), links(isColumn ? linkCount : listsPerCall * hyperedges),
      .input("lengths", count: listsPerCall), .input("longest", count: 1),
    ]
    if ownFactor != nil { parameters.append(.input("own", count: resultCount)) }
    parameters.append(.output("output", count: resultCount))
    if isColumn { parameters.append(LoopParameter("first", .index(0...(lists - listsPerCall)))) }
    let suffix = ownFactor == nil ? "" : "_add"
    return program.function("incidence_mean_\(name)_c\(stride)\(suffix)", parameters) { builder in
      builder.loop("list", 0, .constant(listsPerCall)) { builder, list in
        let longest = builder.let("most", .f32, .load("longest", 0, .f32))
        let missing = builder.let("missing", .f32, longest - .load("lengths", list, .f32))
        builder.loop("panel", 0, .constant(vectors / width)) { builder, panel in
          mean(&builder, list: list, vector: panel * width, width: width, missing: missing, longest: longest)
        }
        let rest = vectors % width
        if rest > 0 {
          mean(
            &builder, list: list, vector: .constant(vectors - rest), width: rest, missing: missing, longest: longest)
        }
      }
    }
  }

  private func mean(
    _ builder: inout LoopBuilder, list: LoopIndex, vector: LoopIndex, width: Int, missing: LoopValue,
    longest: LoopValue
  ) {
    func features(_ place: LoopIndex, _ index: Int) -> LoopValue {
      .load("input", place * stride + vector * lanes + .constant(index * lanes), type)
    }
    let sums = (0..<width).map { builder.register("sum_\($0)", type, .f32(0, lanes: lanes)) }
    let row = target == .hyperedges ? .variable("first") + list : list
    builder.loop("place", 0, .constant(length)) { builder, place in
      builder.ifValue(counts(.load("links", link(row, place), LoopType(.u8)))) { builder in
        for (index, sum) in sums.enumerated() { builder.assign(sum, .variable(sum) + features(place, index)) }
      }
    }
    let lacking = builder.let("lacking", type, splat(missing))
    let all = builder.let("all", type, splat(longest))
    for (index, sum) in sums.enumerated() {
      let padded = LoopValue.fma(lacking, features(.constant(length - 1), index), .variable(sum))
      var value = builder.let("mean", type, padded / all)
      let place = list * stride + vector * lanes + .constant(index * lanes)
      if let ownFactor {
        value = .fma(.load("own", place, type), .f32(ownFactor, lanes: lanes), value)
      }
      builder.store("output", place, value)
    }
  }

  private func splat(_ value: LoopValue) -> LoopValue { lanes == 1 ? value : .splat(value, lanes: lanes) }
}
