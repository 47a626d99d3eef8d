import Foundation
import IR
import Passes

/// What a quantisation did and lost, as text and as JSON. Layers that lose most come first.
struct QuantizationTable {
  private let report: QuantizationReport

  init(_ report: QuantizationReport) { self.report = report }

  var text: String {
    let layers = report.worstFirst
    let quantized = layers.filter(\.isQuantized).count
    let share = Double(report.weightBytesAfter) / Double(max(1, report.weightBytesBefore))
    let inputs = "\(report.runs) input\(report.runs == 1 ? "" : "s")"
    let head = """
      \(report.model): \(quantized) of \(layers.count) layers in int8, \(report.pairs) pairs; ranges by \
      \(report.settings.range) over \(inputs)
      outputs  \(decibels(report.output)) dB, relative L2 \(short(report.output.relativeError))
      weights  \(report.weightBytesBefore) bytes before, \(report.weightBytesAfter) after: \(String(format: "%.3f", share))


      """
    let hasAlone = layers.contains { $0.alone != nil }
    var table = Table(["layer", "op", "form", "dB"] + (hasAlone ? ["alone dB"] : []), numbers: [3, 4])
    for layer in layers {
      let form = layer.isQuantized ? "int8" : "float32"
      table.add(
        [layer.name, layer.op, form, decibels(layer.result)] + (layer.alone.map { [decibels($0)] } ?? []))
    }
    return head + table.text
  }

  private func decibels(_ noise: SignalNoise) -> String {
    noise.decibels.isFinite ? String(format: "%.1f", noise.decibels) : "exact"
  }

  /// The keys are a contract. A ratio is left out where nothing is lost.
  private struct Object: Encodable {
    struct Layer: Encodable {
      var layer: String
      var op: String
      var int8: Bool
      var snr_db: Double?
      var alone_snr_db: Double?
    }

    var model: String
    var range: String
    var activations: String
    var bias_correction: Bool
    var inputs: Int
    var pairs: Int
    var snr_db: Double?
    var relative_l2: Double
    var weight_bytes_before: Int
    var weight_bytes_after: Int
    var layers: [Layer]
  }

  var json: String {
    func finite(_ noise: SignalNoise?) -> Double? { noise.map(\.decibels).flatMap { $0.isFinite ? $0 : nil } }
    let object = Object(
      model: report.model, range: "\(report.settings.range)", activations: report.settings.activations.rawValue,
      bias_correction: report.settings.correctsBias, inputs: report.runs, pairs: report.pairs,
      snr_db: finite(report.output), relative_l2: report.output.relativeError,
      weight_bytes_before: report.weightBytesBefore, weight_bytes_after: report.weightBytesAfter,
      layers: report.worstFirst.map {
        Object.Layer(
          layer: $0.name, op: $0.op, int8: $0.isQuantized, snr_db: finite($0.result), alone_snr_db: finite($0.alone))
      })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(object) else { preconditionFailure("finite numbers and strings are JSON") }
    return String(decoding: data, as: UTF8.self) + "\n"
  }
}
