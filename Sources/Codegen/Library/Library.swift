import Foundation
import IR

// What one compilation produces: files in memory, written to a directory all at once or not at all.

/// What the emitted library says about itself, and the choices of its packaging.
public struct LibraryOptions: Sendable {
  public enum WeightsForm: String, CaseIterable, Sendable {
    /// A file to load, map or flash.
    case blob
    /// The file, and an assembler source that includes it.
    case incbin
    /// A C array.
    case array
  }

  public enum Threads: String, CaseIterable, Sendable {
    /// The caller brings `parallel_for`, or none.
    case none
    /// A pool over POSIX threads is emitted beside the library.
    case pthread
  }

  /// The model's name: of the files, and in comments.
  public var name: String
  /// The prefix of every symbol and, in capitals, of every macro.
  public var prefix: String
  /// Shapes of the input and output tensors, in order of the program's buffers.
  public var inputShapes: [[Int]]
  public var outputShapes: [[Int]]
  /// "synthetic, seed 0" or a file's base name.
  public var weightsDescription: String
  public var hasSyntheticWeights: Bool
  /// vigc's version, for the header's macros.
  public var version: String
  public var weightsForm: WeightsForm
  public var threads: Threads

  public init(
    name: String, prefix: String? = nil, inputShapes: [[Int]], outputShapes: [[Int]], weightsDescription: String,
    hasSyntheticWeights: Bool = false, version: String = "0.1.0", weightsForm: WeightsForm = .blob,
    threads: Threads = .none
  ) {
    self.name = name
    self.prefix = prefix ?? CNames.identifier(name)
    self.inputShapes = inputShapes
    self.outputShapes = outputShapes
    self.weightsDescription = weightsDescription
    self.hasSyntheticWeights = hasSyntheticWeights
    self.version = version
    self.weightsForm = weightsForm
    self.threads = threads
  }

  /// Throws a `Diagnostic` if the prefix is not a C identifier.
  func validate() throws {
    guard !prefix.isEmpty, CNames.identifier(prefix) == prefix else {
      let close = CNames.identifier(prefix)
      throw Diagnostic("the prefix \"\(prefix)\" is not a C identifier; \(close) would be one")
    }
  }
}

/// A compiled model's files.
public struct EmittedLibrary: Sendable {
  public struct File: Sendable {
    public var name: String
    public var contents: [UInt8]

    public init(_ name: String, _ contents: [UInt8]) {
      self.name = name
      self.contents = contents
    }

    init(_ name: String, _ text: String) { self.init(name, Array(text.utf8)) }
  }

  public var options: LibraryOptions
  public var files: [File]
  /// Layer names by profile index.
  public var layers: [String]
  /// The whole weights blob.
  public var weightBytes: Int
  public var arenaBytes: Int
  /// Elements of the input and output tensors.
  public var inputElements: [Int]
  public var outputElements: [Int]
  public var inputTypes: [ElementType]
  public var outputTypes: [ElementType]
  public var maxWorkers: Int
  public var target: Target

  /// The text of a file, if there is one of that name.
  public func text(of name: String) -> String? {
    files.first { $0.name == name }.map { String(decoding: $0.contents, as: UTF8.self) }
  }

  /// The blob of this library with the id of `other`, so that code compiled for one set of weights runs on another. It
  /// shows what a changed weight changes. Nil if the two are laid out differently.
  public func weightsBlob(withIDOf other: EmittedLibrary) -> [UInt8]? {
    let name = "\(options.name).weights"
    guard var blob = files.first(where: { $0.name == name })?.contents,
      let original = other.files.first(where: { $0.name == "\(other.options.name).weights" })?.contents,
      blob.count == original.count, target.name == other.target.name
    else { return nil }
    blob.replaceSubrange(40..<48, with: original[40..<48])
    return blob
  }

  /// The files that a C compiler takes, headers apart.
  public var sources: [String] { files.map(\.name).filter { $0.hasSuffix(".c") || $0.hasSuffix(".S") } }

  /// Writes every file into `directory`, which is made if it does not exist. Everything is first written beside it and
  /// then moved, so that a full disk leaves nothing half-written. Throws a `Diagnostic`.
  public func write(to directory: String) throws {
    let manager = FileManager.default
    let place = URL(fileURLWithPath: directory)
    let staging = place.deletingLastPathComponent().appendingPathComponent(
      ".\(place.lastPathComponent).vigc-\(ProcessInfo.processInfo.processIdentifier)")
    var step = "make the directory \(directory)"
    do {
      try manager.createDirectory(at: staging, withIntermediateDirectories: true)
      defer { try? manager.removeItem(at: staging) }
      for file in files {
        step = "write \(directory)/\(file.name)"
        try Data(file.contents).write(to: staging.appendingPathComponent(file.name))
      }
      step = "make the directory \(directory)"
      try manager.createDirectory(at: place, withIntermediateDirectories: true)
      for file in files {
        step = "write \(directory)/\(file.name)"
        let from = staging.appendingPathComponent(file.name).path
        guard rename(from, place.appendingPathComponent(file.name).path) == 0 else {
          throw Diagnostic("cannot \(step): \(String(cString: strerror(errno)))")
        }
      }
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw Diagnostic("cannot \(step): \(EmittedLibrary.reason(error))")
    }
  }

  /// The system's own words, if Foundation has wrapped them.
  private static func reason(_ error: any Error) -> String {
    // Foundation keeps no cause for this error.
    if (error as? CocoaError)?.code == .fileWriteOutOfSpace { return String(cString: strerror(ENOSPC)) }
    let wrapped = error as NSError
    let cause = wrapped.userInfo[NSUnderlyingErrorKey] as? NSError ?? wrapped
    if cause.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(cause.code))) }
    return wrapped.localizedDescription
  }
}
