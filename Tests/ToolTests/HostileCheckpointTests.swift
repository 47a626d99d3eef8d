import Foundation
import Frontends
import IR
import Testing

/// Files that no honest program wrote. Each gets one clear error, within a second of processor time and with less than
/// 1 GB of memory, both of which the kernel watches over here.
@Suite struct HostileCheckpointTests {
  /// What the tool says of a file, whose name is left out.
  private func error(_ bytes: [UInt8], name: String = "w.pth", sourceLocation: SourceLocation = #_sourceLocation)
    async throws -> String
  {
    var text = ""
    try await withFolder { folder in
      let path = "\(folder)/\(name)"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      text = try await error(path: path, sourceLocation: sourceLocation)
    }
    return text
  }

  private func error(path: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
    let script = #"ulimit -t 1; ulimit -d 1000000; ulimit -c 0; exec "$0" run "$1" --engine graph --weights "$2""#
    let outcome = try await Tool.run("/bin/sh", ["-c", script, Tool.path, tiny, path])
    let text = outcome.firstError.replacing(path, with: "w")
    #expect(outcome.status == 1, "\(text)", sourceLocation: sourceLocation)
    #expect(text.hasPrefix("vigc: error: "), "\(text)", sourceLocation: sourceLocation)
    return String(text.dropFirst("vigc: error: ".count))
  }

  private func expect(
    _ message: String, of bytes: [UInt8], name: String = "w.pth", sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let text = try await error(bytes, name: name, sourceLocation: sourceLocation)
    #expect(text == message, sourceLocation: sourceLocation)
  }

  /// The error that the pickle of a checkpoint makes.
  private func expect(
    _ message: String, ofPickled value: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await expect(message, of: Forgery.checkpoint(value), sourceLocation: sourceLocation)
  }

  private func expect(
    _ message: String, ofTensor value: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await expect(message, ofPickled: Forgery.dictionary([("t", value)]), sourceLocation: sourceLocation)
  }

  /// The limits do bite: without that, nothing here would be shown.
  @Test func limitsAreKept() async throws {
    let memory = #"ulimit -d 1000000; exec python3 -c 'bytearray(1 << 30)' 2>/dev/null"#
    if try await Tool.run("/bin/sh", ["-c", "command -v python3"]).status == 0 {
      #expect(try await Tool.run("/bin/sh", ["-c", memory]).status != 0)
    }
    #expect(try await Tool.run("/bin/sh", ["-c", "ulimit -t 1; while :; do :; done"]).status != 0)
  }

  // MARK: Archives

  private let fine = Forgery.checkpoint(
    Forgery.dictionary([("t", Forgery.tensor(count: 4, shape: [4], strides: [1]))]))

  @Test func truncated() async throws {
    try await expect(
      "w is not a zip archive, as PyTorch and NumPy write them: damaged, or of another program", of: [])
    for length in [4, fine.count / 2, fine.count - 1] {
      try await expect(
        "w: truncated, or not a whole zip archive: it has no directory at its end", of: Array(fine[..<length]))
    }
    // The end of one, without what it speaks of.
    let directory = try #require(fine.firstRange(of: Forgery.little(0x0201_4B50, 4))).lowerBound
    try await expect(
      "w: truncated, or damaged: its zip directory lies outside of the file",
      of: Array(fine[..<10] + fine[directory...]))
  }

  /// Files with holes: large on paper, and nothing on the disk.
  @Test func larger() async throws {
    try await withFolder { folder in
      for (start, message) in [
        (fine, "w: truncated, or not a whole zip archive: it has no directory at its end"),
        (
          [0, 0, 0x7F, 0, 0, 0, 0, 0] + Array("{".utf8),
          "w: the safetensors header is not JSON: expected a quoted key at byte 1"
        ),
        ([], "w is not a zip archive, as PyTorch and NumPy write them: damaged, or of another program"),
      ] {
        let path = "\(folder)/w.pth"
        try Data(start).write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: 1 << 36)
        try file.close()
        #expect(try await error(path: path) == message)
      }
    }
  }

