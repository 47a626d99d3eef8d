import IR

/// Rolls that join all pixels of a class with each other: rows, or columns, that are a multiple of a step apart, where the
/// step divides the side.
struct ResidueClasses: Hashable {
  enum Axis: String { case vertical, horizontal }

  var axis: Axis
  /// Rows or columns between neighbours of a class: how many classes there are.
  var step: Int
  /// Pixels of a class.
  var count: Int

  /// The numbers of a class's pixels.
  var members: ClosedRange<Int> { 0...(count - 1) }

  /// The classes of the axes that have rolls, vertical ones first; nil where some roll is along none, or where the rolls of
  /// an axis are not all K, 2K, ... < N, each once, in any order.
  static func of(_ offsets: [Offset], height: Int, width: Int) -> [ResidueClasses]? {
    let wrapped = offsets.map { $0.wrapped(height: height, width: width) }
    guard wrapped.allSatisfy({ ($0.dy == 0) != ($0.dx == 0) }) else { return nil }
    var result: [ResidueClasses] = []
    for (axis, length) in [(Axis.vertical, height), (.horizontal, width)] {
      let displacements = wrapped.map { axis == .vertical ? $0.dy : $0.dx }.filter { $0 != 0 }
      guard !displacements.isEmpty else { continue }
      guard let step = MaxRelativeKernel.step(of: displacements, length: length), length % step == 0 else { return nil }
      result.append(ResidueClasses(axis: axis, step: step, count: length / step))
    }
    return result.isEmpty ? nil : result
  }
}

/// One class after the other: its features are copied together, each of its pairs is measured once, and the neighbours that
/// a pixel's distances admit are listed before they are taken, so that no branch waits for a distance.
///
/// What is kept of a pixel is the extreme of its neighbours' features, not of the differences to them, since rounding is
/// monotone: max_j fl(x_j - x_i) = fl(max_j x_j - x_i), but for the sign of a zero. The classes of the last axis subtract.
extension GatedMaxRelativeKernel {
  /// Distances measured at a time.
  private var together: Int { 4 }

  /// Elements of the features, and of the extremes, of a class.
  func classElements(_ classes: ResidueClasses) -> Int { classes.count * pixelStride }

  /// Takes one class's pairs into the extremes of its pixels' neighbours.
  ///
  /// Arguments: the image, the limit, the output, scratch (features, extremes, members), the class's first pixel.
  /// - Parameters:
  ///   - isFirst: the output holds no extremes yet.
  ///   - isLast: the output becomes differences, at least `start`.
  func classFunction(
    _ classes: ResidueClasses, isFirst: Bool, isLast: Bool, in program: inout ProgramBuilder
  ) -> String {
    let size = classElements(classes)
    let pixelStep = classes.axis == .vertical ? classes.step * width : classes.step
    let parameters: [LoopParameter] = [
      .input("input", count: height * rowStep), limitParameter,
      LoopParameter("output", .view(.readWrite, .f32, count: height * rowStep, range: nil)),
      LoopParameter("features", .view(.readWrite, .f32, count: size, range: nil)),
      LoopParameter("extremes", .view(.readWrite, .f32, count: size, range: nil)),
      LoopParameter("near", .view(.readWrite, .i32, count: classes.count, range: classes.members)),
      LoopParameter("first", .index(0...(pixels - 1 - (classes.count - 1) * pixelStep))),
    ]
    return program.function("gated_\(classes.axis)_class_\(shape)", parameters) { builder in
      func pixel(_ member: LoopIndex) -> LoopIndex { .variable("first") + member * pixelStep }
      /// Each vector of the class: its place in the class, and in the image.
      func vectors(
        _ builder: inout LoopBuilder, _ write: (inout LoopBuilder, _ own: LoopIndex, _ image: LoopIndex) -> Void
      ) {
        builder.loop("member", 0, .constant(classes.count)) { builder, member in
          builder.loop("vector", 0, .constant(self.vectors)) { builder, vector in
            write(&builder, member * pixelStride + vector * lanes, pixel(member) * pixelStride + vector * lanes)
          }
        }
      }
      vectors(&builder) { builder, own, image in
        builder.store("features", own, .load("input", image, type))
        let none = LoopValue.f32(selfMinusNeighbor ? .infinity : -.infinity, lanes: lanes)
        builder.store("extremes", own, isFirst ? none : .load("output", image, type))
      }
      builder.loop("member", 0, .constant(classes.count)) { builder, member in
        let near = listNear(&builder, classes, member)
        takeNear(&builder, classes, member, count: near)
      }
      vectors(&builder) { builder, own, image in
        builder.store("output", image, isLast ? difference(own) : .load("extremes", own, type))
      }
    }
  }

