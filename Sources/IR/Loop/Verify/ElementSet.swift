/// Elements of a buffer, as runs from the first element up to, not including, the last: sorted, apart, none empty.
struct ElementSet: Hashable {
  private(set) var runs: [Range<Int>] = []

  init() {}

  init(_ run: Range<Int>) { if !run.isEmpty { runs = [run] } }

  var isEmpty: Bool { runs.isEmpty }

  /// From the first element to the last one.
  var hull: Range<Int>? {
    guard let first = runs.first, let last = runs.last else { return nil }
    return first.lowerBound..<last.upperBound
  }

  /// The place of the first run that ends after `element`.
  private func place(endingAfter element: Int) -> Int {
    var (low, high) = (0, runs.count)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].upperBound > element { high = middle } else { low = middle + 1 }
    }
    return low
  }

  func contains(_ run: Range<Int>) -> Bool {
    if run.isEmpty { return true }
    let place = place(endingAfter: run.lowerBound)
    return place < runs.count && runs[place].lowerBound <= run.lowerBound && runs[place].upperBound >= run.upperBound
  }

  mutating func insert(_ run: Range<Int>) {
    if run.isEmpty { return }
    // Runs that touch the new one become one with it.
    let first = place(endingAfter: run.lowerBound - 1)
    var last = first
    var (low, high) = (run.lowerBound, run.upperBound)
    while last < runs.count, runs[last].lowerBound <= run.upperBound {
      low = min(low, runs[last].lowerBound)
      high = max(high, runs[last].upperBound)
      last += 1
    }
    runs.replaceSubrange(first..<last, with: CollectionOfOne(low..<high))
  }

  mutating func formUnion(_ other: ElementSet) {
    if runs.isEmpty { return self = other }
    if other.runs.count < 4 {
      for run in other.runs { insert(run) }
      return
    }
    var (i, j) = (0, 0)
    var merged = ElementSet()
    while i < runs.count || j < other.runs.count {
      if j == other.runs.count || i < runs.count && runs[i].lowerBound <= other.runs[j].lowerBound {
        merged.append(runs[i])
        i += 1
      } else {
        merged.append(other.runs[j])
        j += 1
      }
    }
    self = merged
  }

  /// Adds a run that begins no earlier than the last one does.
  mutating func append(_ run: Range<Int>) {
    if run.isEmpty { return }
    if let last = runs.last, run.lowerBound <= last.upperBound {
      runs[runs.count - 1] = last.lowerBound..<max(last.upperBound, run.upperBound)
    } else {
      runs.append(run)
    }
  }

  func intersection(_ other: ElementSet) -> ElementSet {
    if runs == other.runs { return self }
    var result = ElementSet()
    var (i, j) = (0, 0)
    while i < runs.count, j < other.runs.count {
      let both = runs[i].clamped(to: other.runs[j])
      if !both.isEmpty, runs[i].overlaps(other.runs[j]) { result.runs.append(both) }
      if runs[i].upperBound < other.runs[j].upperBound { i += 1 } else { j += 1 }
    }
    return result
  }

  func isSuperset(of other: ElementSet) -> Bool { other.runs.allSatisfy(contains) }
}
