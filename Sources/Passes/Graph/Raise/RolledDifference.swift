import IR

/// The difference between an image and that image rolled along its rows and columns.
struct RolledDifference: Equatable {
  var image: ValueID
  var direction: Aggregate.Direction
  var offset: Offset

  /// x - x, which is 0 whatever x is.
  var isNothing: Bool { offset == Offset(dy: 0, dx: 0) }

  /// The difference that a value is, if it is one.
  init?(_ value: ValueID, _ rewriter: GraphRewriter) {
    guard let node = rewriter.definition(of: value), node.op is Subtract else { return nil }
    let (a, b) = (node.operands[0], node.operands[1])
    guard rewriter.graph.tensorType(of: a).rank == 4, rewriter.graph.type(of: a) == rewriter.graph.type(of: b) else {
      return nil
    }
    if let offset = rewriter.offset(of: b, from: a) {
      (image, direction, self.offset) = (a, .selfMinusNeighbor, offset)
    } else if let offset = rewriter.offset(of: a, from: b) {
      (image, direction, self.offset) = (b, .neighborMinusSelf, offset)
    } else {
      return nil
    }
  }

  /// The difference whose sum of absolute values over the channels a value is.
  init?(l1 value: ValueID, _ rewriter: GraphRewriter) {
    guard let node = rewriter.definition(of: value), let reduce = node.op as? Reduce, reduce.keepDims,
      rewriter.graph.tensorType(of: node.operands[0]).rank == 4, reduce.axes == [1] || reduce.axes == [-3]
    else { return nil }
    var summed = node.operands[0]
    if reduce.kind == .sum, let absolute = rewriter.definition(of: summed), absolute.op is Absolute {
      summed = absolute.operands[0]
    } else if reduce.kind != .l1 {
      return nil
    }
    guard let difference = RolledDifference(summed, rewriter) else { return nil }
    self = difference
  }
}

extension Offset {
  /// The same neighbour on a grid of this size, as an offset from 0 on.
  func wrapped(height: Int, width: Int) -> Offset {
    Offset(dy: (dy % height + height) % height, dx: (dx % width + width) % width)
  }
}

extension GraphRewriter {
  /// The image that a value is a roll of, and how far it is rolled: by any number of rolls along rows and columns.
  func offset(of value: ValueID, from image: ValueID) -> Offset? {
    var offset = Offset(dy: 0, dx: 0)
    var value = value
    for _ in 0..<4 {
      if value == image { return offset }
      guard let node = definition(of: value), let roll = node.op as? IR.Roll else { return nil }
      let rank = graph.tensorType(of: value).rank
      for (shift, axis) in zip(roll.shifts, roll.axes) {
        switch axis < 0 ? axis + rank : axis {
        case 2 where rank == 4: offset.dy += shift
        case 3 where rank == 4: offset.dx += shift
        default: return nil
        }
      }
      value = node.operands[0]
    }
    return value == image ? offset : nil
  }

  /// What a tree of maxima is the maximum of; nil if it is more than any construction has neighbours.
  func maximumLeaves(of root: Node) -> [ValueID]? {
    var leaves: [ValueID] = []
    var pending = Array(root.operands.reversed())
    while let value = pending.popLast() {
      if let node = definition(of: value), node.op is Maximum {
        pending += node.operands.reversed()
      } else {
        leaves.append(value)
      }
      // A tree that shares its parts could have very many.
      if leaves.count + pending.count > 4096 { return nil }
    }
    return leaves
  }

  /// Whether two values are computed by equal ops from the same operands.
  func computes(_ a: ValueID, thatOf b: ValueID) -> Bool {
    guard let first = definition(of: a), let second = definition(of: b), first.results.count == 1 else { return false }
    return first.op.isIdentical(to: second.op) && first.operands == second.operands
  }
}

extension Graph {
  /// Maxima that only another maximum reads: parts of a tree.
  var innerMaxima: Set<ValueID> {
    let users = users
    let outputs = Set(outputs)
    let inner = nodes.filter { node in
      guard node.op is Maximum, let readers = users[node.results[0]], !outputs.contains(node.results[0]) else {
        return false
      }
      return readers.allSatisfy { nodes[$0].op is Maximum }
    }
    return Set(inner.map { $0.results[0] })
  }
}
