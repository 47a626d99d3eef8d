/// A running sum in loops that carries what rounding lost along (Kahan, 1965), lane by lane: its error does not grow
/// with the number of terms. Compilers keep it as it is, because nothing is compiled with reassociation.
public struct CompensatedSum {
  private let sum: String
  private let excess: String
  private let type: LoopType

  /// Declares the registers of a sum of zero terms of a float type.
  public init(_ builder: inout LoopBuilder, _ type: LoopType) {
    self.type = type
    sum = builder.register("sum", type, .constant(0, type))
    excess = builder.register("excess", type, .constant(0, type))
  }

  public func add(_ builder: inout LoopBuilder, _ term: LoopValue) {
    let corrected = builder.let("corrected", type, term - .variable(excess))
    let next = builder.let("next", type, .variable(sum) + corrected)
    builder.assign(excess, next - .variable(sum) - corrected)
    builder.assign(sum, next)
  }

  public var value: LoopValue { .variable(sum) }
}