  @Test func lyingDirectories() async throws {
    func archive(_ change: (inout Forgery.Entry) -> Void) -> [UInt8] {
      var entry = Forgery.Entry(name: "a/data.pkl", contents: Forgery.pickle([0x7D]))
      change(&entry)
      return Forgery.archive([entry])
    }
    try await expect("w: truncated: 'a/data.pkl' lies outside of the file", of: archive { $0.offset = 1 << 20 })
    try await expect("w: 'a/data.pkl' claims 5 bytes of the 4 it takes uncompressed", of: archive { $0.claimed = 5 })
    try await expect("w: 'a/data.pkl' is encrypted", of: archive { $0.flags = 1 })
    try await expect(
      "w: 'a/data.pkl' is compressed by method 14; only stored and deflated entries are read",
      of: archive { $0.method = 14 })
    try await expect(
      "w: 'a/data.pkl' has another checksum than it should: the file is damaged", of: archive { $0.checksum = 1 })
    try await expect(
      "w: 'a/data.pkl' has another name where it lies than in the zip directory",
      of: archive { $0.nameInPlace = "b/data.pkl" })
    try await expect("w: 'a/data.pkl' has no header where the zip directory says", of: archive { $0.offset = 3 })
    let entry = Forgery.Entry(name: "a/data.pkl", contents: Forgery.pickle([0x7D]))
    try await expect("w: two entries are called 'a/data.pkl'", of: Forgery.archive([entry, entry]))
    var other = entry
    other.name = "a/data/0"
    other.offset = 0
    try await expect("w: 'a/data.pkl' overlaps 'a/data/0'", of: Forgery.archive([entry, other]))
    try await expect(
      "w is a zip archive, but neither a PyTorch checkpoint nor .npz",
      of: Forgery.archive([Forgery.Entry(name: "a/data/0", contents: [])]))
  }

  @Test func bombs() async throws {
    let zeros = [UInt8](repeating: 0, count: 1 << 26)
    let bomb = Forgery.Entry(name: "a/data.pkl", contents: zeros, isDeflated: true)
    try await expect("w: 'a/data.pkl' takes 67108864 bytes; at most 16777216 are read", of: Forgery.archive([bomb]))
    var liar = bomb
    liar.claimed = 4_000_000_000
    let stored = Forgery.deflated(zeros).count
    try await expect(
      "w: 'a/data.pkl' claims 4000000000 bytes out of \(stored), more than deflate can make",
      of: Forgery.archive([liar]))
    liar.claimed = 1000
    try await expect("w: 'a/data.pkl' inflates to more than the 1000 bytes it claims", of: Forgery.archive([liar]))
    let pickle = Forgery.pickle([0x7D])
    var short = Forgery.Entry(name: "a/data.pkl", contents: pickle, isDeflated: true, claimed: 1000)
    try await expect("w: 'a/data.pkl' inflates to 4 of the 1000 bytes it claims", of: Forgery.archive([short]))
    short = Forgery.Entry(name: "a/data.pkl", contents: [7, 7, 7, 7], method: 8)
    try await expect("w: 'a/data.pkl' cannot be inflated: the file is damaged", of: Forgery.archive([short]))
  }

  /// Every tensor of the model, in the right shape, out of one storage that first has to be inflated.
  @Test func bombBehindRightNames() async throws {
    let entries = try ModelLoader.load(model: tiny).entries.filter { $0.role != .counter }
    let count = 1 << 24
    func archive(isDeflated: Bool) -> [UInt8] {
      let tensors = entries.map { entry in
        let strides = entry.shape.indices.map { entry.shape[($0 + 1)...].reduce(1, *) }
        return (entry.name, Forgery.tensor(count: count, offset: count - 5000, shape: entry.shape, strides: strides))
      }
      return Forgery.archive([
        Forgery.Entry(name: "a/data.pkl", contents: Forgery.pickle(Forgery.dictionary(tensors))),
        Forgery.Entry(
          name: "a/data/0", contents: [UInt8](repeating: 0, count: 4 * count), isDeflated: isDeflated),
      ])
    }
    let text = try await error(archive(isDeflated: true))
    #expect(text.hasPrefix("w: tensor '\(entries[0].name)' takes "))
    #expect(text.hasSuffix(" bytes, spread over 67108864 of its storage"))
  }

  // MARK: Pickles

