import IR

/// The output channels of one task, and the channels of each input that they read.
struct ProductShare {
  var firstChannel: Int
  var channels: Int
  var reads: [Range<Int>] = []

  var depth: Int { reads.reduce(0) { $0 + $1.count } }

  /// Output channels cut into at most `workers` shares of whole vectors, all but the last of one size.
  static func even(_ channels: Int, lanes: Int, workers: Int) -> [ProductShare] {
    let vectors = ceilDivide(channels, lanes)
    let each = ceilDivide(vectors, max(1, min(workers, vectors))) * lanes
    return stride(from: 0, to: channels, by: each).map {
      ProductShare(firstChannel: $0, channels: min(each, channels - $0))
    }
  }

  /// A pointwise product's shares. Shares of a grouped product read their own groups' channels only. A run is as few
  /// groups as make whole vectors of outputs and whole channels of each input. Runs are cut further if there are more
  /// workers than runs. If a share has several groups, weights from one group to another are zeros.
  ///
  /// - Returns: the shares, and how many in a row read the same channels.
  static func pointwise(_ product: Product, lanes: Int, workers: Int) -> (shares: [ProductShare], alike: Int) {
    let groups = product.convolution.groups
    let channels = product.inputChannels
    if groups == 1 || channels.count > 1 && !product.isInterleaved {
      let shares = even(product.outputShape[1], lanes: lanes, workers: workers).map { share in
        ProductShare(firstChannel: share.firstChannel, channels: share.channels, reads: channels.map { 0..<$0 })
      }
      return (shares, shares.count)
    }
    let (outputs, inputs) = product.group
    let turns = channels.count
    let run =
      (1...groups).first { ($0 * outputs).isMultiple(of: lanes) && ($0 * inputs).isMultiple(of: turns) } ?? groups
    let vectors = ceilDivide(run * outputs, lanes)
    let wanted = ceilDivide(workers, ceilDivide(groups, run))
    // Equal parts of every run, so that all of them are the same call.
    let isEven = groups.isMultiple(of: run) && (run * outputs).isMultiple(of: lanes)
    let parts = isEven ? (1...vectors).first { $0 >= wanted && vectors.isMultiple(of: $0) } ?? vectors : 1
    let shares = stride(from: 0, to: groups, by: run).flatMap { first in
      let end = min(first + run, groups)
      let each = (end - first) * outputs / parts
      let reads = channels.map { _ in (first * inputs / turns)..<(end * inputs / turns) }
      return (0..<parts).map { ProductShare(firstChannel: first * outputs + $0 * each, channels: each, reads: reads) }
    }
    return (shares, parts)
  }
}

extension GraphLowering {
  /// Writes one call a share: a plain call if there is one share, otherwise a loop over the shares, parallel if there
  /// are several workers.
  /// - Parameter call: the call of a share, given the task and the image.
  mutating func overShares(
    _ shares: [ProductShare], images: Int,
    _ call: (inout ProgramBuilder, ProductShare, LoopIndex, LoopIndex) -> LoopStatement
  ) {
    guard let first = shares.first, let last = shares.last else { return }
    let order = order
    write { entry, program in
      entry.loop("image", 0, .constant(images)) { builder, image in
        if shares.count == 1 {
          builder.append(call(&program, first, 0, image))
          return
        }
        builder.loop("share", 0, .constant(shares.count), order: order) { builder, task in
          if first.channels == last.channels {
            builder.append(call(&program, first, task, image))
          } else {
            let full = call(&program, first, task, image)
            let rest = call(&program, last, task, image)
            builder.ifIndex([LoopComparison(task, .less, .constant(shares.count - 1))]) {
              $0.append(full)
            } else: {
              $0.append(rest)
            }
          }
        }
      }
    }
  }
}
