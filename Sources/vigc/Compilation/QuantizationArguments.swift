import ArgumentParser
import Frontends
import IR
import Passes

extension ActivationForm: ExpressibleByArgument {}

/// How a model is quantised: of `vigc quantize`, and with `--quantize` of every command that compiles.
struct QuantizationArguments: ParsableArguments {
  enum Form: String, CaseIterable, ExpressibleByArgument, Sendable {
    case int8
  }

  @Option(help: "Quantise the model first, over the inputs of --calibration.")
  var quantize: Form?

  @Option(
    help: ArgumentHelp(
      "What the model is calibrated on, as it takes its inputs.", valueName: "FILE.npy|FILE.npz|FOLDER|synthetic:N"))
  var calibration: String?

  @Option(
    help: ArgumentHelp("How the range of a tensor is chosen (default: mse).", valueName: "minmax|percentile:P|mse"),
    transform: { try QuantizationArguments.range(parsing: $0) })
  var range: RangeMethod?

  @Option(help: "What an activation after a product reads: eight bits, or the float result (default: table).")
  var activations: ActivationForm?

  @Flag(help: "Leave biases as they are, and do not make up for the mean error of rounded weights.")
  var noBiasCorrection = false

  @Option(
    help: ArgumentHelp("Keep a layer's product in float, or all of a module (may be repeated).", valueName: "LAYER"))
  var keep: [String] = []

  @Option(
    help: ArgumentHelp("Keep the layers in float that lose most, until the outputs reach this ratio.", valueName: "DB"),
    transform: { try QuantizationArguments.decibels(parsing: $0) })
  var leastSnr: Double?

  private static func range(parsing text: String) throws -> RangeMethod {
    do { return try RangeMethod(parsing: text) } catch let problem as Diagnostic {
      throw ValidationError(problem.message)
    }
  }

  private static func decibels(parsing text: String) throws -> Double {
    guard let ratio = Double(text), (0...200).contains(ratio) else {
      throw ValidationError("'\(text)' is no ratio; expected decibels from 0 to 200")
    }
    return ratio
  }

  var settings: QuantizationSettings {
    var settings = QuantizationSettings()
    settings.range = range ?? settings.range
    settings.activations = activations ?? settings.activations
    settings.correctsBias = !noBiasCorrection
    settings.kept = keep
    settings.leastRatio = leastSnr
    return settings
  }

  /// Throws unless the options go together: all of them are about `--quantize`, which needs inputs.
  func requireTogether() throws {
    if quantize != nil {
      if calibration == nil {
        throw ValidationError("--quantize needs inputs: --calibration FILE.npy, FILE.npz, a folder or synthetic:N")
      }
      return
    }
    let given = [
      ("--calibration", calibration != nil), ("--range", range != nil), ("--activations", activations != nil),
      ("--no-bias-correction", noBiasCorrection), ("--keep", !keep.isEmpty), ("--least-snr", leastSnr != nil),
    ]
    if let option = given.first(where: \.1) {
      throw ValidationError("\(option.0) is about --quantize int8: add that, or leave it out")
    }
  }
}
