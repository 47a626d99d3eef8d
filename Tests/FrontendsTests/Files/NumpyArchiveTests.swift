import Foundation
import Frontends
import IR
import Testing

@Suite struct NumpyArchiveTests {
  private let tensors = [
    (name: "stride4", data: TensorData(shape: [1, 2, 3], floats: [1, 2, 3, 4, 5, 6])),
    (name: "a/b", data: TensorData(shape: [], floats: [7])),
  ]

  /// A zip archive as its specification has it, read from its end as unpackers do.
  @Test func isAZipArchive() throws {
    let bytes = try NumpyArchive.contents(tensors)
    func number(_ place: Int, _ count: Int) -> Int {
      (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[place + $1]) }
    }
    let end = bytes.count - 22
    #expect(number(end, 4) == 0x0605_4B50 && number(end + 10, 2) == 2 && number(end + 20, 2) == 0)
    var entry = number(end + 16, 4)
    #expect(entry + number(end + 12, 4) == end)
    for (name, data) in tensors {
      #expect(number(entry, 4) == 0x0201_4B50)
      let length = number(entry + 28, 2)
      #expect(String(decoding: bytes[entry + 46..<entry + 46 + length], as: UTF8.self) == "\(name).npy")
      let file = number(entry + 42, 4)
      #expect(number(file, 4) == 0x0403_4B50)
      // Version, flags, method, date, checksum and sizes are in both places.
      #expect(bytes[file + 4..<file + 30] == bytes[entry + 6..<entry + 32])
      let contents = Array(bytes[(file + 30 + length)...].prefix(number(file + 18, 4)))
      #expect(contents == NumpyFile.contents(data))
      #expect(number(file + 22, 4) == contents.count)
      entry += 46 + length
    }
    #expect(entry == end)
    #expect(try NumpyArchive.contents(tensors) == bytes)
  }

  @Test func oneTensorMayBeAPlainFile() throws {
    try withTemporaryFolder { folder in
      try NumpyArchive.write([tensors[0]], to: "\(folder)/a.npy")
      #expect(try NumpyFile.read("\(folder)/a.npy") == tensors[0].data)
      try NumpyArchive.write([tensors[0]], to: "\(folder)/a.npz")
      #expect(try readFile("\(folder)/a.npz") == NumpyArchive.contents([tensors[0]]))
      #expect(
        message { try NumpyArchive.write(tensors, to: "\(folder)/b.npy") }
          == "\(folder)/b.npy cannot hold 2 outputs; give it a name that ends in .npz")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["a.npy", "a.npz"])
    }
  }
}
