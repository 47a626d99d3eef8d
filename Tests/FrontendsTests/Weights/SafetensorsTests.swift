import Foundation
import Frontends
import IR
import Testing

@Suite struct SafetensorsTests {
  /// A file with this header and as many data bytes.
  private func file(_ header: String, data: Int) -> [UInt8] {
    let length = header.utf8.count
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
      + [UInt8](repeating: 1, count: data)
  }

  private func problem(_ header: String, data: Int) -> String {
    message { try Safetensors(bytes: file(header, data: data), file: "w.safetensors") }
  }

  @Test func readsWhatTheReferenceImplementationWrites() throws {
    let file = try Safetensors(path: fixture("weights/mixed.safetensors"))
    #expect(Set(file.names) == ["a.float", "b.half", "c.double", "d.count", "e.bytes"])
    #expect(file.metadata == ["format": "np"])
    let expected = (0..<24).map { Float($0) / 7 }
    #expect(file.tensors["a.float"]?.floats == expected)
    #expect(file.tensors["a.float"]?.shape == [2, 3, 4])
    #expect(file.tensors["c.double"]?.convertedToFloat32()?.floats == expected)
    let halves = try #require(file.tensors["b.half"]?.convertedToFloat32()?.floats)
    #expect(zip(halves, expected).allSatisfy { abs($0 - $1) <= 0x1p-11 * abs($1) })
    #expect(file.tensors["d.count"]?.bytes == [7, 0, 0, 0, 0, 0, 0, 0])
    #expect(file.tensors["d.count"]?.convertedToFloat32() == nil)
  }

