extension Target {
  /// x86-64 with AVX-512 F, BW, VL and DQ: sixteen lanes, 512-bit vectors.
  public static let avx512 = Target(
    name: "avx512", summary: "x86-64 with AVX-512 F, BW, VL and DQ, 16 lanes",
    machine: .processor(.x86, features: [.x86("avx512f"), .x86("avx512bw"), .x86("avx512vl"), .x86("avx512dq")]),
    launcher: .avx512OnAvx2, lanes: 16, registers: 32,
    cache: Cache(l1: 32 << 10, l2: 1 << 20), fusesMultiplyAdd: true,
    compilerFlags: [
      "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512",
    ],
    headers: .x86, typeNames: X86Vectors.avx512.typeNames,
    spellings: ScalarSpellings.table(fusesMultiplyAdd: true).merging(X86Vectors.avx512.spellings) { _, own in own },
    helpers: ScalarHelpers.all.merging(helpers512) { _, vector in vector })

  /// Once a 512-bit vector is halved, it reduces as in AVX2: the tree is the same.
  private static let helpers512: [String: String] = {
    var helpers: [String: String] = [
      "vigc_first_lanes": ScalarHelpers.function(
        "__mmask16", "vigc_first_lanes", "ptrdiff_t n",
        "return n <= 0 ? 0 : n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1u);"),
      "vigc_increment_i32x16": ScalarHelpers.function(
        "__m512i", "vigc_increment_i32x16", "__m512i a, __mmask16 chosen",
        "return _mm512_mask_add_epi32(a, chosen, a, _mm512_set1_epi32(1));"),
      "vigc_saturate_f32x16_i32x16": ScalarHelpers.function(
        "__m512i", "vigc_saturate_f32x16_i32x16", "__m512 a",
        "const __mmask16 big = _mm512_cmp_ps_mask(a, _mm512_set1_ps(0x1p31f), _CMP_GE_OQ);",
        "const __mmask16 number = _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q);",
        "const __m512i cut = _mm512_mask_blend_epi32(number, _mm512_setzero_si512(), _mm512_cvttps_epi32(a));",
        "return _mm512_mask_blend_epi32(big, cut, _mm512_set1_epi32(INT32_MAX));"),
    ]
    for (name, helper) in vectorHelpers where name.hasPrefix("vigc_reduce") { helpers[name] = helper }
    for operation in ["add", "min", "max"] {
      let real = "vigc_reduce_\(operation)_f32x16"
      helpers[real] = ScalarHelpers.function(
        "float", real, "__m512 v",
        "const __m256 high = _mm512_extractf32x8_ps(v, 1);",
        "return vigc_reduce_\(operation)_f32x8(_mm256_\(operation)_ps(_mm512_castps512_ps256(v), high));")
      let integer = "vigc_reduce_\(operation)_i32x16"
      helpers[integer] = ScalarHelpers.function(
        "int32_t", integer, "__m512i v",
        "const __m256i high = _mm512_extracti32x8_epi32(v, 1);",
        "return vigc_reduce_\(operation)_i32x8(_mm256_\(operation)_epi32(_mm512_castsi512_si256(v), high));")
    }
    return helpers
  }()
}

extension X86Vectors {
  /// 512 bits. A mask is a bit a lane, and most instructions take one.
  static let avx512 = X86Vectors(bits: 512, masks: .bits, own: avx512Spellings)

  private static var avx512Spellings: [String: String] {
    var table = keyed(avx512Floats, .f32, lanes: 16)
    table.merge(avx512Masks) { _, later in later }
    table.merge(avx512Saturations) { _, later in later }
    for (element, sign) in [(ElementType.i32, "epi32"), (.u32, "epu32")] {
      table.merge(keyed(avx512Integers, element, lanes: 16)) { _, later in later }
      for compare in ["lt", "le", "eq"] {
        table["\(compare).\(element.rawValue)x16"] = "_mm512_cmp\(compare)_\(sign)_mask({0}, {1})"
      }
      table["ne.\(element.rawValue)x16"] = "_mm512_cmpneq_\(sign)_mask({0}, {1})"
      table["ge.\(element.rawValue)x16"] = "_mm512_cmple_\(sign)_mask({1}, {0})"
      table["gt.\(element.rawValue)x16"] = "_mm512_cmplt_\(sign)_mask({1}, {0})"
    }
    return table
  }

