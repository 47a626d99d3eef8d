// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// The newest LLVM below /usr/lib that has libclang's headers: Debian ships no pkg-config file for it.
func newestLLVM() -> String {
  let root = "/usr/lib"
  let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
  let numbers = versions.compactMap { name -> Int? in
    guard name.hasPrefix("llvm-"), let number = Int(name.dropFirst(5)) else { return nil }
    return FileManager.default.fileExists(atPath: "\(root)/\(name)/include/clang-c/Index.h") ? number : nil
  }
  return "\(root)/llvm-\(numbers.max() ?? 14)"
}

/// The READMEs of a target's folders, which are no sources.
func readmes(_ target: String) -> [String] {
  let files = try? FileManager.default.subpathsOfDirectory(atPath: "\(Context.packageDirectory)/\(target)")
  return (files ?? []).filter { $0 == "README.md" || $0.hasSuffix("/README.md") }.sorted()
}

let llvm = newestLLVM()
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
let clangHeaders: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-I\(llvm)/include"])]

let package = Package(
  name: "vigc",
  products: [
    .library(name: "IR", targets: ["IR"]),
    .library(name: "Passes", targets: ["Passes"]),
    .library(name: "Codegen", targets: ["Codegen"]),
    .library(name: "Frontends", targets: ["Frontends"]),
    .executable(name: "vigc", targets: ["vigc"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    .systemLibrary(name: "CBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CClang", providers: [.apt(["libclang-dev"])]),
    .systemLibrary(name: "CImage", providers: [.apt(["libstb-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "IR",
      dependencies: ["CBLAS", .product(name: "RealModule", package: "swift-numerics")],
      exclude: readmes("Sources/IR"), swiftSettings: strict),
    .target(name: "Passes", dependencies: ["IR"], exclude: readmes("Sources/Passes"), swiftSettings: strict),
    .target(
      name: "Codegen",
      dependencies: ["IR", "CClang", .product(name: "Subprocess", package: "swift-subprocess")],
      exclude: readmes("Sources/Codegen"), swiftSettings: strict + clangHeaders,
      linkerSettings: [.unsafeFlags(["-L\(llvm)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(llvm)/lib"])]),
    .target(
      name: "Frontends",
      dependencies: [
        "IR", "CImage", "CZlib", .product(name: "Yams", package: "Yams"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: readmes("Sources/Frontends"),
      swiftSettings: strict),
    .executableTarget(
      name: "vigc",
      dependencies: [
        "IR", "Passes", "Codegen", "Frontends",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      exclude: readmes("Sources/vigc"), swiftSettings: strict + clangHeaders),
    .executableTarget(
      name: "vigc-fuzz",
      dependencies: [
        "IR", "Passes", "Codegen", "Frontends",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Fuzzing", exclude: ["Corpus", "README.md"], swiftSettings: strict + clangHeaders),
    .testTarget(name: "IRTests", dependencies: ["IR"], swiftSettings: strict),
    .testTarget(name: "PassesTests", dependencies: ["IR", "Passes", "Frontends"], swiftSettings: strict),
    .testTarget(name: "AdversaryTests", dependencies: ["IR", "Passes", "Frontends"], swiftSettings: strict),
    .testTarget(
      name: "FileTests", dependencies: ["IR", "Passes", "Codegen", "Frontends"], exclude: ["Cases"],
      swiftSettings: strict + clangHeaders),
    .testTarget(name: "CodegenTests", dependencies: ["IR", "Passes", "Codegen"], swiftSettings: strict + clangHeaders),
    .testTarget(
      name: "FrontendsTests",
      dependencies: ["IR", "Frontends", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
      swiftSettings: strict),
    .testTarget(
      name: "ToolTests", dependencies: ["vigc", "IR", "Passes", "Codegen", "Frontends", "CZlib"],
      swiftSettings: strict + clangHeaders),
  ],
  swiftLanguageModes: [.v6]
)
