/// A width of x86's vectors, and the C in which AVX2 and AVX-512 differ by nothing but names.
///
/// Takes how wide a vector is, what a mask is, and the spellings that only this width has. Gives the type names and the
/// spellings of a target.
struct X86Vectors {
  /// What holds a mask.
  enum Masks {
    /// A vector of floats whose true lanes are all ones.
    case vectors
    /// An integer with a bit a lane.
    case bits
  }

  /// Bits of a vector of 32-bit lanes: 256 or 512.
  let bits: Int
  let masks: Masks
  /// Spellings of this width alone. Their keys are whole: `load.i32x8`.
  let own: [String: String]

  /// 32-bit lanes of a vector.
  var lanes: Int { bits / 32 }

  /// The C types of this width's vectors and masks. A vector of bytes or words has as many lanes, so it is narrower.
  var typeNames: [LoopType: String] {
    let mask =
      switch masks {
      case .vectors: "__m\(bits)"
      case .bits: "__mmask\(lanes)"
      }
    var names: [LoopType: String] = [.mask(lanes: 1): "int", .mask(lanes: lanes): mask]
    names[LoopType(.f32, lanes: lanes)] = "__m\(bits)"
    for element in [ElementType.i8, .u8, .i16, .u16, .f16, .bf16, .i32, .u32] {
      names[LoopType(element, lanes: lanes)] = "__m\(register(of: element))i"
    }
    return names
  }

  /// Every spelling of this width: the ones that all widths have, and its own.
  var spellings: [String: String] {
    var table = floats
    for type in [integers(signed: true), integers(signed: false), narrow, conversions, own] {
      table.merge(type) { _, later in later }
    }
    table["prefetch"] = "_mm_prefetch((const char *)({0}), _MM_HINT_T0)"
    return table
  }

  /// `table`, whose keys are operations, with the keys of `element`'s vectors.
  static func keyed(_ table: [String: String], _ element: ElementType, lanes: Int) -> [String: String] {
    Dictionary(uniqueKeysWithValues: table.map { ("\($0.key).\(element.rawValue)x\(lanes)", $0.value) })
  }

  /// How the functions of a vector of `bits` start.
  private static func prefix(_ bits: Int) -> String { bits == 128 ? "_mm" : "_mm\(bits)" }

  /// Bits of the register that holds a vector of `element`; a vector of 64 bits has half of one.
  private func register(of element: ElementType) -> Int { max(128, lanes * element.byteCount * 8) }

  private var floats: [String: String] {
    let mm = Self.prefix(bits)
    var table: [String: String] = [
      "neg": "\(mm)_xor_ps({0}, \(mm)_set1_ps(-0.0f))", "abs": "\(mm)_andnot_ps(\(mm)_set1_ps(-0.0f), {0})",
      "sqrt": "\(mm)_sqrt_ps({0})", "fma": "\(mm)_fmadd_ps({0}, {1}, {2})",
      "zero": "\(mm)_setzero_ps()", "splat": "\(mm)_set1_ps({0})", "assemble": "\(mm)_setr_ps({*})",
      "load": "\(mm)_loadu_ps({0})", "store": "\(mm)_storeu_ps({0}, {1})",
    ]
    for operation in ["add", "sub", "mul", "div", "min", "max"] {
      table[operation] = "\(mm)_\(operation)_ps({0}, {1})"
    }
    for operation in ["add", "min", "max"] {
      table["reduce\(operation)"] = "vigc_reduce_\(operation)_f32x\(lanes)({0})"
    }
    let compare =
      switch masks {
      case .vectors: "cmp_ps"
      case .bits: "cmp_ps_mask"
      }
    let predicates = ["lt": "LT_OQ", "le": "LE_OQ", "eq": "EQ_OQ", "ne": "NEQ_UQ", "ge": "GE_OQ", "gt": "GT_OQ"]
    for (key, predicate) in predicates { table[key] = "\(mm)_\(compare)({0}, {1}, _CMP_\(predicate))" }
    return Self.keyed(table, .f32, lanes: lanes)
  }

