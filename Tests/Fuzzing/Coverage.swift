#if COVERAGE
  import Foundation

  /// libFuzzer in the parent's place: it keeps what reaches code that nothing reached before, and changes that further, by its
  /// own means and by those of the reader. One reader a process, in this one: what ends it is written to the output folder.
  enum Coverage {
    private static let options = Options(Array(CommandLine.arguments.dropFirst()))
    static let reader = Reader.all.first { $0.name == options.readers[0] } ?? Reader.all[0]
    static let seeds = reader.seeds(in: options.root, besides: options.seeds)
    private static let child = Child(reader: reader, seeds: [], seed: 0)
    private static let input = "\(options.output)/\(reader.name)-input\(reader.suffix)"

    static func run() -> Int32 {
      let corpus = "\(options.output)/\(reader.name)-corpus"
      do {
        try FileManager.default.createDirectory(atPath: corpus, withIntermediateDirectories: true)
        for (number, seed) in seeds.enumerated() {
          try Data(seed).write(to: URL(fileURLWithPath: "\(corpus)/seed-\(number)"))
        }
      } catch {
        print("cannot write \(corpus)")
        return 2
      }
      let words = [
        "vigc-fuzz", corpus, "-max_total_time=\(Int(options.minutes * 60))", "-seed=\(options.seed)",
        "-artifact_prefix=\(options.output)/\(reader.name)-", "-max_len=\(1 << 18)", "-timeout=20",
        "-rss_limit_mb=6000",
        "-print_final_stats=1",
      ]
      var count = Int32(words.count)
      let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count + 1)
      for (place, word) in words.enumerated() { pointers[place] = strdup(word) }
      pointers[words.count] = nil
      var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = pointers
      return runDriver(&count, &arguments, fuzzerReads)
    }

    /// Reads one file, a defect in which ends the process.
    static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
      guard FileManager.default.createFile(atPath: input, contents: Data(buffer: bytes)) else { return -1 }
      _ = child.read(input, number: 0)
      return 0
    }

    /// A change that knows the format, where it fits.
    static func change(_ bytes: [UInt8], seed: UInt32) -> [UInt8] {
      var generator = Generator(seed: UInt64(seed))
      _ = generator.next()
      return reader.mutate(bytes, &generator, seeds)
    }
  }

  @_silgen_name("LLVMFuzzerRunDriver")
  private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
  ) -> Int32

  @_silgen_name("LLVMFuzzerMutate")
  private func mutateBytes(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ room: Int) -> Int

  /// What libFuzzer gives each file to; its own `main`, which ours takes the place of, names it too.
  @_cdecl("LLVMFuzzerTestOneInput")
  public func fuzzerReads(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    Coverage.read(UnsafeBufferPointer(start: data, count: size))
  }

  /// What libFuzzer asks for a changed file.
  @_cdecl("LLVMFuzzerCustomMutator")
  public func fuzzerChanges(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ room: Int, _ seed: UInt32) -> Int {
    if size > 0, !seed.isMultiple(of: 3) {
      let changed = Coverage.change(Array(UnsafeBufferPointer(start: data, count: size)), seed: seed)
      if !changed.isEmpty, changed.count <= room {
        for (place, byte) in changed.enumerated() { data[place] = byte }
        return changed.count
      }
    }
    return mutateBytes(data, size, room)
  }
#endif
