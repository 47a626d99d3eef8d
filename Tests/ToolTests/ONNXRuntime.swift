import Foundation

/// ONNX Runtime, where Python has it: an oracle that shares nothing with us.
enum ONNXRuntime {
  /// Whether Python and the packages of `Scripts/verify-onnx` are there.
  static let isInstalled = importable("numpy, onnx, onnxruntime")
  static let hasNumPy = importable("numpy")

  private static func importable(_ modules: String) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", "import \(modules)"]
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  /// Holds exports of models against the interpreter; `arguments` are those of the script.
  static func verify(_ arguments: [String]) async throws -> Tool.Outcome {
    let script = packageRoot.appendingPathComponent("Scripts/verify-onnx").path
    return try await Tool.run("env", ["VIGC=\(Tool.path)", "python3", script] + arguments)
  }
}
