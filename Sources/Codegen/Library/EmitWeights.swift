import IR

// The weights in the form that was asked for: always the blob, and what links it into a program.

extension ModuleEmitter {
  func weightFiles() -> [EmittedLibrary.File] {
    let blob = EmittedLibrary.File("\(options.name).weights", weights.blob)
    switch options.weightsForm {
    case .blob: return [blob]
    case .incbin: return [blob, EmittedLibrary.File("\(options.name)_weights.S", assembler)]
    case .array: return [blob, EmittedLibrary.File("\(options.name)_weights.c", array())]
    }
  }

  /// GNU assembler, through the C compiler. The including build gives the blob's folder with -I.
  private var assembler: String {
    """
    /* \(options.name): the weights as bytes of the program. Assemble with -I and the folder of \(options.name).weights. */
    #if defined(__APPLE__)
    #define SYMBOL _\(prefix)_weights
      .const_data
    #else
    #define SYMBOL \(prefix)_weights
      .section .rodata
    #endif
      .globl SYMBOL
      .balign \(plan.alignment)
    SYMBOL:
      .incbin "\(options.name).weights"
    #if defined(__linux__) && defined(__ELF__)
      .section .note.GNU-stack, "", %progbits
    #endif

    """
  }

  /// An array of words, because they compile four times as fast as bytes. A big-endian machine sees a wrong magic and
  /// is refused.
  private func array() -> String {
    var text = CPrinter.print([.comment(provenance), .include("\(options.name).h", system: false), .blank])
    text += "\(capitals)_ALIGNED(\(plan.alignment)) const uint32_t \(prefix)_weights[\(weights.byteCount / 4)] = {\n"
    var bytes = Array(text.utf8)
    bytes.reserveCapacity(weights.byteCount * 3)
    let digits = Array("0123456789abcdef".utf8)
    for word in 0..<(weights.byteCount / 4) {
      bytes += word % 8 == 0 ? [32, 32] : [32]
      bytes += [48, 120]
      for byte in (0..<4).reversed() {
        let value = Int(weights.blob[4 * word + byte])
        bytes += [digits[value >> 4], digits[value & 15]]
      }
      bytes.append(44)
      if word % 8 == 7 { bytes.append(10) }
    }
    return String(decoding: bytes, as: UTF8.self) + "};\n"
  }
}
