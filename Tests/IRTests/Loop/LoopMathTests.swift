import Foundation
import Testing

@testable import IR

/// Every function of `LoopMath` against double, over its whole range, with and without a fused multiply-add.
@Suite struct LoopMathTests {
  typealias Builder = (inout LoopBuilder, LoopValue, Int) -> LoopValue

  /// The function's values at `points`, on the loop interpreter.
  static func values(_ function: Builder, at points: [Float], target: Target, lanes: Int = 8) throws
    -> [Float]
  {
    var builder = LoopBuilder()
    builder.loop("i", 0, .constant(points.count / lanes)) { builder, i in
      let type = LoopType(.f32, lanes: lanes)
      let x = builder.let("x", type, .load("points", i * lanes, type))
      builder.store("results", i * lanes, function(&builder, x, lanes))
    }
    let program = LoopProgram(
      name: "math",
      buffers: [
        LoopBuffer("points", .input, .f32, count: points.count),
        LoopBuffer("results", .output, .f32, count: points.count),
      ], entry: builder.statements)
    try program.verify(target: target)
    return try LoopInterpreter(program: program, target: target).run(floats: ["points": points])["results"] ?? []
  }

  static func points(_ range: ClosedRange<Float>, count: Int = 200_000) -> [Float] {
    (0..<count).map { range.lowerBound + (range.upperBound - range.lowerBound) * Float($0) / Float(count - 1) }
  }

  static let targets = ["scalar", "avx2"]
  /// About 1e-40.
  static let subnormal = Float(bitPattern: 71362)

  /// All forms: which it is depends on the lanes. The one for 16 wants a fused multiply-add, which is what there is.
  @Test(arguments: [("scalar", 1), ("scalar", 8), ("avx2", 1), ("avx2", 8), ("avx512", 16)])
  func gelu(_ name: String, _ lanes: Int) throws {
    let target = try Target.named(name)
    for range in [Float(-12)...12, -0.5...0.5, -1000...1000] {
      let points = Self.points(range)
      let found = try Self.values(LoopMath.gelu, at: points, target: target, lanes: lanes)
      for (x, y) in zip(points, found) {
        let exact = Double(x) * 0.5 * erfc(-Double(x) / 2.0.squareRoot())
        #expect(abs(Double(y) - exact) <= 1e-6 * max(1, abs(Double(x))), "gelu(\(x)) = \(y), exactly \(exact)")
        if abs(x) < 0.5 {
          #expect(abs(Double(y) - exact) <= 2 * Double(Float(exact).ulp), "gelu(\(x)) = \(y), exactly \(exact)")
        }
      }
    }
    let edges: [Float] = [0, -0.0, .infinity, 3e38, -3e38, .nan, Self.subnormal, -Self.subnormal]
    let found = try Self.values(LoopMath.gelu, at: edges + edges, target: target, lanes: lanes)
    #expect(found[0] == 0 && found[1] == 0 && found[2] == .infinity && found[3] == 3e38 && found[5].isNaN)
    // On 16 lanes Phi is 1.5e-11 there.
    #expect(abs(found[4]) <= (lanes == 16 ? 1.5e-11 * 3e38 : 0))
  }

  /// In units of the last place of the exact result, and in absolute terms where results cross zero.
  @Test(arguments: targets) func elementary(_ name: String) throws {
    let target = try Target.named(name)
    let cases: [(Builder, (Double) -> Double, ClosedRange<Float>, Double)] = [
      (LoopMath.exp, { Foundation.exp($0) }, -87...88, 2),
      (LoopMath.log, { Foundation.log($0) }, 1e-30...4, 2.5),
      (LoopMath.log, { Foundation.log($0) }, 1...1e30, 2.5),
      (LoopMath.tanh, { Foundation.tanh($0) }, -12...12, 4),
      (LoopMath.sigmoid, { 1 / (1 + Foundation.exp(-$0)) }, -80...80, 4),
      (LoopMath.erf, { Foundation.erf($0) }, -6...6, 4),
    ]
    for (function, reference, range, ulps) in cases {
      let points = Self.points(range)
      let found = try Self.values(function, at: points, target: target)
      for (x, y) in zip(points, found) {
        let exact = reference(Double(x))
        let tolerance = max(ulps * Double(Float(exact).ulp), 1e-37)
        #expect(abs(Double(y) - exact) <= tolerance, "at \(x): \(y), exactly \(exact)")
      }
    }
    let exp = try Self.values(LoopMath.exp, at: [-200, 200, .infinity, -.infinity, .nan, 0, -104, 1], target: target)
    #expect(exp[0] == 0 && exp[1] == .infinity && exp[2] == .infinity && exp[3] == 0 && exp[4].isNaN && exp[5] == 1)
    let log = try Self.values(LoopMath.log, at: [0, -1, .infinity, .nan, 1, Self.subnormal, 2, 4], target: target)
    #expect(log[0] == -.infinity && log[1].isNaN && log[2] == .infinity && log[3].isNaN && log[4] == 0)
    #expect(abs(log[5] - Float(Foundation.log(Double(Self.subnormal)))) < 1e-4)
  }

