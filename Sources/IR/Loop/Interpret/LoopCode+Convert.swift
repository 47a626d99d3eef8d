// Elements of any type as `Int` or `Double`, one at a time, and conversions made of that.

extension LoopCode {
  static func integerReader(_ place: Place, _ type: LoopType) -> (Int) -> Int {
    func reader<T: FixedWidthInteger>(_: T.Type) -> (Int) -> Int {
      let x = place.assumingMemoryBound(to: T.self)
      return { Int(truncatingIfNeeded: x[$0]) }
    }
    switch type.element {
    case .i8: return reader(Int8.self)
    case .u8, .bool: return reader(UInt8.self)
    case .i16: return reader(Int16.self)
    case .u16: return reader(UInt16.self)
    case .i32: return reader(Int32.self)
    case .u32: return reader(UInt32.self)
    case .i64: return reader(Int64.self)
    case .u64: return reader(UInt64.self)
    case .f32, .f64, .f16, .bf16, nil: preconditionFailure("\(type) is no integer; it was not checked")
    }
  }

  static func integerWriter(_ place: Place, _ type: LoopType) -> (Int, Int) -> Void {
    func writer<T: FixedWidthInteger>(_: T.Type) -> (Int, Int) -> Void {
      let x = place.assumingMemoryBound(to: T.self)
      return { x[$0] = T(truncatingIfNeeded: $1) }
    }
    switch type.element {
    case .i8: return writer(Int8.self)
    case .u8: return writer(UInt8.self)
    case .bool:
      let x = place.assumingMemoryBound(to: UInt8.self)
      return { x[$0] = $1 == 0 ? 0 : 1 }
    case .i16: return writer(Int16.self)
    case .u16: return writer(UInt16.self)
    case .i32: return writer(Int32.self)
    case .u32: return writer(UInt32.self)
    case .i64: return writer(Int64.self)
    case .u64: return writer(UInt64.self)
    case .f32:
      let x = place.assumingMemoryBound(to: Float.self)
      return { x[$0] = Float($1) }
    case .f64:
      let x = place.assumingMemoryBound(to: Double.self)
      return { x[$0] = Double($1) }
    case .f16:
      let x = place.assumingMemoryBound(to: UInt16.self)
      return { x[$0] = HalfFloat.f16(Float($1)) }
    case .bf16:
      let x = place.assumingMemoryBound(to: UInt16.self)
      return { x[$0] = HalfFloat.bf16(Float($1)) }
    case nil: preconditionFailure("a mask is no number; its type was not checked")
    }
  }

  static func realReader(_ place: Place, _ type: LoopType) -> (Int) -> Double {
    let (single, half) = (place.assumingMemoryBound(to: Float.self), place.assumingMemoryBound(to: UInt16.self))
    let double = place.assumingMemoryBound(to: Double.self)
    switch type.element {
    case .f32: return { Double(single[$0]) }
    case .f64: return { double[$0] }
    case .f16: return { Double(HalfFloat.float(f16: half[$0])) }
    case .bf16: return { Double(HalfFloat.float(bf16: half[$0])) }
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool, nil:
      preconditionFailure("\(type) is no float; it was not checked")
    }
  }

  /// Doubles to f16 and bf16 go through Float.
  static func realWriter(_ place: Place, _ type: LoopType) -> (Int, Double) -> Void {
    let (single, half) = (place.assumingMemoryBound(to: Float.self), place.assumingMemoryBound(to: UInt16.self))
    let double = place.assumingMemoryBound(to: Double.self)
    switch type.element {
    case .f32: return { single[$0] = Float($1) }
    case .f64: return { double[$0] = $1 }
    case .f16: return { half[$0] = HalfFloat.f16(Float($1)) }
    case .bf16: return { half[$0] = HalfFloat.bf16(Float($1)) }
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool, nil:
      preconditionFailure("\(type) is no float; it was not checked")
    }
  }

