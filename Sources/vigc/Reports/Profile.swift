import Codegen
import Foundation
import IR
import Passes

/// Where the time of a run goes, layer by layer, beside the least time the machine could take: the greater of its
/// arithmetic at the peak and its bytes at the bandwidth (Williams, Waterman and Patterson, "Roofline", 2009).
struct Profile {
  var machine: MachineProbe
  var threads: Int

  struct Row {
    var name: String
    /// The kernels of the layer's nodes, with spaces between.
    var kernel: String
    /// A run's mean, and its least.
    var milliseconds: Double
    var least: Double
    var products = 0
    var elementwise = 0
    var bytes = 0
  }

  /// A row for each layer, in the order they run.
  /// - Parameter graph: Optimised, as it was lowered.
  static func rows(_ timing: CompiledModel.Timing, _ graph: Graph) -> [Row] {
    var rows: [Row] = []
    var places: [String: Int] = [:]
    for ((name, milliseconds), least) in zip(timing.layers, timing.leastOfLayers) {
      if let place = places[name] {
        rows[place].milliseconds += milliseconds
        rows[place].least += least
      } else {
        places[name] = rows.count
        rows.append(Row(name: name, kernel: "", milliseconds: milliseconds, least: least))
      }
    }
    let kernels = KernelReader(graph)
    for node in graph.nodes {
      guard !(node.op is Constant), let place = places[graph.layerName(of: node)] else { continue }
      let kernel = (node.op as? Fuse)?.kernel.description ?? node.op.mnemonic
      rows[place].kernel += (rows[place].kernel.isEmpty ? "" : " ") + kernel
      let operations = kernels.operations(of: node)
      rows[place].products += operations.products
      rows[place].elementwise += operations.elementwise
      rows[place].bytes += graph.bytes(of: node)
    }
    return rows
  }

  /// The rows as text. What a layer reaches is by its least time, which other programs disturb least.
  func table(_ rows: [Row]) -> String {
    let total = rows.reduce(0) { $0 + $1.milliseconds }
    var table = Table(
      ["layer", "kernel", "ms", "least", "share", "GFLOP/s", "MB", "roofline ms", "reached"],
      numbers: [2, 3, 4, 5, 6, 7, 8])
    for row in rows {
      let rate = row.products > 0 && row.least > 0 ? Double(row.products) / row.least / 1e6 : nil
      let bound = roofline(row)
      table.add([
        row.name, row.kernel, format(row.milliseconds, 4), format(row.least, 4),
        format(total > 0 ? 100 * row.milliseconds / total : 0, 1) + " %", rate.map { format($0, 1) } ?? "-",
        format(Double(row.bytes) / 1e6, 2), format(bound, 4), percent(bound, row.least),
      ])
    }
    let bound = rows.reduce(0) { $0 + roofline($1) }
    let least = rows.reduce(0) { $0 + $1.least }
    table.add([
      "all layers", "", format(total, 4), format(least, 4), "", "", "", format(bound, 4), percent(bound, least),
    ])
    let cores = threads == 1 ? "one core" : "each of \(threads) cores"
    return table.text + "\nthe machine, \(cores): \(format(machine.gigaflops, 1)) GFLOP/s, "
      + "\(format(machine.gigabytesPerSecond, 1)) GB/s read out of as much memory as weights and arena are\n"
  }

  /// The rows as the elements of a JSON array: milliseconds, and bytes that the layer must touch.
  func objects(_ rows: [Row]) -> String {
    let objects = rows.map { row in
      "{\"layer\": \"\(row.name)\", \"kernel\": \"\(row.kernel)\", \"ms\": \(format(row.milliseconds, 4)), "
        + "\"least_ms\": \(format(row.least, 4)), \"flop\": \(row.products), \"bytes\": \(row.bytes), "
        + "\"roofline_ms\": \(format(roofline(row), 4))}"
    }
    return "[\(objects.joined(separator: ", "))]"
  }

  private func roofline(_ row: Row) -> Double {
    // An instruction that takes the place of a multiply-add counts as its two operations.
    let arithmetic = Double(row.products + 2 * row.elementwise) / machine.gigaflops
    return max(arithmetic, Double(row.bytes) / machine.gigabytesPerSecond) / Double(threads) * 1e-6
  }

  private func percent(_ least: Double, _ found: Double) -> String {
    found > 0 ? format(100 * least / found, 0) + " %" : "-"
  }

  private func format(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
