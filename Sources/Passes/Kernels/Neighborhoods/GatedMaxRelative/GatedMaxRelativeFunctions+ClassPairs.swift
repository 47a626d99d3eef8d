import IR

/// Rolls that join all pixels of a class with each other. A class is the rows, or columns, that are a multiple of a
/// step apart; the step divides the side.
struct ResidueClasses: Hashable {
  enum Axis: String { case vertical, horizontal }

  var axis: Axis
  /// Rows or columns between neighbours of a class: how many classes there are.
  var step: Int
  /// Pixels of a class.
  var count: Int

  /// Most pixels of a class whose pairs are measured together: their distances then take 64 KiB.
  static let most = 128

  /// The numbers of a class's pixels.
  var members: ClosedRange<Int> { 0...(count - 1) }

  /// The classes of the axes that have rolls, vertical ones first; nil if a roll is along neither axis, if the rolls of
  /// an axis are not K, 2K, ... < N, each once, in any order, or if a class has more than `most` pixels.
  static func of(_ offsets: [Offset], height: Int, width: Int) -> [ResidueClasses]? {
    let wrapped = offsets.map { $0.wrapped(height: height, width: width) }
    guard wrapped.allSatisfy({ ($0.dy == 0) != ($0.dx == 0) }) else { return nil }
    var result: [ResidueClasses] = []
    for (axis, length) in [(Axis.vertical, height), (.horizontal, width)] {
      let displacements = wrapped.map { axis == .vertical ? $0.dy : $0.dx }.filter { $0 != 0 }
      guard !displacements.isEmpty else { continue }
      guard let step = MaxRelativeFunction.step(of: displacements, length: length), length % step == 0 else {
        return nil
      }
      result.append(ResidueClasses(axis: axis, step: step, count: length / step))
    }
    return result.isEmpty || result.contains { $0.count > most } ? nil : result
  }
}

/// One class after the other: its features are copied together, each of its pairs is measured once, and the neighbours
/// that a pixel's distances admit are listed before they are taken, so that there is no branch for each neighbour that
/// waits for its distance.
///
/// What is kept of a pixel between two axes is the extreme of its neighbours' features, not of the differences to them,
/// since rounding is monotone: max_j fl(x_j - x_i) = fl(max_j x_j - x_i), except for the sign of a zero. The classes of
/// the last axis subtract.
extension GatedMaxRelativeFunctions {
  /// Elements of a class's features.
  func classElements(_ classes: ResidueClasses) -> Int { classes.count * pixelStride }

  /// Elements from the distances of one member to those of the next: to all members, in whole vectors.
  private func distanceStride(_ classes: ResidueClasses) -> Int { roundUp(classes.count, toMultipleOf: lanes) }

  /// Elements of a class's distances, the square of its pixels: `ResidueClasses.most` bounds them.
  func distanceElements(_ classes: ResidueClasses) -> Int { classes.count * distanceStride(classes) }

  private func collector(_ classes: ResidueClasses) -> StreamCompaction {
    StreamCompaction(count: classes.count, lanes: lanes)
  }

  /// Elements of the list of a member's neighbours.
  func nearElements(_ classes: ResidueClasses) -> Int { collector(classes).room }

  /// What a call for one class reads and writes; features, distances and near are scratch.
  struct ClassArguments {
    var image: LoopArgument
    var limit: LoopArgument
    var output: LoopArgument
    var features: LoopArgument
    var distances: LoopArgument
    var near: LoopArgument
    /// The class's first pixel.
    var first: LoopIndex

    fileprivate var list: [LoopArgument] { [image, limit, output, features, distances, near, .index(first)] }
  }

