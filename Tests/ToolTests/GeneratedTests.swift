import Foundation
import Testing

/// `generated/` shows what the compiler writes; it must be what the compiler writes now.
@Suite struct GeneratedTests {
  static let targets = ["scalar", "avx2"]

  private static let cure = "run VIGC_BLESS=1 Scripts/test --filter GeneratedTests and look at the difference"

  static let spec = packageRoot.appendingPathComponent("examples/firmware/pocket.yaml").path

  @Test(arguments: targets) func checkedInOutputIsFresh(_ target: String) async throws {
    let kept = packageRoot.appendingPathComponent("generated/pocket-\(target)").path
    try await withFolder { folder in
      expectSuccess(
        try await Tool.run(
          "compile", Self.spec, "--weights", "synthetic", "--target", target, "--threads", "pthread", "-o", folder))
      // Text is there to be read and compared; weights are neither.
      let written = try names(in: folder).filter { !$0.hasSuffix(".weights") }
      if ProcessInfo.processInfo.environment["VIGC_BLESS"] == "1" { try bless(written, from: folder, to: kept) }
      let files = try names(in: kept)
      #expect(files == written, "\(kept) is stale; \(Self.cure)")
      for file in files where written.contains(file) {
        let same = try bytes("\(kept)/\(file)") == bytes("\(folder)/\(file)")
        #expect(same, "\(kept)/\(file) is stale; \(Self.cure)")
      }
    }
  }

  private func bless(_ files: [String], from folder: String, to kept: String) throws {
    let manager = FileManager.default
    try? manager.removeItem(atPath: kept)
    try manager.createDirectory(atPath: kept, withIntermediateDirectories: true)
    for file in files { try manager.copyItem(atPath: "\(folder)/\(file)", toPath: "\(kept)/\(file)") }
  }
}
