import IR

extension TensorData {
  /// The contents as float32, from any floating-point type and rounded to nearest; nil for integers.
  public func convertedToFloat32() -> TensorData? {
    switch element {
    case .f32: self
    case .f64: TensorData(shape: shape, floats: words(UInt64.self).map { Float(Double(bitPattern: $0)) })
    case .f16: TensorData(shape: shape, floats: words(UInt16.self).map { Float(halfBits: $0) })
    case .bf16: TensorData(shape: shape, floats: words(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) })
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: nil
    }
  }

  private func words<Word: FixedWidthInteger>(_: Word.Type) -> [Word] {
    bytes.withUnsafeBytes { buffer in
      (0..<count).map {
        Word(littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Word>.size, as: Word.self))
      }
    }
  }
}

extension Float {
  /// An IEEE half by its bits; exact. By hand, as `Float16` does not exist on every host.
  init(halfBits bits: UInt16) {
    let sign: Float = bits >> 15 == 0 ? 1 : -1
    let exponent = Int(bits >> 10 & 0x1F)
    let fraction = bits & 0x3FF
    switch exponent {
    case 0: self = sign * Float(fraction) * 0x1p-24
    case 31: self = fraction == 0 ? sign * .infinity : .nan
    default: self = sign * Float(fraction | 0x400) * Float(sign: .plus, exponent: exponent - 25, significand: 1)
    }
  }
}