  /// Adds the function that takes one class's pairs into the extremes of its pixels' neighbours; returns its call.
  /// - Parameters:
  ///   - isFirst: the output holds no extremes yet.
  ///   - isLast: the output becomes differences, at least `start`.
  func classCall(
    _ classes: ResidueClasses, isFirst: Bool, isLast: Bool, in program: inout ProgramBuilder
  ) -> (ClassArguments) -> LoopStatement {
    let pixelStep = classes.axis == .vertical ? classes.step * width : classes.step
    func floats(_ name: String, _ count: Int) -> LoopParameter {
      LoopParameter(name, .view(.readWrite, .f32, count: count, range: nil))
    }
    let parameters: [LoopParameter] = [
      .input("input", count: height * rowStep), limitParameter, floats("output", height * rowStep),
      floats("features", classElements(classes)), floats("distances", distanceElements(classes)),
      LoopParameter("near", .view(.readWrite, .i32, count: nearElements(classes), range: classes.members)),
      LoopParameter("first", .index(0...(pixels - 1 - (classes.count - 1) * pixelStep))),
    ]
    let name = program.function("gated_\(classes.axis)_class_\(shape)", parameters) { builder in
      func place(_ member: LoopIndex) -> LoopIndex { (.variable("first") + member * pixelStep) * pixelStride }
      builder.loop("member", 0, .constant(classes.count)) { builder, member in
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let own = member * pixelStride + vector * lanes
          builder.store("features", own, .load("input", place(member) + vector * lanes, type))
        }
      }
      measurePairs(&builder, classes)
      let limit = builder.let("limits", type, .splat(.load("limit", 0, .f32), lanes: lanes))
      builder.loop("member", 0, .constant(classes.count)) { builder, member in
        let near = listNear(&builder, classes, member, limit)
        takeNear(&builder, classes, member, near, at: place(member), isFirst: isFirst, isLast: isLast)
      }
    }
    return { .call(name, $0.list) }
  }

  /// Measures each pair once, two members against two, and writes its distance to both. The second of two is once
  /// measured against itself too; that distance is then set to infinity.
  private func measurePairs(_ builder: inout LoopBuilder, _ classes: ResidueClasses) {
    let (count, stride) = (classes.count, distanceStride(classes))
    let far = LoopValue.f32(.infinity, lanes: lanes)
    builder.loop("vector", 0, .constant(count * stride / lanes)) { builder, vector in
      builder.store("distances", vector * lanes, far)
    }
    func measure(_ builder: inout LoopBuilder, _ rows: [LoopIndex], _ columns: [LoopIndex]) {
      let found = distances(
        &builder, "features", rows.map { $0 * pixelStride }, columns.map { $0 * pixelStride })
      for (row, found) in zip(rows, found) {
        for (column, distance) in zip(columns, found) {
          builder.store("distances", row * stride + column, distance)
          builder.store("distances", column * stride + row, distance)
        }
      }
    }
    builder.loop("member", 0, .constant(count - 1), step: 2) { builder, first in
      let rows = [first, first + 1]
      builder.loop("other", first + 1, .constant(count - 1), step: 2) { builder, other in
        measure(&builder, rows, [other, other + 1])
      }
      // With an even number of members one is left over in every row.
      if count.isMultiple(of: 2) { measure(&builder, rows, [.constant(count - 1)]) }
      // The second member's distance to itself has overwritten the initial infinity.
      builder.store("distances", (first + 1) * stride + first + 1, .f32(.infinity))
    }
  }

  /// Lists the members that `member`'s distances admit; returns how many.
  private func listNear(
    _ builder: inout LoopBuilder, _ classes: ResidueClasses, _ member: LoopIndex, _ limit: LoopValue
  ) -> LoopIndex {
    let collector = collector(classes)
    let taken = collector.counter(&builder)
    collector.collect(&builder, behind: taken) { _, vector, numbers in
      let distances = LoopValue.load("distances", member * distanceStride(classes) + vector * lanes, type)
      return StreamCompaction.Wanted(mask: .compare(.less, distances, limit), kept: [("near", numbers)])
    }
    return collector.end(&builder, taken)
  }

  private func farther(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
    selfMinusNeighbor ? .minimum(a, b) : .maximum(a, b)
  }

  /// Writes the extremes of the listed members' features, with what the output holds of other axes, or the difference to them.
  private func takeNear(
    _ builder: inout LoopBuilder, _ classes: ResidueClasses, _ member: LoopIndex, _ count: LoopIndex,
    at place: LoopIndex, isFirst: Bool, isLast: Bool
  ) {
    let none = LoopValue.f32(selfMinusNeighbor ? .infinity : -.infinity, lanes: lanes)
    func take(_ builder: inout LoopBuilder, _ group: LoopIndex, width: Int) {
      let vectors = (0..<width).map { group + .constant($0 * lanes) }
      func feature(_ member: LoopIndex, _ vector: LoopIndex) -> LoopValue {
        .load("features", member * pixelStride + vector, type)
      }
      let extremes = vectors.map {
        builder.register("extreme", type, isFirst ? none : .load("output", place + $0, type))
      }
      builder.loop("slot", 0, count) { builder, slot in
        let other = builder.letIndex("neighbor", range: classes.members, .load("near", slot, .i32))
        for (vector, extreme) in zip(vectors, extremes) {
          builder.assign(extreme, farther(feature(other, vector), .variable(extreme)))
        }
      }
      // A neighbour that is not admitted contributes 0, which does not change a maximum that starts at 0. Among
      // extremes, that 0 is the pixel itself.
      if start != 0 {
        builder.ifIndex([LoopComparison(count, .less, .constant(classes.count - 1))]) { builder in
          for (vector, extreme) in zip(vectors, extremes) {
            builder.assign(extreme, farther(feature(member, vector), .variable(extreme)))
          }
        }
      }
      for (vector, extreme) in zip(vectors, extremes) {
        let value = isLast ? difference(feature(member, vector), .variable(extreme)) : .variable(extreme)
        builder.store("output", place + vector, value)
      }
    }
    // Groups of vectors, as equal as possible, that leave enough registers for what is loaded.
    let width = ceilDivide(vectors, ceilDivide(vectors, 12))
    builder.loop("group", 0, .constant(vectors / width)) { builder, group in
      take(&builder, group * (width * lanes), width: width)
    }
    let rest = vectors % width
    if rest > 0 { take(&builder, .constant((vectors - rest) * lanes), width: rest) }
  }

  private func difference(_ own: LoopValue, _ extreme: LoopValue) -> LoopValue {
    let difference = selfMinusNeighbor ? own - extreme : extreme - own
    return start.map { .maximum(difference, .f32($0, lanes: lanes)) } ?? difference
  }
}
