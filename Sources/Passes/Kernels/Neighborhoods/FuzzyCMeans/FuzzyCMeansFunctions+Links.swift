import IR

// After the rounds: which pixels are members of which hyperedges.
extension FuzzyCMeansFunctions {
  /// The least of the pixels' largest memberships, over the batch. Arguments: the memberships of all `images`, the least.
  func weakestFunction(images: Int, in program: inout ProgramBuilder) -> String {
    program.function(
      "fuzzy_weakest_p\(images * pixels)_k\(clustering.hyperedges)",
      [.input("memberships", count: images * membershipCount), .output("weakest", count: 1)]
    ) { builder in
      let least = builder.register("least", .f32, .f32(.infinity))
      builder.loop("pixel", 0, .constant(images * pixels)) { builder, pixel in
        let largest = self.largest(&builder, pixel)
        builder.assign(least, .minimum(largest, .variable(least)))
      }
      builder.store("weakest", 0, .variable(least))
    }
  }

  /// A byte for each pixel and hyperedge of an image, as `NeighborhoodType.storage` has them. Arguments: memberships,
  /// the weakest pixel's largest one, links, and the share if there are several.
  func linkFunction(in program: inout ProgramBuilder) -> String {
    let edges = clustering.hyperedges
    let byte = LoopType(.u8)
    return program.function(
      "fuzzy_links_\(pixelTiles.height)_p\(pixels)_k\(edges)",
      [
        .input("memberships", count: membershipCount), .input("weakest", count: 1),
        LoopParameter("links", .view(.write, .u8, count: pixels * edges, range: 0...2)),
      ] + pixelTiles.parameters
    ) { builder in
      let weak = LoopValue.f32(clustering.weakMembership)
      let someAreWeak = LoopValue.compare(.less, .load("weakest", 0, .f32), weak)
      let strong = builder.let(
        "strong", .f32,
        .select(someAreWeak, .f32(clustering.membershipBesideWeak), .f32(clustering.membershipOfMembers)))
      pixelTiles.loop(&builder) { builder, first, rows in
        builder.loop("row", 0, .constant(rows)) { builder, row in
          let pixel = first + row
          let largest = self.largest(&builder, pixel)
          let isWeak = builder.let("is_weak", .mask(lanes: 1), .compare(.less, largest, weak))
          // A weak pixel is a member of its nearest hyperedge; a pixel that is not a member of any hyperedge reads it.
          let threshold = builder.let("threshold", .f32, .select(isWeak, .f32(.infinity), strong))
          let nearest = builder.let("nearest", byte, .select(isWeak, .constant(1, byte), .constant(2, byte)))
          let found = builder.register(
            "found", .mask(lanes: 1), .compare(.greater, largest, threshold))
          builder.loop("edge", 0, .constant(edges)) { builder, edge in
            let value = builder.let("value", .f32, .load("memberships", pixel * rowCount + edge, .f32))
            let isFirst = builder.let(
              "is_first", .mask(lanes: 1),
              .binary(.and, .compare(.equal, value, largest), .unary(.not, .variable(found))))
            builder.assign(found, .binary(.or, .variable(found), isFirst))
            let other = LoopValue.select(isFirst, nearest, .constant(0, byte))
            let isMember = LoopValue.compare(.greater, value, threshold)
            builder.store("links", pixel * edges + edge, .select(isMember, .constant(1, byte), other))
          }
        }
      }
    }
  }

  /// A pixel's largest membership.
  private func largest(_ builder: inout LoopBuilder, _ pixel: LoopIndex) -> LoopValue {
    let largest = builder.register("largest", type, .f32(0, lanes: lanes))
    builder.loop("vector", 0, .constant(vectors)) { builder, vector in
      let value = LoopValue.load("memberships", pixel * rowCount + vector * lanes, type)
      builder.assign(largest, .maximum(value, .variable(largest)))
    }
    return builder.let("most", .f32, lanes == 1 ? .variable(largest) : .reduce(.maximum, .variable(largest)))
  }
}