  @Test func code() async throws {
    try await withFolder { folder in
      let evidence = "\(folder)/evidence"
      let command = Forgery.text("touch \(evidence)")
      let calls: [(String, [UInt8])] = [
        ("needs Python's 'posix.system'", Forgery.global("posix", "system") + Forgery.tuple(command) + Forgery.reduce),
        ("needs Python's 'builtins.eval'", Forgery.text("builtins") + Forgery.text("eval") + [0x93]),
        ("needs Python's 'torch._utils._rebuild_tensor'", Forgery.global("torch._utils", "_rebuild_tensor")),
        ("needs Python's 'torch.load'", Forgery.global("torch", "load")),
        ("needs Python's 'numpy.load'", Forgery.global("numpy", "load")),
        ("needs Python's 'numpy.core.multiarray.array'", Forgery.global("numpy.core.multiarray", "array")),
        ("needs Python's '_codecs.lookup'", Forgery.global("_codecs", "lookup")),
        ("needs Python's 'models.mobilevig.MobileViG'", Forgery.global("models.mobilevig", "MobileViG")),
        ("needs Python's '?[2J.x'", Forgery.global("\u{1B}[2J", "x")),
        (
          "uses the pickle opcode 0x69, which no file of tensors needs",
          Forgery.mark + command + Array("ios\nsystem\n".utf8)
        ),
        ("uses the pickle opcode 0x6f, which no file of tensors needs", Forgery.mark + [0x6F]),
        ("uses the pickle opcode 0x82, which no file of tensors needs", [0x82, 1]),
        ("uses the pickle opcode 0x92, which no file of tensors needs", [0x92]),
      ]
      for (what, value) in calls {
        try await expect("w \(what), and vigc runs no code of a checkpoint", ofPickled: value)
        try await expect("w \(what), and vigc runs no code of a checkpoint", ofTensor: value)
      }
      #expect(!FileManager.default.fileExists(atPath: evidence))
    }
  }

  /// Known names cannot be put to other uses.
  @Test func knownNamesOutOfPlace() async throws {
    let ordered = Forgery.global("collections", "OrderedDict")
    let namespace = Forgery.global("argparse", "Namespace")
    let calls: [(String, [UInt8])] = [
      ("an OrderedDict with arguments", ordered + Forgery.tuple(Forgery.emptyList) + Forgery.reduce),
      ("a call of what is no function", namespace + Forgery.emptyTuple + Forgery.reduce),
      ("a call of what is no function", Forgery.text("os.system") + Forgery.emptyTuple + Forgery.reduce),
      ("an object of no known kind", ordered + Forgery.emptyTuple + [0x81]),
      ("attributes of what has none", ordered + [0x7D, 0x62]),
      ("attributes of what has none", Forgery.tensor(count: 4, shape: [4], strides: [1]) + [0x7D, 0x62]),
      (
        "a parameter of no tensor",
        Forgery.global("torch._utils", "_rebuild_parameter") + Forgery.emptyTuple + Forgery.reduce
      ),
    ]
    for (what, value) in calls {
      let text = try await error(Forgery.checkpoint(value))
      #expect(text.hasPrefix("w: damaged, or not written by torch.save: \(what) at byte "), "\(text)")
    }
  }

  @Test func cyclesAndDepth() async throws {
    let itself = "w: one of its values contains itself"
    // A list in itself, a dictionary in itself, a tuple in a list in the tuple.
    try await expect(itself, ofPickled: [0x5D, 0x71, 0, 0x68, 0, 0x61])
    try await expect(itself, ofPickled: [0x7D, 0x71, 0] + Forgery.text("a") + [0x68, 0, 0x73])
    try await expect(itself, ofPickled: [0x5D, 0x71, 0, 0x85, 0x71, 1, 0x68, 0, 0x68, 1, 0x61, 0x85, 0x85])
    try await expect(
      "w: its values are nested more than 100 deep", ofPickled: [0x29] + [UInt8](repeating: 0x85, count: 1_000_000))
    // Each list holds the one before twice: 2^60 values if they were copied.
    var laughs: [UInt8] = [0x5D, 0x71, 0]
    for index: UInt8 in 1...60 { laughs += Forgery.mark + [0x68, index - 1, 0x68, index - 1, 0x6C, 0x71, index] }
    try await expect("w holds a list, not a state dict: tensors by name", ofPickled: laughs)
  }

