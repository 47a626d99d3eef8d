import Foundation
import Frontends
import IR
import Testing

/// Models that take and give tensors of any element type, by name.
@Suite struct TypedInputTests {
  private static let model = """
    graph typed(%x: i32[2,3], %gate: bool[3], %scale: f64[]) -> (%doubled, %holds, %scaled) {
      %doubled = add(%x, %x) : i32[2,3]
      %zero = constant {values = [0]} : i32[]
      %positive = compare(%x, %zero) {relation = "greater"} : bool[2,3]
      %holds = bitwise(%positive, %gate) {kind = "and"} : bool[2,3]
      %real = cast(%x) {to = "f64"} : f64[2,3]
      %scaled = multiply(%real, %scale) : f64[2,3]
    }
    """

  private func write(_ folder: String) throws {
    try Self.model.write(toFile: "\(folder)/typed.vir", atomically: true, encoding: .utf8)
    try NumpyFile.write(TensorData(.i32, shape: [2, 3], [1, -2, 3, -4, 5, 1_073_741_824]), to: "\(folder)/x.npy")
    try NumpyFile.write(TensorData(.bool, shape: [3], [1, 0, 1]), to: "\(folder)/gate.npy")
    try NumpyFile.write(TensorData(.f64, shape: [], [0.5]), to: "\(folder)/scale.npy")
  }

  private func arguments(_ folder: String, without missing: String = "") -> [String] {
    ["x", "gate", "scale"].filter { $0 != missing }.flatMap { ["--input", "\($0)=\(folder)/\($0).npy"] }
  }

  @Test(arguments: ["c", "loops", "graph"]) func outputsHaveTheirOwnTypes(_ engine: String) async throws {
    try await withFolder { folder in
      try write(folder)
      let words = ["run", "\(folder)/typed.vir", "--engine", engine, "-o", "\(folder)/y.npz"] + arguments(folder)
      expectSuccess(try await Tool.run(Tool.path, words))
      let expected = [
        ("doubled", TensorData(.i32, shape: [2, 3], [2, -4, 6, -8, 10, -2_147_483_648])),
        ("holds", TensorData(.bool, shape: [2, 3], [1, 0, 1, 0, 0, 1])),
        ("scaled", TensorData(.f64, shape: [2, 3], [0.5, -1, 1.5, -2, 2.5, 536_870_912])),
      ]
      #expect(try bytes("\(folder)/y.npz") == NumpyArchive.contents(expected.map { (name: $0.0, data: $0.1) }))
    }
  }

  @Test func inputsAreCheckedByName() async throws {
    try await withFolder { folder in
      try write(folder)
      func message(_ words: [String]) async throws -> String {
        try await Tool.run(Tool.path, ["run", "\(folder)/typed.vir", "--engine", "graph"] + words).firstError
      }
      #expect(
        try await message(arguments(folder, without: "gate"))
          == "vigc: error: typed takes 3 inputs, and nothing is given for gate")
      #expect(
        try await message(arguments(folder) + ["--input", "y=\(folder)/x.npy"])
          == "vigc: error: typed has no input 'y'; there is x, gate, scale")
      #expect(
        try await message(arguments(folder, without: "gate") + ["--input", "gate=\(folder)/x.npy"])
          .contains("its array is of i32, and bool is needed"))
      #expect(
        try await message(arguments(folder, without: "x") + ["--input", "\(folder)/gate.npy"])
          .contains("its array is of bool, and i32 is needed"))
      #expect(
        try await message(arguments(folder) + ["--input", "x=\(folder)/x.npy"])
          == "vigc: error: the input 'x' is given twice")
      expectSuccess(try await Tool.run("verify", "\(folder)/typed.vir"))
    }
  }

  @Test func inputsAreBound() async throws {
    try await withFolder { folder in
      try "graph bound(%x: f32[2], %y: f32[2]) -> (%sum) {\n  %sum = add(%x, %y) : f32[2]\n}\n".write(
        toFile: "\(folder)/bound.vir", atomically: true, encoding: .utf8)
      try NumpyFile.write(TensorData(shape: [2], floats: [3, 4]), to: "\(folder)/y.npy")
      try NumpyFile.write(TensorData(shape: [2], floats: [1, 2]), to: "\(folder)/x.npy")
      let onnx = "\(folder)/bound.onnx"
      expectSuccess(try await Tool.run("export", "\(folder)/bound.vir", "-o", onnx))
      let outcome = try await Tool.run(
        "run", onnx, "--bind", "y=\(folder)/y.npy", "--input", "\(folder)/x.npy", "-o", "\(folder)/sum.npy")
      expectSuccess(outcome)
      #expect(try NumpyFile.read("\(folder)/sum.npy").floats == [4, 6])
      // With all of them bound nothing is left to give.
      expectSuccess(
        try await Tool.run(
          "run", onnx, "--bind", "y=\(folder)/y.npy", "--bind", "x=\(folder)/x.npy", "-o", "\(folder)/known.npy"))
      #expect(try NumpyFile.read("\(folder)/known.npy").floats == [4, 6])
      #expect(
        try await Tool.run("run", onnx, "--bind", "z=\(folder)/y.npy").firstError
          .contains("it has no input 'z' to bind; there is x, y"))
      #expect(
        try await Tool.run("run", "\(folder)/bound.vir", "--bind", "y=\(folder)/y.npy").firstError
          .contains("is no .onnx model"))
    }
  }
}