  private static let avx512Floats: [String: String] = [
    // The smaller magnitude of the two, with the sign of the first.
    "limit": "_mm512_range_ps({0}, {1}, 2)",
    "floor": "_mm512_roundscale_ps({0}, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)",
    "ceil": "_mm512_roundscale_ps({0}, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)",
    "round": "_mm512_roundscale_ps({0}, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)",
    "select": "_mm512_mask_blend_ps({0}, {2}, {1})",
    "maskload": "_mm512_maskz_loadu_ps({1}, {0})",
    "maskstore": "_mm512_mask_storeu_ps({0}, {1}, {2})",
    "permute": "_mm512_permutexvar_ps({1}, {0})",
    "shuffle": "_mm512_permutexvar_ps(_mm512_setr_epi32({1}), {0})",
    "shuffle2": "_mm512_permutex2var_ps({0}, _mm512_setr_epi32({2}), {1})",
    "compress": "_mm512_maskz_compress_ps({0}, {1})",
    "gather": "_mm512_i32gather_ps({1}, {0}, 4)",
    "maskgather": "_mm512_mask_i32gather_ps(_mm512_setzero_ps(), {2}, {1}, {0}, 4)",
  ]

  private static let avx512Masks: [String: String] = [
    "and.maskx16": "(__mmask16)({0} & {1})",
    "or.maskx16": "(__mmask16)({0} | {1})",
    "xor.maskx16": "(__mmask16)({0} ^ {1})",
    "not.maskx16": "(__mmask16)~{0}",
    "any.maskx16": "{0} != 0",
    "all.maskx16": "{0} == 0xffff",
    "count.maskx16": "_mm_popcnt_u32({0})",
    "bits.maskx16": "(int){0}",
    "frombits.maskx16": "(__mmask16)({0})",
    "lanemask.maskx16": "vigc_first_lanes({0})",
  ]

  private static let avx512Saturations: [String: String] = [
    "saturate.i32x16.i8x16": "_mm512_cvtsepi32_epi8({0})",
    "saturate.i32x16.i16x16": "_mm512_cvtsepi32_epi16({0})",
    "saturate.i32x16.u8x16": "_mm512_cvtusepi32_epi8(_mm512_max_epi32({0}, _mm512_setzero_si512()))",
    "saturate.i32x16.u16x16": "_mm512_cvtusepi32_epi16(_mm512_max_epi32({0}, _mm512_setzero_si512()))",
    "convert.i32x16.i8x16": "_mm512_cvtepi32_epi8({0})",
    "convert.i32x16.u8x16": "_mm512_cvtepi32_epi8({0})",
    "convert.i32x16.i16x16": "_mm512_cvtepi32_epi16({0})",
    "convert.i32x16.u16x16": "_mm512_cvtepi32_epi16({0})",
  ]

  /// Spellings of int32 and of uint32.
  private static let avx512Integers: [String: String] = [
    "select": "_mm512_mask_blend_epi32({0}, {2}, {1})",
    "load": "_mm512_loadu_si512({0})", "store": "_mm512_storeu_si512({0}, {1})",
    "maskload": "_mm512_maskz_loadu_epi32({1}, {0})", "maskstore": "_mm512_mask_storeu_epi32({0}, {1}, {2})",
    "permute": "_mm512_permutexvar_epi32({1}, {0})",
    "increment": "vigc_increment_i32x16({0}, {1})",
    "compress": "_mm512_maskz_compress_epi32({0}, {1})",
    "shuffle": "_mm512_permutexvar_epi32(_mm512_setr_epi32({1}), {0})",
    "shuffle2": "_mm512_permutex2var_epi32({0}, _mm512_setr_epi32({2}), {1})",
    "gather": "_mm512_i32gather_epi32({1}, {0}, 4)",
    "maskgather": "_mm512_mask_i32gather_epi32(_mm512_setzero_si512(), {2}, {1}, {0}, 4)",
  ]
}
