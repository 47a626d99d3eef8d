// Float32 vectors through SIMD types, and copies of a few bytes without a call.

extension LoopCode {
  static func splatFloat(_ result: Place, _ lanes: Int) -> (Float) -> Void {
    func splat<V: SIMD>(_ type: V.Type) -> (Float) -> Void where V.Scalar == Float {
      let d = result.assumingMemoryBound(to: V.self)
      return { d.pointee = V(repeating: $0) }
    }
    switch lanes {
    case 4: return splat(SIMD4<Float>.self)
    case 8: return splat(SIMD8<Float>.self)
    case 16: return splat(SIMD16<Float>.self)
    default:
      let d = result.assumingMemoryBound(to: Float.self)
      return { for lane in 0..<lanes { d[lane] = $0 } }
    }
  }

  static func vectorBinary(
    _ operation: LoopBinary, _ lanes: Int, _ result: Place, _ a: Place, _ b: Place
  ) -> Step? {
    switch lanes {
    case 4: vectorBinary(SIMD4<Float>.self, operation, result, a, b)
    case 8: vectorBinary(SIMD8<Float>.self, operation, result, a, b)
    case 16: vectorBinary(SIMD16<Float>.self, operation, result, a, b)
    default: nil
    }
  }

  @inline(__always)
  private static func vectorBinary<V: SIMD>(
    _ type: V.Type, _ operation: LoopBinary, _ result: Place, _ a: Place, _ b: Place
  ) -> Step? where V.Scalar == Float {
    let d = result.assumingMemoryBound(to: V.self)
    // Halves of a reduction start inside a vector: those may lie unaligned for V.
    let (x, y) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
    switch operation {
    case .add: return { d.pointee = x.loadUnaligned(as: V.self) + y.loadUnaligned(as: V.self) }
    case .subtract: return { d.pointee = x.loadUnaligned(as: V.self) - y.loadUnaligned(as: V.self) }
    case .multiply: return { d.pointee = x.loadUnaligned(as: V.self) * y.loadUnaligned(as: V.self) }
    case .divide: return { d.pointee = x.loadUnaligned(as: V.self) / y.loadUnaligned(as: V.self) }
    case .minimum:
      return {
        let (p, q) = (x.loadUnaligned(as: V.self), y.loadUnaligned(as: V.self))
        d.pointee = q.replacing(with: p, where: p .< q)
      }
    case .maximum:
      return {
        let (p, q) = (x.loadUnaligned(as: V.self), y.loadUnaligned(as: V.self))
        d.pointee = q.replacing(with: p, where: p .> q)
      }
    case .and, .or, .xor, .shiftLeft, .shiftRight: return nil
    }
  }

  static func vectorMultiplyAdd(
    _ lanes: Int, _ result: Place, _ a: Place, _ b: Place, _ c: Place, _ isFused: Bool
  ) -> Step? {
    switch lanes {
    case 4: vectorMultiplyAdd(SIMD4<Float>.self, result, a, b, c, isFused)
    case 8: vectorMultiplyAdd(SIMD8<Float>.self, result, a, b, c, isFused)
    case 16: vectorMultiplyAdd(SIMD16<Float>.self, result, a, b, c, isFused)
    default: nil
    }
  }

  @inline(__always)
  private static func vectorMultiplyAdd<V: SIMD>(
    _ type: V.Type, _ result: Place, _ a: Place, _ b: Place, _ c: Place, _ isFused: Bool
  ) -> Step where V.Scalar == Float {
    let (d, x) = (result.assumingMemoryBound(to: V.self), a.assumingMemoryBound(to: V.self))
    let (y, z) = (b.assumingMemoryBound(to: V.self), c.assumingMemoryBound(to: V.self))
    if isFused { return { d.pointee = z.pointee.addingProduct(x.pointee, y.pointee) } }
    return { d.pointee = x.pointee * y.pointee + z.pointee }
  }

  /// Copies `bytes` bytes from the second place to the first.
  static func copier(_ bytes: Int) -> (Place, UnsafeMutableRawPointer) -> Void {
    func copy<T: BitwiseCopyable>(_ type: T.Type) -> (Place, UnsafeMutableRawPointer) -> Void {
      { $0.storeBytes(of: $1.loadUnaligned(as: T.self), as: T.self) }
    }
    switch bytes {
    case 1: return copy(UInt8.self)
    case 2: return copy(UInt16.self)
    case 4: return copy(UInt32.self)
    case 8: return copy(UInt64.self)
    case 16: return copy(SIMD2<UInt64>.self)
    case 32: return copy(SIMD4<UInt64>.self)
    case 64: return copy(SIMD8<UInt64>.self)
    default: return { $0.copyMemory(from: $1, byteCount: bytes) }
    }
  }
}