  static func convert(
    _ from: LoopType, _ to: LoopType, _ result: Place, _ source: Place, isSaturating: Bool
  ) -> Step {
    let lanes = to.lanes
    if from.element == .u64 || to.element == .u64 {
      let read = wideReader(source, from, to, isSaturating: isSaturating)
      let write = wideWriter(result, to)
      return { for lane in 0..<lanes { write(lane, read(lane)) } }
    }
    guard let target = to.element?.integerRange else {
      if from.element?.isFloat == true {
        let (read, write) = (realReader(source, from), realWriter(result, to))
        return { for lane in 0..<lanes { write(lane, read(lane)) } }
      }
      let (read, write) = (integerReader(source, from), integerWriter(result, to))
      return { for lane in 0..<lanes { write(lane, read(lane)) } }
    }
    let write = integerWriter(result, to)
    guard from.element?.isFloat == true else {
      let read = integerReader(source, from)
      if !isSaturating { return { for lane in 0..<lanes { write(lane, read(lane)) } } }
      return {
        for lane in 0..<lanes { write(lane, min(max(read(lane), target.lowerBound), target.upperBound)) }
      }
    }
    let read = realReader(source, from)
    if isSaturating {
      return { for lane in 0..<lanes { write(lane, saturated(read(lane), target)) } }
    }
    return {
      for lane in 0..<lanes {
        let value = read(lane)
        guard let integer = Int(exactly: value.rounded(.towardZero)), target.contains(integer) else {
          preconditionFailure("convert \(to): \(value) does not fit; saturate would clamp it")
        }
        write(lane, integer)
      }
    }
  }

  /// Truncated and clamped; NaN is zero.
  private static func saturated(_ value: Double, _ target: ClosedRange<Int>) -> Int {
    if value.isNaN { return 0 }
    if value <= Double(target.lowerBound) { return target.lowerBound }
    if value >= Double(target.upperBound) { return target.upperBound }
    return Int(value)
  }

  // MARK: Unsigned integers of 64 bits, the upper half of which no `Int` holds

  /// Elements as they are to be converted: truncated and, where asked, clamped to the result's type.
  private static func wideReader(
    _ place: Place, _ from: LoopType, _ to: LoopType, isSaturating: Bool
  ) -> (Int) -> Int128 {
    let bits = 8 * (to.element?.byteCount ?? 8)
    let isSigned = (to.element?.integerRange?.lowerBound ?? -1) < 0
    let least = isSigned ? -(Int128(1) << Int128(bits - 1)) : 0
    let most = (Int128(1) << Int128(isSigned ? bits - 1 : bits)) - 1
    let clamps = isSaturating && to.element?.isFloat == false
    if from.element?.isFloat == true {
      let read = realReader(place, from)
      return { lane in
        let value = read(lane).rounded(.towardZero)
        if clamps {
          return value.isNaN ? 0 : value <= Double(least) ? least : value >= Double(most) ? most : Int128(value)
        }
        guard let integer = Int128(exactly: value), (least...most).contains(integer) else {
          preconditionFailure("convert \(to): \(value) does not fit; saturate would clamp it")
        }
        return integer
      }
    }
    let unsigned = place.assumingMemoryBound(to: UInt64.self)
    let read: (Int) -> Int128
    if from.element == .u64 {
      read = { Int128(unsigned[$0]) }
    } else {
      let narrow = integerReader(place, from)
      read = { Int128(narrow($0)) }
    }
    return clamps ? { min(max(read($0), least), most) } : read
  }

  private static func wideWriter(_ place: Place, _ type: LoopType) -> (Int, Int128) -> Void {
    switch type.element {
    case .f32, .f16, .bf16:
      let write = realWriter(place, type)
      return { write($0, Double(Float($1))) }
    case .f64:
      let write = realWriter(place, type)
      return { write($0, Double($1)) }
    default:
      let write = integerWriter(place, type)
      return { write($0, Int(truncatingIfNeeded: $1)) }
    }
  }
}
