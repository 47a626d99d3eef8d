import Foundation

/// How far a quantised tensor is from the float one, summed over inputs.
public struct SignalNoise: Hashable, Sendable {
  /// Sums of squares: of the float values, and of the differences.
  public private(set) var signal = 0.0
  public private(set) var noise = 0.0

  public init() {}

  mutating func add(_ found: [Float], reference: [Float]) {
    for (value, expected) in zip(found, reference) {
      let difference = Double(value) - Double(expected)
      signal += Double(expected) * Double(expected)
      noise += difference * difference
    }
  }

  /// The signal-to-noise ratio in dB; infinite without noise.
  public var decibels: Double { noise == 0 ? .infinity : 10 * log10(signal / noise) }

  /// The relative L2 error.
  public var relativeError: Double { noise == 0 ? 0 : (noise / signal).squareRoot() }
}
