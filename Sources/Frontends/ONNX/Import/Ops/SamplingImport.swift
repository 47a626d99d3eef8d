import IR

// Reading between elements, at points that the model computes.

let samplingOperators: [ImportedOperator] = [
  .composed("GridSample", "more than three spatial axes") { builder, call in
    let modes: [String: GridSample.Mode] = [
      "nearest": .nearest, "linear": .linear, "bilinear": .linear, "cubic": .cubic, "bicubic": .cubic,
    ]
    let mode = try call.attributes.string("mode") ?? "linear"
    guard let known = modes[mode] else { throw Diagnostic("there is no mode '\(mode)'") }
    let text = try call.attributes.string("padding_mode") ?? "zeros"
    guard let padding = GridSample.Padding(rawValue: text) else {
      throw Diagnostic("there is no 'padding_mode' of '\(text)'")
    }
    let op = GridSample(
      mode: known, padding: padding, alignCorners: try call.attributes.flag("align_corners") ?? false)
    return [try builder.apply(op, [call.input(0), call.input(1)])]
  },
  .composed("AffineGrid", "a size that depends on the input") { builder, call in
    let alignsCorners = try call.attributes.flag("align_corners") ?? false
    let theta = try builder.type(of: call.input(0))
    guard let size = try call.integers(1, "the size"), size.count == 4 || size.count == 5,
      product(size) != nil, theta.shape == [size[0], size.count - 2, size.count - 1]
    else { throw Diagnostic("its matrices are \(theta); they must be [N, k, k + 1] for a size of N, C and k axes") }
    let spatial = Array(size[2...])
    // Every point: its coordinates, last axis first, and a 1.
    let axes = spatial.map { extent in
      (0..<extent).map { place -> Double in
        if alignsCorners { return extent > 1 ? 2 * Double(place) / Double(extent - 1) - 1 : -1 }
        return (2 * Double(place) + 1) / Double(extent) - 1
      }
    }
    guard let count = product(spatial), count <= KnownArithmetic.mostElements else {
      throw Diagnostic("its grid has too many points")
    }
    let strides = KnownArithmetic.strides(spatial)
    let points = (0..<count).flatMap { point -> [Double] in
      let coordinates = spatial.indices.reversed().map { axes[$0][point / strides[$0] % spatial[$0]] }
      return coordinates + [1]
    }
    let base = builder.numbers(points, shape: [1, count, size.count - 1], theta.element)
    let matrices = try builder.permuted(call.input(0), [0, 2, 1])
    let repeated = try builder.node("Expand", base, builder.integers([size[0], count, size.count - 1]))
    return [
      try builder.shaped(builder.node("MatMul", repeated, matrices), [size[0]] + spatial + [size.count - 2])
    ]
  },
  .composed("DeformConv", "signals and volumes") { builder, call in
    let x = try spatial(builder, call)
    let weight = try builder.type(of: call.input(1))
    guard x.rank == 4, weight.rank == 4 else {
      throw Diagnostic("it runs over \(x) with \(weight), and not over images")
    }
    let kernel = Array(weight.shape[2...])
    if let given = try call.attributes.integers("kernel_shape"), given != kernel {
      throw Diagnostic("its 'kernel_shape' is \(given), and its weight \(weight)")
    }
    let window = try Window(call, kernel: kernel, over: Array(x.shape[2...]))
    let groups = try call.attributes.integer("group") ?? 1
    let parts = try call.attributes.integer("offset_group") ?? 1
    guard let rows = window.count(0, extent: x.shape[2], roundsUp: false),
      let columns = window.count(1, extent: x.shape[3], roundsUp: false)
    else { throw Diagnostic("its window is larger than \(x), padding included") }
    let taps = kernel[0] * kernel[1]
    let (images, channels) = (x.shape[0], x.shape[1])
    let offsets = try builder.type(of: call.input(2))
    guard parts >= 1, channels % parts == 0, offsets.shape == [images, parts * taps * 2, rows, columns] else {
      throw Diagnostic(
        "its offsets are \(offsets); they must be [\(images), \(parts) * \(taps) * 2, \(rows), \(columns)]")
    }
    _ = try knownExtents([taps, rows, columns, 2])
    // Where each tap lies without an offset, as coordinates from -1 to 1 of the outer edges, last axis first.
    let places = [rows, columns]
    func coordinate(_ place: Double, _ axis: Int) -> Double { (2 * place + 1) / Double(x.shape[axis + 2]) - 1 }
    var base: [Double] = []
    for ky in 0..<kernel[0] {
      for kx in 0..<kernel[1] {
        for y in 0..<places[0] {
          for x1 in 0..<places[1] {
            base.append(
              coordinate(Double(x1 * window.strides[1] + kx * window.dilation[1] - window.before[1]), 1))
            base.append(coordinate(Double(y * window.strides[0] + ky * window.dilation[0] - window.before[0]), 0))
          }
        }
      }
    }
    let apart = try builder.shaped(call.input(2), [images * parts, taps, 2, rows, columns])
    // Rows come first among the offsets, and columns in a grid.
    let moved = try builder.permuted(apart, [0, 1, 3, 4, 2])
    let swapped = try slicedAlong(&builder, moved, axis: 4, from: 1, to: -3, step: -1)
    let scales = builder.numbers(
      [2 / Double(x.shape[3]), 2 / Double(x.shape[2])], shape: [2], x.element)
    let grid = try builder.node(
      "Add", builder.node("Mul", swapped, scales),
      builder.numbers(base, shape: [taps, rows, columns, 2], x.element))
    let planes = try builder.shaped(call.input(0), [images * parts, channels / parts, x.shape[2], x.shape[3]])
    let points = try builder.shaped(grid, [images * parts, taps * rows, columns, 2])
    var values = try builder.apply(GridSample(mode: .linear), [planes, points])
    values = try builder.shaped(values, [images * parts, channels / parts, taps, rows, columns])
    if call.has(4) {
      let mask = try builder.shaped(call.input(4), [images * parts, 1, taps, rows, columns])
      values = try builder.node("Mul", values, mask)
    }
    // The taps are channels now, and what is left is a product of single pixels.
    values = try builder.shaped(values, [images, channels * taps, rows, columns])
    let filters = try builder.shaped(call.input(1), [weight.shape[0], weight.shape[1] * taps, 1, 1])
    let op = Conv2D(strides: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: groups)
    return [try builder.apply(op, [values, filters] + (call.has(3) ? [call.input(3)] : []))]
  },
  .composed("RoiAlign", "the mode 'max'; a number of samples that adapts to the regions") { builder, call in
    let x = try builder.type(of: call.input(0))
    let regions = try builder.type(of: call.input(1))
    let mode = try call.attributes.string("mode") ?? "avg"
    if mode != "avg" { throw Diagnostic("the mode '\(mode)' is not supported") }
    // Operator set 10 has no shift by half a pixel.
    let coordinates =
      try call.attributes.string("coordinate_transformation_mode")
      ?? (call.version >= 16 ? "half_pixel" : "output_half_pixel")
    guard ["half_pixel", "output_half_pixel"].contains(coordinates) else {
      throw Diagnostic("there are no coordinates '\(coordinates)'")
    }
    let samples = try call.attributes.integer("sampling_ratio") ?? 0
    let scale = try call.attributes.float("spatial_scale") ?? 1
    let sizes = [try call.attributes.integer("output_height") ?? 1, try call.attributes.integer("output_width") ?? 1]
    guard samples >= 1 else {
      throw Diagnostic(
        "how many samples it takes depends on its regions", notes: ["give it a 'sampling_ratio' of 1 or more"])
    }
    guard x.rank == 4, regions.rank == 2, regions.shape[1] == 4,
      product(sizes + [samples, samples]) ?? 1 << 20 < 1 << 20
    else { throw Diagnostic("it reads \(x) at \(regions); they must be images and [regions, 4]") }
    let count = regions.shape[0]
    let isHalf = coordinates == "half_pixel"
    let own = try builder.node("Gather", call.input(0), call.input(2), attributes: [.integer("axis", 0)])
    let scaled = try builder.node("Mul", call.input(1), builder.number(scale, x.element))
    let corners = isHalf ? try builder.node("Sub", scaled, builder.number(0.5, x.element)) : scaled
    var grids: [ImportedValue] = []
    var insides: [ImportedValue] = []
    for (axis, place) in [(0, 1), (1, 0)] {
      let start = try slicedAlong(&builder, corners, axis: 1, from: place, to: place + 1, step: 1)
      let end = try slicedAlong(&builder, corners, axis: 1, from: place + 2, to: place + 3, step: 1)
      var length = try builder.node("Sub", end, start)
      if !isHalf { length = try builder.node("Max", length, builder.number(1, x.element)) }
      let steps = sizes[axis] * samples
      let shares = (0..<steps).map { (Double($0) + 0.5) / Double(steps) }
      let points = try builder.node(
        "Add", start, builder.node("Mul", length, builder.numbers(shares, shape: [1, steps], x.element)))
      // One element beyond the border still counts as the border; what is farther away is zero.
      let extent = Double(x.shape[axis + 2])
      let below = try builder.node("GreaterOrEqual", points, builder.number(-1, x.element))
      let above = try builder.node("LessOrEqual", points, builder.number(extent, x.element))
      insides.append(try builder.cast(builder.node("And", below, above), to: x.element))
      let doubled = try builder.node("Mul", points, builder.number(2 / extent, x.element))
      grids.append(try builder.node("Add", doubled, builder.number(1 / extent - 1, x.element)))
    }
    let (rows, columns) = (sizes[0] * samples, sizes[1] * samples)
    let zeros = builder.numbers([Double](repeating: 0, count: rows * columns), shape: [1, rows, columns], x.element)
    let down = try builder.node("Add", builder.shaped(grids[0], [count, rows, 1]), zeros)
    let across = try builder.node("Add", builder.shaped(grids[1], [count, 1, columns]), zeros)
    let grid = try builder.joined(
      [across, down].map { try builder.shaped($0, [count, rows, columns, 1]) }, along: 3)
    let values = try builder.apply(GridSample(mode: .linear, padding: .border), [own, grid])
    let inside = try builder.node(
      "Mul", builder.shaped(insides[0], [count, 1, rows, 1]), builder.shaped(insides[1], [count, 1, 1, columns]))
    let kept = try builder.node("Mul", values, inside)
    return [try builder.apply(AveragePool(kernel: [samples, samples], strides: [samples, samples]), [kept])]
  },
]
