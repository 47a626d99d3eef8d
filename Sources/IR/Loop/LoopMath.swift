/// Elementary functions written in the loop language, lane by lane, for kernels and op bodies on every target.
///
/// Arguments must be variables or literals: they are used more than once.
public enum LoopMath {
  /// The Gaussian error linear unit in its erf form.
  public static func gelu(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    preconditionFailure("written next")
  }
}
