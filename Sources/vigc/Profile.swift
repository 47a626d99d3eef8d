import Codegen
import Foundation
import IR

/// Where the time of a run goes, layer by layer, beside the least time the machine could take: the greater of its
/// arithmetic at the peak and its bytes at the bandwidth (Williams, Waterman and Patterson, "Roofline", 2009).
struct Profile {
  var machine: MachineProbe
  var threads: Int

  private struct Row {
    var name: String
    var kernel: String
    var milliseconds: Double
    var products = 0
    var elementwise = 0
    var bytes = 0
  }

  /// - Parameter graph: Optimised, as it was lowered.
  func table(_ timing: CompiledModel.Timing, _ graph: Graph) -> String {
    var rows: [Row] = []
    var places: [String: Int] = [:]
    for (name, milliseconds) in timing.layers {
      if let place = places[name] {
        rows[place].milliseconds += milliseconds
      } else {
        places[name] = rows.count
        rows.append(Row(name: name, kernel: "", milliseconds: milliseconds))
      }
    }
    for node in graph.nodes {
      guard !(node.op is Constant), let place = places[graph.layerName(of: node)] else { continue }
      let kernel = (node.op as? Fuse)?.kernel ?? node.op.mnemonic
      rows[place].kernel += (rows[place].kernel.isEmpty ? "" : " ") + kernel
      rows[place].products += graph.productOperations(of: node)
      rows[place].elementwise += graph.elementwiseOperations(of: node)
      rows[place].bytes += graph.bytes(of: node)
    }
    let total = rows.reduce(0) { $0 + $1.milliseconds }
    var table = Table(
      ["layer", "kernel", "ms", "share", "GFLOP/s", "MB", "roofline ms", "reached"], numbers: [2, 3, 4, 5, 6, 7])
    for row in rows {
      let rate = row.products > 0 && row.milliseconds > 0 ? Double(row.products) / row.milliseconds / 1e6 : nil
      let least = roofline(row)
      table.add([
        row.name, row.kernel, format(row.milliseconds, 4),
        format(total > 0 ? 100 * row.milliseconds / total : 0, 1) + " %", rate.map { format($0, 1) } ?? "-",
        format(Double(row.bytes) / 1e6, 2), format(least, 4), percent(least, row.milliseconds),
      ])
    }
    let least = rows.reduce(0) { $0 + roofline($1) }
    table.add(["all layers", "", format(total, 4), "", "", "", format(least, 4), percent(least, total)])
    let cores = threads == 1 ? "one core" : "each of \(threads) cores"
    return table.text + "\nthe machine, \(cores): \(format(machine.gigaflops, 1)) GFLOP/s, "
      + "\(format(machine.gigabytesPerSecond, 1)) GB/s read out of as much memory as weights and arena are\n"
  }

  private func roofline(_ row: Row) -> Double {
    // An instruction in place of a multiply-add costs what its two operations would.
    let arithmetic = Double(row.products + 2 * row.elementwise) / machine.gigaflops
    return max(arithmetic, Double(row.bytes) / machine.gigabytesPerSecond) / Double(threads) * 1e-6
  }

  private func percent(_ least: Double, _ found: Double) -> String {
    found > 0 ? format(100 * least / found, 0) + " %" : "-"
  }

  private func format(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