  /// int32, and uint32 if it is not `signed`.
  private func integers(signed: Bool) -> [String: String] {
    let mm = Self.prefix(bits)
    let sign = signed ? "epi32" : "epu32"
    let counted = (0..<lanes).map(String.init).joined(separator: ", ")
    var table: [String: String] = [
      "add": "\(mm)_add_epi32({0}, {1})", "sub": "\(mm)_sub_epi32({0}, {1})",
      "mul": "\(mm)_mullo_epi32({0}, {1})",
      "min": "\(mm)_min_\(sign)({0}, {1})", "max": "\(mm)_max_\(sign)({0}, {1})",
      "not": "\(mm)_xor_si\(bits)({0}, \(mm)_set1_epi32(-1))",
      "neg": "\(mm)_sub_epi32(\(mm)_setzero_si\(bits)(), {0})",
      "shl": "\(mm)_sllv_epi32({0}, {1})", "shr": "\(mm)_\(signed ? "srav" : "srlv")_epi32({0}, {1})",
      "zero": "\(mm)_setzero_si\(bits)()", "splat": "\(mm)_set1_epi32((int32_t)({0}))",
      "assemble": "\(mm)_setr_epi32({*})",
      "iota": "\(mm)_add_epi32(\(mm)_set1_epi32((int32_t)({0})), \(mm)_setr_epi32(\(counted)))",
    ]
    for operation in ["and", "or", "xor"] { table[operation] = "\(mm)_\(operation)_si\(bits)({0}, {1})" }
    if signed {
      table["abs"] = "\(mm)_abs_epi32({0})"
      for operation in ["add", "min", "max"] {
        table["reduce\(operation)"] = "vigc_reduce_\(operation)_i32x\(lanes)({0})"
      }
    } else {
      table["reduceadd"] = "(uint32_t)vigc_reduce_add_i32x\(lanes)({0})"
    }
    return Self.keyed(table, signed ? .i32 : .u32, lanes: lanes)
  }

  /// Bytes and words, which are only moved and converted.
  private var narrow: [String: String] {
    var all: [String: String] = [:]
    for element in [ElementType.i8, .u8, .i16, .u16, .f16, .bf16] {
      let width = element.byteCount * 8
      let register = register(of: element)
      let mm = Self.prefix(register)
      // If the lanes fill half a register, the rest is zero and does not reach memory.
      let fills = lanes * width == register
      let access = fills ? ("loadu_si\(register)", "storeu_si\(register)") : ("loadl_epi64", "storel_epi64")
      let behind = String(repeating: ", 0", count: register / width - lanes)
      let table: [String: String] = [
        "load": "\(mm)_\(access.0)((const __m\(register)i *)({0}))",
        "store": "\(mm)_\(access.1)((__m\(register)i *)({0}), {1})",
        "zero": "\(mm)_setzero_si\(register)()", "assemble": "\(mm)_setr_epi\(width)({*}\(behind))",
        "splat": "\(mm)_set1_epi\(width)((\(width == 8 ? "char" : "short"))({0}))",
      ]
      all.merge(Self.keyed(table, element, lanes: lanes)) { _, later in later }
    }
    return all
  }

  private var conversions: [String: String] {
    let mm = Self.prefix(bits)
    let shifted = "\(mm)_slli_epi32(\(mm)_cvtepu16_epi32({0}), 16)"
    var table: [String: String] = [
      "convert.f32x\(lanes).i32x\(lanes)": "\(mm)_cvttps_epi32({0})",
      "convert.i32x\(lanes).f32x\(lanes)": "\(mm)_cvtepi32_ps({0})",
      "saturate.f32x\(lanes).i32x\(lanes)": "vigc_saturate_f32x\(lanes)_i32x\(lanes)({0})",
      "convert.f16x\(lanes).f32x\(lanes)": "\(mm)_cvtph_ps({0})",
      "convert.f32x\(lanes).f16x\(lanes)": "\(mm)_cvtps_ph({0}, _MM_FROUND_TO_NEAREST_INT)",
      "convert.bf16x\(lanes).f32x\(lanes)": "\(mm)_castsi\(bits)_ps(\(shifted))",
      "bits.i32x\(lanes).u32x\(lanes)": "{0}", "bits.u32x\(lanes).i32x\(lanes)": "{0}",
    ]
    for type in ["i32x\(lanes)", "u32x\(lanes)"] {
      table["bits.f32x\(lanes).\(type)"] = "\(mm)_castps_si\(bits)({0})"
      table["bits.\(type).f32x\(lanes)"] = "\(mm)_castsi\(bits)_ps({0})"
      for width in [8, 16] {
        table["convert.i\(width)x\(lanes).\(type)"] = "\(mm)_cvtepi\(width)_epi32({0})"
        table["convert.u\(width)x\(lanes).\(type)"] = "\(mm)_cvtepu\(width)_epi32({0})"
      }
    }
    return table
  }
}