  @Test func endlessPickles() async throws {
    for opcode: UInt8 in [0x4E, 0x28, 0x29, 0x5D] {
      let text = try await error(Forgery.checkpoint([UInt8](repeating: opcode, count: (1 << 24) - 3)))
      #expect(text.contains("more than 2097152 values at byte "), "\(text)")
    }
    // Lists that are appended to over and over, and one value that is remembered under ever new numbers.
    let appended = (0..<1 << 23).map { $0 % 2 == 0 ? UInt8(0x4E) : 0x61 }
    #expect(try await error(Forgery.checkpoint([0x5D] + appended)).contains("more than 2097152 values"))
    let remembered = (0..<3_000_000).flatMap { number -> [UInt8] in [0x72] + Forgery.little(number, 4) }
    #expect(try await error(Forgery.checkpoint([0x4E] + remembered)).contains("more than 2097152 values"))
    // A deep stack under many small steps: none may touch all of it.
    let deep = [UInt8](repeating: 0x4E, count: 1_000_000) + [0x7D]
    let steps = (0..<600_000).map { [0x4E, 0x4E, 0x73][$0 % 3] as UInt8 } + Forgery.integer(3)
    try await expect("w holds a number, not a state dict: tensors by name", ofPickled: deep + steps)
    #expect(
      try await error(Forgery.checkpoint([UInt8](repeating: 0x4E, count: 1 << 24)))
        == "w: 'a/data.pkl' takes 16777219 bytes; at most 16777216 are read")
  }

  @Test func damagedPickles() async throws {
    let calls: [(String, [UInt8])] = [
      ("it is truncated", [0x58] + Forgery.little(1 << 30, 4)),
      ("a length that is none", [0x8D] + Forgery.little(-1, 8)),
      ("it is truncated", [0x8B] + Forgery.little(-1, 4)),
      ("text that is not UTF-8", [0x8C, 1, 0xFF]),
      ("a value that was never remembered", [0x68, 7]),
      ("nothing to remember", [0x71, 7]),
      ("no mark", [0x74]),
      ("too few values", [0x85]),
      ("too few values", [0x4E, 0x28, 0x85]),
      ("elements of no list", [0x7D, 0x4E, 0x61]),
      ("items of no dictionary", [0x5D, 0x4E, 0x4E, 0x73]),
      ("a key without its value", [0x7D, 0x28, 0x4E, 0x75]),
      ("protocol 9, where 2 to 5 are known,", [0x80, 9]),
      ("a name that is no text", [0x4E, 0x4E, 0x93]),
    ]
    for (what, value) in calls {
      let text = try await error(Forgery.checkpoint(value))
      #expect(text.hasPrefix("w: damaged, or not written by torch.save: \(what) at byte "), "\(text)")
    }
    let endless = Forgery.Entry(name: "a/data.pkl", contents: [0x80, 2, 0x7D])
    #expect(try await error(Forgery.archive([endless])).contains("it ends without a stop"))
  }

  // MARK: Tensors

  @Test func wrongKinds() async throws {
    try await expect("w holds a list, not a state dict: tensors by name", ofPickled: [0x5D])
    try await expect("w holds a number, not a state dict: tensors by name", ofPickled: Forgery.integer(3))
    try await expect(
      "w holds a single tensor, not a state dict: tensors by name",
      ofPickled: Forgery.tensor(count: 4, shape: [4], strides: [1]))
    let nowhere =
      "w holds no state dict: neither tensors by name nor a dictionary of them under "
      + "state_dict, model, model_state_dict, net, network, module"
    try await expect(nowhere, ofPickled: Forgery.dictionary([("t", Forgery.integer(3))]))
    try await expect(nowhere, ofPickled: Forgery.dictionary([("state_dict", [0x5D])]))
    let described = "w: damaged, or not written by torch.save: a tensor that is not described as one at byte "
    let rebuild = Forgery.global("torch._utils", "_rebuild_tensor_v2")
    let nothing = rebuild + Forgery.tuple([0x4E], [0x4E], [0x4E], [0x4E], [0x4E], [0x4E]) + Forgery.reduce
    #expect(try await error(Forgery.checkpoint(nothing)).hasPrefix(described))
    #expect(try await error(Forgery.checkpoint(rebuild + Forgery.emptyTuple + Forgery.reduce)).hasPrefix(described))
    #expect(
      try await error(Forgery.checkpoint(Forgery.tuple(Forgery.text("storage")) + [0x51]))
        .contains("a storage that is not described as one"))
    try await expect(
      "w needs Python's 'torch.ComplexFloatStorage', and vigc runs no code of a checkpoint",
      ofTensor: Forgery.tensor(count: 4, type: "ComplexFloatStorage", shape: [4], strides: [1]))
  }

  @Test func shapesAndStrides() async throws {
    func tensor(_ shape: [Int], _ strides: [Int], count: Int = 4, offset: Int = 0) -> [UInt8] {
      Forgery.tensor(count: count, offset: offset, shape: shape, strides: strides)
    }
    let huge = 1 << 40
    let cases: [(String, [UInt8])] = [
      ("has more elements than can be counted: [\(huge), \(huge)]", tensor([huge, huge], [huge, 1])),
      ("reaches element \(huge - 1) of a storage that holds 4", tensor([huge], [1])),
      ("makes \(huge) elements out of 1", tensor([huge], [0])),
      ("has a negative stride: [-1]", tensor([4], [-1], offset: 3)),
      ("has a negative size: [-4]", tensor([-4], [1])),
      ("starts at element -1 of its storage", tensor([4], [1], offset: -1)),
      ("reaches past its storage", tensor([4], [.max])),
      ("reaches past its storage", tensor([2], [1], offset: .max)),
      ("reaches element 4 of a storage that holds 4", tensor([4], [1], offset: 1)),
      ("reaches element 4 of a storage that holds 4", tensor([2, 2], [3, 1])),
      ("has 2 sizes and 1 strides", tensor([2, 2], [1])),
    ]
    for (what, value) in cases { try await expect("w: tensor 't' \(what)", ofTensor: value) }
    try await expect(
      "w: the storage of tensor 't' claims 1152921504606846976 elements of f32 and takes 16 bytes",
      ofTensor: tensor([4], [1], count: 1 << 60))
    try await expect(
      "w: tensor 't' lies in 'data/../0', which is not there",
      ofTensor: Forgery.tensor(key: "../0", count: 4, shape: [4], strides: [1]))
    let pickle = Forgery.pickle(Forgery.dictionary([("t", tensor([4], [1]))]))
    try await expect(
      "w was saved on a machine of the byte order 'big'; only 'little' is read",
      of: Forgery.archive([
        Forgery.Entry(name: "a/data.pkl", contents: pickle),
        Forgery.Entry(name: "a/byteorder", contents: Array("big".utf8)),
      ]))
  }

  // MARK: Other formats

  @Test func numpyArchives() async throws {
    func array(_ header: String, data: Int = 16, name: String = "t.npy") -> [UInt8] {
      let text = Array(header.utf8)
      let contents = [0x93] + Array("NUMPY".utf8) + [1, 0] + Forgery.little(text.count, 2) + text
      return Forgery.archive([
        Forgery.Entry(name: name, contents: contents + [UInt8](repeating: 0, count: data), isDeflated: true),
        Forgery.Entry(name: "other.npy", contents: []),
      ])
    }
    func expect(_ message: String, _ shape: String, type: String = "<f4") async throws {
      let header = "{'descr': '\(type)', 'fortran_order': True, 'shape': \(shape), }"
      try await self.expect(message, of: array(header), name: "w.npz")
    }
    try await expect("w: 't.npy': [5] needs 20 bytes of data, and the file has 16", "(5,)")
    try await expect(
      "w: 't.npy': truncated: [1099511627776, 1099511627776] needs more data than the file has",
      "(1099511627776, 1099511627776)")
    try await expect("w: 't.npy': the shape (-4,) is not a tuple of sizes", "(-4,)")
    try await expect("w: 't.npy': its array has 65 axes", "(\(String(repeating: "1,", count: 65)))")
    try await expect(
      "w: 't.npy': its array has type |O; expected float32 ('<f4'): convert it with .astype(numpy.float32)", "(4,)",
      type: "|O")
    try await self.expect("w: 't.txt' is no .npy file", of: array("", name: "t.txt"), name: "w.npz")
  }

  @Test func safetensorsHeaders() async throws {
    func file(_ header: [UInt8]) -> [UInt8] { Forgery.little(header.count, 8) + header }
    let zeros = (0..<8_000_000).map { $0 % 2 == 0 ? UInt8(0x2C) : 0x30 }
    let many = Array("{\"a\":[0".utf8) + zeros + Array("]}".utf8)
    try await expect("w: tensor 'a': its entry is not a JSON object", of: file(many), name: "w.safetensors")
    try await expect(
      "w: not a safetensors file: a header of 9000000 bytes, where at most 8388608 are allowed",
      of: file(Array("{".utf8) + [UInt8](repeating: 0x20, count: 8_999_999)), name: "w.safetensors")
  }
}