  private func difference(_ place: LoopIndex) -> LoopValue {
    let (own, extreme) = (LoopValue.load("features", place, type), LoopValue.load("extremes", place, type))
    let difference = selfMinusNeighbor ? own - extreme : extreme - own
    return start.map { .maximum(difference, .f32($0, lanes: lanes)) } ?? difference
  }

  private func farther(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
    selfMinusNeighbor ? .minimum(a, b) : .maximum(a, b)
  }

  /// Lists the members behind `member` that its distances admit; returns how many.
  private func listNear(_ builder: inout LoopBuilder, _ classes: ResidueClasses, _ member: LoopIndex) -> LoopIndex {
    let last = classes.count - 1
    let limit = builder.let("limit_value", .f32, .load("limit", 0, .f32))
    let taken = builder.register("taken", .i32, range: 0...last, .constant(0, .i32))
    func list(_ builder: inout LoopBuilder, _ others: [LoopIndex]) {
      let distances = distances(&builder, "features", member * pixelStride, others.map { $0 * pixelStride })
      for (other, distance) in zip(others, distances) {
        let isNear = builder.let("is_near", .mask(lanes: 1), .compare(.less, distance, limit))
        append(&builder, other, isNear, to: taken, last: last)
        pass(&builder, isNear, [member, other])
      }
    }
    let rest = member + 1 + (.constant(last) - member) / together * together
    builder.loop("others", member + 1, .constant(classes.count - together + 1), step: together) { builder, first in
      list(&builder, (0..<together).map { first + .constant($0) })
    }
    builder.loop("other", rest, .constant(classes.count)) { builder, other in list(&builder, [other]) }
    return builder.letIndex("found", range: 0...last, .variable(taken))
  }

  /// Writes a member behind those listed before it; where it is not near itself, the next is written over it.
  private func append(
    _ builder: inout LoopBuilder, _ member: LoopIndex, _ isNear: LoopValue, to taken: String, last: Int
  ) {
    // The bounds change nothing: they are what proves that a member is one, and that there is room for it.
    builder.store(
      "near", builder.letIndex("place", range: 0...last, .variable(taken)),
      .index(.minimum(member, .constant(last)), .i32, step: 0))
    let next = LoopValue.variable(taken) + .select(isNear, .constant(1, .i32), .constant(0, .i32))
    builder.assign(taken, .minimum(next, .constant(Double(last), .i32)))
  }

  /// A neighbour that is not admitted contributes 0, which a maximum that starts at 0 has seen; among extremes, 0 is the
  /// pixel itself.
  private func pass(_ builder: inout LoopBuilder, _ isNear: LoopValue, _ pair: [LoopIndex]) {
    if start == 0 { return }
    builder.ifValue(isNear) { _ in
    } else: { builder in
      for member in pair {
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let place = member * pixelStride + vector * lanes
          builder.store("extremes", place, farther(.load("features", place, type), .load("extremes", place, type)))
        }
      }
    }
  }

  /// Takes the listed members' features into the extremes of `member`, and its own into theirs.
  private func takeNear(
    _ builder: inout LoopBuilder, _ classes: ResidueClasses, _ member: LoopIndex, count: LoopIndex
  ) {
    // As many vectors at a time as leave registers for the others: features and extremes of each.
    let width = (1...4).last { vectors % $0 == 0 } ?? 1
    builder.loop("group", 0, .constant(vectors / width)) { builder, group in
      let places = (0..<width).map { group * (width * lanes) + .constant($0 * lanes) }
      func load(_ buffer: String, _ member: LoopIndex, _ place: LoopIndex) -> LoopValue {
        .load(buffer, member * pixelStride + place, type)
      }
      let own = places.map { builder.let("own", type, load("features", member, $0)) }
      let extremes = places.map { builder.register("extreme", type, load("extremes", member, $0)) }
      builder.loop("slot", 0, count) { builder, slot in
        let other = builder.letIndex("neighbor", range: 0...(classes.count - 1), .load("near", slot, .i32))
        for (place, (own, extreme)) in zip(places, zip(own, extremes)) {
          builder.assign(extreme, farther(load("features", other, place), .variable(extreme)))
          builder.store("extremes", other * pixelStride + place, farther(own, load("extremes", other, place)))
        }
      }
      for (place, extreme) in zip(places, extremes) {
        builder.store("extremes", member * pixelStride + place, .variable(extreme))
      }
    }
  }
}
