/// Sets of numbers that are joined and never parted (union-find). The least number of a set stands for it.
struct DisjointSets: Sendable {
  private var parents: [Int]

  init(count: Int) { parents = Array(0..<count) }

  mutating func join(_ a: Int, _ b: Int) {
    let (first, second) = (representative(of: a), representative(of: b))
    parents[max(first, second)] = min(first, second)
  }

  func representative(of number: Int) -> Int {
    var number = number
    while parents[number] != number { number = parents[number] }
    return number
  }
}
