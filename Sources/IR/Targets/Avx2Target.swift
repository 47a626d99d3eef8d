extension Target {
  /// x86-64 with AVX2, FMA and F16C: eight lanes.
  public static let avx2 = Target(
    name: "avx2", summary: "x86-64 with AVX2, FMA and F16C, 8 lanes", machine: .avx2, lanes: 8, registers: 16,
    cache: Cache(l1: 32 << 10, l2: 512 << 10), fusesMultiplyAdd: true,
    compilerFlags: ["-mavx2", "-mfma", "-mf16c"], headers: .x86, typeNames: X86Vectors.avx2.typeNames,
    spellings: ScalarSpellings.table(fusesMultiplyAdd: true).merging(X86Vectors.avx2.spellings) { _, vector in vector },
    helpers: ScalarHelpers.all.merging(vectorHelpers) { _, vector in vector })
}

extension X86Vectors {
  /// 256 bits. Permutes take eight lanes, compresses and saturations are functions, masks are vectors.
  static let avx2 = X86Vectors(bits: 256, masks: .vectors, own: avx2Spellings)

  private static var avx2Spellings: [String: String] {
    var table = keyed(avx2Floats, .f32, lanes: 8)
    table.merge(avx2Masks) { _, later in later }
    table.merge(keyed(avx2Integers, .i32, lanes: 8)) { _, later in later }
    table.merge(keyed(avx2Integers, .u32, lanes: 8)) { _, later in later }
    table.merge(keyed(avx2SignedComparisons, .i32, lanes: 8)) { _, later in later }
    for narrow in ["i8", "u8", "i16", "u16"] {
      table["saturate.i32x8.\(narrow)x8"] = "vigc_saturate_i32x8_\(narrow)x8({0})"
      // A plain conversion's value fits, so saturating it is the same.
      table["convert.i32x8.\(narrow)x8"] = "vigc_saturate_i32x8_\(narrow)x8({0})"
    }
    return table
  }

  private static let avx2Floats: [String: String] = [
    "floor": "_mm256_floor_ps({0})",
    "ceil": "_mm256_ceil_ps({0})",
    "round": "_mm256_round_ps({0}, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)",
    "select": "_mm256_blendv_ps({2}, {1}, {0})",
    "broadcast": "_mm256_broadcast_ss({0})",
    "maskload": "_mm256_maskload_ps({0}, _mm256_castps_si256({1}))",
    "maskstore": "_mm256_maskstore_ps({0}, _mm256_castps_si256({1}), {2})",
    "permute": "_mm256_permutevar8x32_ps({0}, {1})",
    "shuffle": "_mm256_permutevar8x32_ps({0}, _mm256_setr_epi32({1}))",
    "shuffle2": "_mm256_blend_ps(_mm256_permutevar8x32_ps({0}, _mm256_setr_epi32({2})), "
      + "_mm256_permutevar8x32_ps({1}, _mm256_setr_epi32({2})), {3})",
    "compress": "vigc_compress_f32x8({0}, {1})",
    "gather": "_mm256_i32gather_ps({0}, {1}, 4)",
    "maskgather": "_mm256_mask_i32gather_ps(_mm256_setzero_ps(), {0}, {1}, {2}, 4)",
  ]

  private static let avx2Masks: [String: String] = [
    "and.maskx8": "_mm256_and_ps({0}, {1})",
    "or.maskx8": "_mm256_or_ps({0}, {1})",
    "xor.maskx8": "_mm256_xor_ps({0}, {1})",
    "not.maskx8": "_mm256_xor_ps({0}, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))",
    "any.maskx8": "_mm256_movemask_ps({0}) != 0",
    "all.maskx8": "_mm256_movemask_ps({0}) == 255",
    "count.maskx8": "_mm_popcnt_u32((unsigned)_mm256_movemask_ps({0}))",
    "bits.maskx8": "_mm256_movemask_ps({0})",
    "frombits.maskx8": "vigc_mask_from_bits({0})",
    "lanemask.maskx8": "_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)({0})), "
      + "_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)))",
  ]

  /// Spellings of int32 and of uint32.
  private static let avx2Integers: [String: String] = [
    "eq": "_mm256_castsi256_ps(_mm256_cmpeq_epi32({0}, {1}))",
    "ne": "_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpeq_epi32({0}, {1}), _mm256_set1_epi32(-1)))",
    "select": "_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps({2}), _mm256_castsi256_ps({1}), {0}))",
    "load": "_mm256_loadu_si256((const __m256i *)({0}))",
    "store": "_mm256_storeu_si256((__m256i *)({0}), {1})",
    "maskload": "_mm256_maskload_epi32((const int *)({0}), _mm256_castps_si256({1}))",
    "maskstore": "_mm256_maskstore_epi32((int *)({0}), _mm256_castps_si256({1}), {2})",
    "permute": "_mm256_permutevar8x32_epi32({0}, {1})",
    // A mask's true lanes are -1.
    "increment": "_mm256_sub_epi32({0}, _mm256_castps_si256({1}))",
    "compress": "_mm256_castps_si256(vigc_compress_f32x8({0}, _mm256_castsi256_ps({1})))",
    "shuffle": "_mm256_permutevar8x32_epi32({0}, _mm256_setr_epi32({1}))",
    "shuffle2": "_mm256_blend_epi32(_mm256_permutevar8x32_epi32({0}, _mm256_setr_epi32({2})), "
      + "_mm256_permutevar8x32_epi32({1}, _mm256_setr_epi32({2})), {3})",
    "gather": "_mm256_i32gather_epi32((const int *)({0}), {1}, 4)",
    "maskgather": "_mm256_mask_i32gather_epi32(_mm256_setzero_si256(), (const int *)({0}), {1}, "
      + "_mm256_castps_si256({2}), 4)",
  ]

  /// There are none for uint32, which goes lane by lane.
  private static let avx2SignedComparisons: [String: String] = [
    "lt": "_mm256_castsi256_ps(_mm256_cmpgt_epi32({1}, {0}))",
    "gt": "_mm256_castsi256_ps(_mm256_cmpgt_epi32({0}, {1}))",
    "le": "_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpgt_epi32({0}, {1}), _mm256_set1_epi32(-1)))",
    "ge": "_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpgt_epi32({1}, {0}), _mm256_set1_epi32(-1)))",
  ]
}