  @Test func halfPrecisionConversionIsExact() throws {
    let bits: [UInt16] = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0x3555, 0x7BFF, 0x7C00, 0xFC00]
    let data = TensorData(element: .f16, shape: [bits.count], bytes: bits.withUnsafeBytes { Array($0) })
    let floats = try #require(data.convertedToFloat32()).floats
    let expected: [Float] = [
      0, -0.0, 0x1p-24, -0x1.ff8p-15, 0x1p-14, 1, 0x1.554p-2, 65504, .infinity, -.infinity,
    ]
    #expect(floats.map(\.bitPattern) == expected.map(\.bitPattern))
    let brain = TensorData(element: .bf16, shape: [2], bytes: [0x80, 0x3F, 0x49, 0xC0])
    #expect(brain.convertedToFloat32()?.floats == [1, -3.140625])
  }

  @Test func roundTripsDeterministically() throws {
    var tensors: [String: TensorData] = [:]
    for (index, element) in ElementType.allCases.enumerated() {
      let bytes = (0..<6 * element.byteCount).map { UInt8(truncatingIfNeeded: $0 * 7 + index) }
      tensors["t\(index)"] = TensorData(element: element, shape: [2, 3], bytes: bytes)
    }
    tensors["empty"] = TensorData(shape: [0, 4], floats: [])
    tensors["scalar \"quoted\" \\ \n é"] = TensorData(shape: [], floats: [3])
    let file = Safetensors(tensors, metadata: ["b": "2", "a": "1"])
    let bytes = file.fileContents
    let again = try Safetensors(bytes: bytes, file: "again")
    #expect(again.tensors == tensors)
    #expect(again.metadata == ["a": "1", "b": "2"])
    #expect(again.fileContents == bytes)
    try withTemporaryFolder { folder in
      let path = "\(folder)/w.safetensors"
      try file.write(to: path)
      try file.write(to: path)
      #expect(try readFile(path) == bytes)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["w.safetensors"])
      #expect(
        message { try file.write(to: "\(folder)/absent/w") }
          == "cannot write \(folder)/absent/w: No such file or directory")
      #expect(message { try file.write(to: folder) } == "cannot write \(folder): it is a directory")
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func aFullDiskIsReported() {
    let file = Safetensors(["a": TensorData(shape: [2], floats: [1, 2])])
    #expect(message { try file.write(to: "/dev/full") } == "cannot write /dev/full: No space left on device")
  }

  @Test func truncatedFiles() throws {
    let whole = try readFile(fixture("weights/mixed.safetensors"))
    #expect(
      message { try Safetensors(bytes: Array(whole[..<5]), file: "w") }
        == "w: not a safetensors file: 5 bytes, and the header's length alone takes 8")
    #expect(
      message { try Safetensors(bytes: Array(whole[..<100]), file: "w") }.hasPrefix("w: truncated: the header takes"))
    let text = message { try Safetensors(bytes: whole.dropLast(), file: "w") }
    #expect(text.hasPrefix("w: tensor '"))
    #expect(text.contains("truncated or out of range"))
    for length in 0..<whole.count {
      #expect(!message { try Safetensors(bytes: Array(whole[..<length]), file: "w") }.isEmpty)
    }
  }

  /// Each bit of the length and of the header, and each of their bytes as nothing and as all ones.
  @Test func everyBitOfTheHeader() throws {
    let whole = try readFile(fixture("weights/mixed.safetensors"))
    let end = 8 + Int(whole[0]) + Int(whole[1]) << 8
    for place in 0..<end {
      for change in (0..<8).map({ UInt8(1) << $0 }) + [whole[place], ~whole[place]] where change != 0 {
        var bytes = whole
        bytes[place] ^= change
        #expect(succeedsOrDiagnoses { try Safetensors(bytes: bytes, file: "w") }, "byte \(place) changed by \(change)")
      }
    }
  }

  @Test func hostileHeaders() {
    let huge = [UInt8](repeating: 255, count: 16)
    #expect(
      message { try Safetensors(bytes: huge, file: "w") }
        == "w: not a safetensors file: a header of 18446744073709551615 bytes, where at most 8388608 are allowed")
    #expect(
      problem("hello", data: 0) == "w.safetensors: the safetensors header is not JSON: expected a value at byte 0")
    #expect(problem("[]", data: 0) == "w.safetensors: the safetensors header is not a JSON object")
    let good = #""dtype":"F32","shape":[1]"#
    #expect(
      problem(#"{"a":{\#(good),"data_offsets":[0,4]},"a":{\#(good),"data_offsets":[4,8]}}"#, data: 8)
        .contains("the key 'a' appears twice"))
    #expect(
      problem(#"{"a":{\#(good),"data_offsets":[0,4]},"b":{\#(good),"data_offsets":[2,6]}}"#, data: 6)
        == "w.safetensors: tensor 'b' overlaps 'a' at data byte 2")
    #expect(
      problem(#"{"a":{\#(good),"data_offsets":[0,4]},"b":{\#(good),"data_offsets":[5,9]}}"#, data: 9)
        == "w.safetensors: tensor 'b' starts at data byte 5, after a hole from 4")
    #expect(
      problem(#"{"a":{\#(good),"data_offsets":[0,4]}}"#, data: 7) == "w.safetensors: 3 bytes follow the last tensor")
    #expect(
      problem(#"{"a":{\#(good),"data_offsets":[0,8]}}"#, data: 8)
        == "w.safetensors: tensor 'a': F32 of shape [1] does not take the 8 bytes it is given")
    #expect(
      problem(#"{"a":{\#(good),"data_offsets":[4,0]}}"#, data: 8)
        == "w.safetensors: tensor 'a': data_offsets must be two integers, the first at most the second")
    #expect(
      problem(#"{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, data: 1)
        .contains("the dtype 'F8_E4M3' is not one of F32, F64, F16, BF16"))
    #expect(
      problem(#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, data: 4)
        .contains("its shape must be a list of integers of at least 0"))
    let wide = "9223372036854775807"
    #expect(
      problem(#"{"a":{"dtype":"F64","shape":[\#(wide),\#(wide)],"data_offsets":[0,8]}}"#, data: 8)
        .contains("does not take the 8 bytes"))
    #expect(
      problem(#"{"a":{"dtype":"F64","shape":[\#(wide),\#(wide),0],"data_offsets":[0,0]}}"#, data: 0)
        .contains("does not take the 0 bytes"))
    #expect(problem(#"{"a":3}"#, data: 0) == "w.safetensors: tensor 'a': its entry is not a JSON object")
    #expect(problem(#"{"a":{\#(good),"offsets":[0,4]}}"#, data: 4).contains("unknown key 'offsets'"))
    #expect(problem(#"{"__metadata__":{"a":1}}"#, data: 0).contains("'a' in '__metadata__' must be a string"))
    #expect(problem(String(repeating: "[", count: 100_000), data: 0).contains("levels of nesting"))
  }

  @Test func anyMutationSucceedsOrIsDiagnosed() throws {
    let whole = try readFile(fixture("weights/mixed.safetensors"))
    var generator = SeededGenerator(state: 11)
    for round in 0..<3000 {
      let bytes = mutated(whole, with: &generator)
      #expect(succeedsOrDiagnoses { try Safetensors(bytes: bytes, file: "w") }, "round \(round)")
    }
  }
}