  /// Circular and hyperbolic functions in units of the last place; near a zero that is not at zero, of the argument's.
  @Test(arguments: targets) func trigonometric(_ name: String) throws {
    let target = try Target.named(name)
    let cases: [(Builder, (Double) -> Double, ClosedRange<Float>, Double)] = [
      (LoopMath.sin, { Foundation.sin($0) }, -10...10, 2), (LoopMath.sin, { Foundation.sin($0) }, -1e6...1e6, 2),
      (LoopMath.cos, { Foundation.cos($0) }, -10...10, 2), (LoopMath.cos, { Foundation.cos($0) }, -1e6...1e6, 2),
      (LoopMath.tan, { Foundation.tan($0) }, -10...10, 4), (LoopMath.asin, { Foundation.asin($0) }, -1...1, 3),
      (LoopMath.acos, { Foundation.acos($0) }, -1...1, 3), (LoopMath.atan, { Foundation.atan($0) }, -50...50, 3),
      (LoopMath.sinh, { Foundation.sinh($0) }, -89...89, 6), (LoopMath.cosh, { Foundation.cosh($0) }, -89...89, 6),
      (LoopMath.sinh, { Foundation.sinh($0) }, -2...2, 6), (LoopMath.asinh, { Foundation.asinh($0) }, -5...5, 4),
      (LoopMath.asinh, { Foundation.asinh($0) }, -1e20...1e20, 4), (LoopMath.acosh, { Foundation.acosh($0) }, 1...5, 4),
      (LoopMath.acosh, { Foundation.acosh($0) }, 5...1e20, 4),
      (LoopMath.atanh, { Foundation.atanh($0) }, -0.999...0.999, 4),
    ]
    for (function, reference, range, ulps) in cases {
      let points = Self.points(range, count: 40_000)
      let found = try Self.values(function, at: points, target: target)
      var worst = (error: 0.0, at: Float(0))
      for (x, y) in zip(points, found) {
        let exact = reference(Double(x))
        let error = abs(Double(y) - exact) / max(Double(Float(exact).ulp), 1e-16 * Double(abs(x)) / ulps)
        if error > worst.error { worst = (error, x) }
      }
      #expect(worst.error <= ulps, "\(worst.error) ulp at \(worst.at) in \(range)")
    }
    let edges: [Float] = [.infinity, -.infinity, .nan, 1, -1, 0, 2, -0.0]
    let sine = try Self.values(LoopMath.sin, at: edges, target: target)
    #expect(sine[0].isNaN && sine[1].isNaN && sine[2].isNaN && sine[5] == 0)
    let quarter = Float(Double.pi / 2)
    let arctangent = try Self.values(LoopMath.atan, at: edges, target: target)
    #expect(arctangent[0] == quarter && arctangent[1] == -quarter && arctangent[2].isNaN)
    let arcsine = try Self.values(LoopMath.asin, at: edges, target: target)
    #expect(arcsine[6].isNaN && arcsine[0].isNaN && arcsine[3] == quarter)
    let area = try Self.values(LoopMath.atanh, at: edges, target: target)
    #expect(area[3] == .infinity && area[4] == -.infinity && area[6].isNaN && area[5] == 0)
    let cosine = try Self.values(LoopMath.cosh, at: edges, target: target)
    #expect(cosine[0] == .infinity && cosine[1] == .infinity && cosine[2].isNaN && cosine[5] == 1)
    let inverse = try Self.values(LoopMath.acosh, at: edges, target: target)
    #expect(inverse[0] == .infinity && inverse[5].isNaN && inverse[3] == 0)
  }

  /// Exponential and logarithm of float64 in units of the last place.
  @Test(arguments: targets) func double(_ name: String) throws {
    let target = try Target.named(name)
    func values(_ op: any ElementwiseOp, _ points: [Double]) throws -> [Double] {
      let type = TensorType(.f64, [points.count])
      var builder = LoopBuilder()
      try op.buildLoops(
        &builder, operands: [LoopTensor(buffer: "points", type: type)],
        results: [LoopTensor(buffer: "results", type: type)])
      let program = LoopProgram(
        name: "math",
        buffers: [
          LoopBuffer("points", .input, .f64, count: type.count),
          LoopBuffer("results", .output, .f64, count: type.count),
        ],
        entry: builder.statements)
      try program.verify(target: target)
      let bytes = points.withUnsafeBytes { Array($0) }
      let found = try #require(try LoopInterpreter(program: program, target: target).run(["points": bytes])["results"])
      return Tensor<Double>(TensorData(element: .f64, shape: type.shape, bytes: found)).real
    }
    let cases: [(any ElementwiseOp, (Double) -> Double, ClosedRange<Double>)] = [
      (Exp(), { Foundation.exp($0) }, -700...700), (Exp(), { Foundation.exp($0) }, -1...1),
      (Log(), { Foundation.log($0) }, 1e-9...3), (Log(), { Foundation.log($0) }, 0.5...1e300),
    ]
    for (op, reference, range) in cases {
      let points = (0..<20_000).map {
        range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 19_999
      }
      for (x, y) in zip(points, try values(op, points)) {
        let exact = reference(x)
        #expect(abs(y - exact) <= 3 * exact.ulp, "\(op.mnemonic)(\(x)) = \(y), exactly \(exact)")
      }
    }
    let exp = try values(Exp(), [-800, 800, .infinity, -.infinity, .nan, 0])
    #expect(exp[0] == 0 && exp[1] == .infinity && exp[2] == .infinity && exp[3] == 0 && exp[4].isNaN && exp[5] == 1)
    let log = try values(Log(), [0, -1, .infinity, .nan, 1, .leastNonzeroMagnitude])
    #expect(log[0] == -.infinity && log[1].isNaN && log[2] == .infinity && log[3].isNaN && log[4] == 0)
    #expect(abs(log[5] + 744.4400719213812) < 1e-10)
  }
}
