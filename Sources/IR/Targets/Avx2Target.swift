extension Target {
  /// x86-64 with AVX2, FMA and F16C: eight lanes.
  public static let avx2 = Target(
    name: "avx2", summary: "x86-64 with AVX2, FMA and F16C, 8 lanes", machine: .avx2, lanes: 8, registers: 16,
    cache: Cache(l1: 32 << 10, l2: 512 << 10), fusesMultiplyAdd: true,
    compilerFlags: ["-mavx2", "-mfma", "-mf16c"], headers: .x86, typeNames: types,
    spellings: ScalarSpellings.table(fusesMultiplyAdd: true).merging(spellings) { _, vector in vector },
    helpers: ScalarHelpers.all.merging(vectorHelpers) { _, vector in vector })

  private static let types: [LoopType: String] = [
    .mask(lanes: 1): "int", .mask(lanes: 8): "__m256",
    LoopType(.f32, lanes: 8): "__m256", LoopType(.i32, lanes: 8): "__m256i", LoopType(.u32, lanes: 8): "__m256i",
    LoopType(.i8, lanes: 8): "__m128i", LoopType(.u8, lanes: 8): "__m128i",
    LoopType(.i16, lanes: 8): "__m128i", LoopType(.u16, lanes: 8): "__m128i",
    LoopType(.f16, lanes: 8): "__m128i", LoopType(.bf16, lanes: 8): "__m128i",
  ]

  private static var spellings: [String: String] {
    var table = floats.merging(masks) { first, _ in first }.merging(conversions) { first, _ in first }
    for type in ["i32x8", "u32x8"] { table.merge(integers(type)) { first, _ in first } }
    for type in ["i8x8", "u8x8"] {
      table["load.\(type)"] = "_mm_loadl_epi64((const __m128i *)({0}))"
      table["store.\(type)"] = "_mm_storel_epi64((__m128i *)({0}), {1})"
      table["zero.\(type)"] = "_mm_setzero_si128()"
      table["assemble.\(type)"] = "_mm_setr_epi8({*}, 0, 0, 0, 0, 0, 0, 0, 0)"
      table["splat.\(type)"] = "_mm_set1_epi8((char)({0}))"
    }
    for type in ["i16x8", "u16x8", "f16x8", "bf16x8"] {
      table["load.\(type)"] = "_mm_loadu_si128((const __m128i *)({0}))"
      table["store.\(type)"] = "_mm_storeu_si128((__m128i *)({0}), {1})"
      table["zero.\(type)"] = "_mm_setzero_si128()"
      table["assemble.\(type)"] = "_mm_setr_epi16({*})"
      table["splat.\(type)"] = "_mm_set1_epi16((short)({0}))"
    }
    table["prefetch"] = "_mm_prefetch((const char *)({0}), _MM_HINT_T0)"
    return table
  }

  private static let floats: [String: String] = {
    var table: [String: String] = [
      "neg.f32x8": "_mm256_xor_ps({0}, _mm256_set1_ps(-0.0f))",
      "abs.f32x8": "_mm256_andnot_ps(_mm256_set1_ps(-0.0f), {0})",
      "sqrt.f32x8": "_mm256_sqrt_ps({0})",
      "floor.f32x8": "_mm256_floor_ps({0})",
      "ceil.f32x8": "_mm256_ceil_ps({0})",
      "round.f32x8": "_mm256_round_ps({0}, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)",
      "fma.f32x8": "_mm256_fmadd_ps({0}, {1}, {2})",
      "select.f32x8": "_mm256_blendv_ps({2}, {1}, {0})",
      "zero.f32x8": "_mm256_setzero_ps()",
      "splat.f32x8": "_mm256_set1_ps({0})",
      "broadcast.f32x8": "_mm256_broadcast_ss({0})",
      "assemble.f32x8": "_mm256_setr_ps({*})",
      "load.f32x8": "_mm256_loadu_ps({0})",
      "store.f32x8": "_mm256_storeu_ps({0}, {1})",
      "maskload.f32x8": "_mm256_maskload_ps({0}, _mm256_castps_si256({1}))",
      "maskstore.f32x8": "_mm256_maskstore_ps({0}, _mm256_castps_si256({1}), {2})",
      "permute.f32x8": "_mm256_permutevar8x32_ps({0}, {1})",
      "shuffle.f32x8": "_mm256_permutevar8x32_ps({0}, _mm256_setr_epi32({1}))",
      "shuffle2.f32x8": "_mm256_blend_ps(_mm256_permutevar8x32_ps({0}, _mm256_setr_epi32({2})), "
        + "_mm256_permutevar8x32_ps({1}, _mm256_setr_epi32({2})), {3})",
      "compress.f32x8": "vigc_compress_f32x8({0}, {1})",
      "gather.f32x8": "_mm256_i32gather_ps({0}, {1}, 4)",
      "maskgather.f32x8": "_mm256_mask_i32gather_ps(_mm256_setzero_ps(), {0}, {1}, {2}, 4)",
    ]
    for operation in ["add", "sub", "mul", "div", "min", "max"] {
      table["\(operation).f32x8"] = "_mm256_\(operation)_ps({0}, {1})"
    }
    for operation in ["add", "min", "max"] {
      table["reduce\(operation).f32x8"] = "vigc_reduce_\(operation)_f32x8({0})"
      table["reduce\(operation).i32x8"] = "vigc_reduce_\(operation)_i32x8({0})"
    }
    table["reduceadd.u32x8"] = "(uint32_t)vigc_reduce_add_i32x8({0})"
    let predicates = ["lt": "LT_OQ", "le": "LE_OQ", "eq": "EQ_OQ", "ne": "NEQ_UQ", "ge": "GE_OQ", "gt": "GT_OQ"]
    for (key, predicate) in predicates { table["\(key).f32x8"] = "_mm256_cmp_ps({0}, {1}, _CMP_\(predicate))" }
    return table
  }()

  private static let masks: [String: String] = [
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

  private static let conversions: [String: String] = {
    var table: [String: String] = [
      "convert.f32x8.i32x8": "_mm256_cvttps_epi32({0})",
      "convert.i32x8.f32x8": "_mm256_cvtepi32_ps({0})",
      "saturate.f32x8.i32x8": "vigc_saturate_f32x8_i32x8({0})",
      "convert.f16x8.f32x8": "_mm256_cvtph_ps({0})",
      "convert.f32x8.f16x8": "_mm256_cvtps_ph({0}, _MM_FROUND_TO_NEAREST_INT)",
      "convert.bf16x8.f32x8": "_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32({0}), 16))",
      "bits.i32x8.u32x8": "{0}", "bits.u32x8.i32x8": "{0}",
    ]
    for type in ["i32x8", "u32x8"] {
      table["bits.f32x8.\(type)"] = "_mm256_castps_si256({0})"
      table["bits.\(type).f32x8"] = "_mm256_castsi256_ps({0})"
      table["convert.i8x8.\(type)"] = "_mm256_cvtepi8_epi32({0})"
      table["convert.u8x8.\(type)"] = "_mm256_cvtepu8_epi32({0})"
      table["convert.i16x8.\(type)"] = "_mm256_cvtepi16_epi32({0})"
      table["convert.u16x8.\(type)"] = "_mm256_cvtepu16_epi32({0})"
    }
    for narrow in ["i8", "u8", "i16", "u16"] {
      table["saturate.i32x8.\(narrow)x8"] = "vigc_saturate_i32x8_\(narrow)x8({0})"
      // A plain conversion's value fits, so saturating it is the same.
      table["convert.i32x8.\(narrow)x8"] = "vigc_saturate_i32x8_\(narrow)x8({0})"
    }
    return table
  }()

  private static func integers(_ type: String) -> [String: String] {
    let sign = type.hasPrefix("i") ? "epi32" : "epu32"
    let ones = "_mm256_set1_epi32(-1)"
    var table: [String: String] = [
      "add": "_mm256_add_epi32({0}, {1})", "sub": "_mm256_sub_epi32({0}, {1})",
      "mul": "_mm256_mullo_epi32({0}, {1})",
      "min": "_mm256_min_\(sign)({0}, {1})", "max": "_mm256_max_\(sign)({0}, {1})",
      "and": "_mm256_and_si256({0}, {1})", "or": "_mm256_or_si256({0}, {1})", "xor": "_mm256_xor_si256({0}, {1})",
      "not": "_mm256_xor_si256({0}, \(ones))", "neg": "_mm256_sub_epi32(_mm256_setzero_si256(), {0})",
      "shl": "_mm256_sllv_epi32({0}, {1})",
      "shr": type.hasPrefix("i") ? "_mm256_srav_epi32({0}, {1})" : "_mm256_srlv_epi32({0}, {1})",
      "eq": "_mm256_castsi256_ps(_mm256_cmpeq_epi32({0}, {1}))",
      "ne": "_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpeq_epi32({0}, {1}), \(ones)))",
      "select": "_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps({2}), _mm256_castsi256_ps({1}), {0}))",
      "zero": "_mm256_setzero_si256()", "splat": "_mm256_set1_epi32((int32_t)({0}))",
      "assemble": "_mm256_setr_epi32({*})",
      "load": "_mm256_loadu_si256((const __m256i *)({0}))",
      "store": "_mm256_storeu_si256((__m256i *)({0}), {1})",
      "maskload": "_mm256_maskload_epi32((const int *)({0}), _mm256_castps_si256({1}))",
      "maskstore": "_mm256_maskstore_epi32((int *)({0}), _mm256_castps_si256({1}), {2})",
      "iota": "_mm256_add_epi32(_mm256_set1_epi32((int32_t)({0})), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))",
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
    if type.hasPrefix("i") {
      table["abs"] = "_mm256_abs_epi32({0})"
      table["lt"] = "_mm256_castsi256_ps(_mm256_cmpgt_epi32({1}, {0}))"
      table["gt"] = "_mm256_castsi256_ps(_mm256_cmpgt_epi32({0}, {1}))"
      table["le"] = "_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpgt_epi32({0}, {1}), \(ones)))"
      table["ge"] = "_mm256_castsi256_ps(_mm256_xor_si256(_mm256_cmpgt_epi32({1}, {0}), \(ones)))"
    }
    return Dictionary(uniqueKeysWithValues: table.map { ("\($0.key).\(type)", $0.value) })
  }
}
