/// Columns of text, as wide as they need to be.
struct Table {
  private var rows: [[String]]
  /// Columns that hold numbers, which are aligned to the right.
  private let numbers: Set<Int>

  init(_ head: [String], numbers: Set<Int> = []) {
    rows = [head]
    self.numbers = numbers
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return numbers.contains(column) ? space + cell : cell + space
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
