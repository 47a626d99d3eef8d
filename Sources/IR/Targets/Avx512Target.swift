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
    headers: .x86, typeNames: types512,
    spellings: ScalarSpellings.table(fusesMultiplyAdd: true).merging(spellings512) { _, vector in vector },
    helpers: ScalarHelpers.all.merging(helpers512) { _, vector in vector })

  private static let types512: [LoopType: String] = [
    .mask(lanes: 1): "int", .mask(lanes: 16): "__mmask16",
    LoopType(.f32, lanes: 16): "__m512", LoopType(.i32, lanes: 16): "__m512i", LoopType(.u32, lanes: 16): "__m512i",
    LoopType(.i8, lanes: 16): "__m128i", LoopType(.u8, lanes: 16): "__m128i",
    LoopType(.i16, lanes: 16): "__m256i", LoopType(.u16, lanes: 16): "__m256i",
    LoopType(.f16, lanes: 16): "__m256i", LoopType(.bf16, lanes: 16): "__m256i",
  ]

  private static let lanes512 = (0..<16).map(String.init).joined(separator: ", ")

  private static var spellings512: [String: String] {
    var table = floats512.merging(masks512) { first, _ in first }.merging(conversions512) { first, _ in first }
    for type in ["i32x16", "u32x16"] { table.merge(integers512(type)) { first, _ in first } }
    for type in ["i8x16", "u8x16"] {
      table["load.\(type)"] = "_mm_loadu_si128((const __m128i *)({0}))"
      table["store.\(type)"] = "_mm_storeu_si128((__m128i *)({0}), {1})"
      table["zero.\(type)"] = "_mm_setzero_si128()"
      table["assemble.\(type)"] = "_mm_setr_epi8({*})"
      table["splat.\(type)"] = "_mm_set1_epi8((char)({0}))"
    }
    for type in ["i16x16", "u16x16", "f16x16", "bf16x16"] {
      table["load.\(type)"] = "_mm256_loadu_si256((const __m256i *)({0}))"
      table["store.\(type)"] = "_mm256_storeu_si256((__m256i *)({0}), {1})"
      table["zero.\(type)"] = "_mm256_setzero_si256()"
      table["assemble.\(type)"] = "_mm256_setr_epi16({*})"
      table["splat.\(type)"] = "_mm256_set1_epi16((short)({0}))"
    }
    table["prefetch"] = "_mm_prefetch((const char *)({0}), _MM_HINT_T0)"
    return table
  }

  private static let floats512: [String: String] = {
    var table: [String: String] = [
      "neg.f32x16": "_mm512_xor_ps({0}, _mm512_set1_ps(-0.0f))",
      "abs.f32x16": "_mm512_andnot_ps(_mm512_set1_ps(-0.0f), {0})",
      "sqrt.f32x16": "_mm512_sqrt_ps({0})",
      // The smaller magnitude of the two, with the sign of the first.
      "limit.f32x16": "_mm512_range_ps({0}, {1}, 2)",
      "floor.f32x16": "_mm512_roundscale_ps({0}, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)",
      "ceil.f32x16": "_mm512_roundscale_ps({0}, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)",
      "round.f32x16": "_mm512_roundscale_ps({0}, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)",
      "fma.f32x16": "_mm512_fmadd_ps({0}, {1}, {2})",
      "select.f32x16": "_mm512_mask_blend_ps({0}, {2}, {1})",
      "zero.f32x16": "_mm512_setzero_ps()",
      "splat.f32x16": "_mm512_set1_ps({0})",
      "assemble.f32x16": "_mm512_setr_ps({*})",
      "load.f32x16": "_mm512_loadu_ps({0})",
      "store.f32x16": "_mm512_storeu_ps({0}, {1})",
      "maskload.f32x16": "_mm512_maskz_loadu_ps({1}, {0})",
      "maskstore.f32x16": "_mm512_mask_storeu_ps({0}, {1}, {2})",
      "permute.f32x16": "_mm512_permutexvar_ps({1}, {0})",
      "shuffle.f32x16": "_mm512_permutexvar_ps(_mm512_setr_epi32({1}), {0})",
      "shuffle2.f32x16": "_mm512_permutex2var_ps({0}, _mm512_setr_epi32({2}), {1})",
      "compress.f32x16": "_mm512_maskz_compress_ps({0}, {1})",
      "gather.f32x16": "_mm512_i32gather_ps({1}, {0}, 4)",
      "maskgather.f32x16": "_mm512_mask_i32gather_ps(_mm512_setzero_ps(), {2}, {1}, {0}, 4)",
    ]
    for operation in ["add", "sub", "mul", "div", "min", "max"] {
      table["\(operation).f32x16"] = "_mm512_\(operation)_ps({0}, {1})"
    }
    for operation in ["add", "min", "max"] {
      table["reduce\(operation).f32x16"] = "vigc_reduce_\(operation)_f32x16({0})"
      table["reduce\(operation).i32x16"] = "vigc_reduce_\(operation)_i32x16({0})"
    }
    table["reduceadd.u32x16"] = "(uint32_t)vigc_reduce_add_i32x16({0})"
    let predicates = ["lt": "LT_OQ", "le": "LE_OQ", "eq": "EQ_OQ", "ne": "NEQ_UQ", "ge": "GE_OQ", "gt": "GT_OQ"]
    for (key, predicate) in predicates { table["\(key).f32x16"] = "_mm512_cmp_ps_mask({0}, {1}, _CMP_\(predicate))" }
    return table
  }()

  private static let masks512: [String: String] = [
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

  private static let conversions512: [String: String] = {
    var table: [String: String] = [
      "convert.f32x16.i32x16": "_mm512_cvttps_epi32({0})",
      "convert.i32x16.f32x16": "_mm512_cvtepi32_ps({0})",
      "saturate.f32x16.i32x16": "vigc_saturate_f32x16_i32x16({0})",
      "convert.f16x16.f32x16": "_mm512_cvtph_ps({0})",
      "convert.f32x16.f16x16": "_mm512_cvtps_ph({0}, _MM_FROUND_TO_NEAREST_INT)",
      "convert.bf16x16.f32x16": "_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32({0}), 16))",
      "bits.i32x16.u32x16": "{0}", "bits.u32x16.i32x16": "{0}",
      "saturate.i32x16.i8x16": "_mm512_cvtsepi32_epi8({0})",
      "saturate.i32x16.i16x16": "_mm512_cvtsepi32_epi16({0})",
      "saturate.i32x16.u8x16": "_mm512_cvtusepi32_epi8(_mm512_max_epi32({0}, _mm512_setzero_si512()))",
      "saturate.i32x16.u16x16": "_mm512_cvtusepi32_epi16(_mm512_max_epi32({0}, _mm512_setzero_si512()))",
      "convert.i32x16.i8x16": "_mm512_cvtepi32_epi8({0})",
      "convert.i32x16.u8x16": "_mm512_cvtepi32_epi8({0})",
      "convert.i32x16.i16x16": "_mm512_cvtepi32_epi16({0})",
      "convert.i32x16.u16x16": "_mm512_cvtepi32_epi16({0})",
    ]
    for type in ["i32x16", "u32x16"] {
      table["bits.f32x16.\(type)"] = "_mm512_castps_si512({0})"
      table["bits.\(type).f32x16"] = "_mm512_castsi512_ps({0})"
      table["convert.i8x16.\(type)"] = "_mm512_cvtepi8_epi32({0})"
      table["convert.u8x16.\(type)"] = "_mm512_cvtepu8_epi32({0})"
      table["convert.i16x16.\(type)"] = "_mm512_cvtepi16_epi32({0})"
      table["convert.u16x16.\(type)"] = "_mm512_cvtepu16_epi32({0})"
    }
    return table
  }()

  private static func integers512(_ type: String) -> [String: String] {
    let signed = type.hasPrefix("i")
    let sign = signed ? "epi32" : "epu32"
    var table: [String: String] = [
      "add": "_mm512_add_epi32({0}, {1})", "sub": "_mm512_sub_epi32({0}, {1})",
      "mul": "_mm512_mullo_epi32({0}, {1})",
      "min": "_mm512_min_\(sign)({0}, {1})", "max": "_mm512_max_\(sign)({0}, {1})",
      "and": "_mm512_and_si512({0}, {1})", "or": "_mm512_or_si512({0}, {1})", "xor": "_mm512_xor_si512({0}, {1})",
      "not": "_mm512_xor_si512({0}, _mm512_set1_epi32(-1))",
      "neg": "_mm512_sub_epi32(_mm512_setzero_si512(), {0})",
      "shl": "_mm512_sllv_epi32({0}, {1})",
      "shr": signed ? "_mm512_srav_epi32({0}, {1})" : "_mm512_srlv_epi32({0}, {1})",
      "lt": "_mm512_cmplt_\(sign)_mask({0}, {1})", "le": "_mm512_cmple_\(sign)_mask({0}, {1})",
      "eq": "_mm512_cmpeq_\(sign)_mask({0}, {1})", "ne": "_mm512_cmpneq_\(sign)_mask({0}, {1})",
      "ge": "_mm512_cmple_\(sign)_mask({1}, {0})", "gt": "_mm512_cmplt_\(sign)_mask({1}, {0})",
      "select": "_mm512_mask_blend_epi32({0}, {2}, {1})",
      "zero": "_mm512_setzero_si512()", "splat": "_mm512_set1_epi32((int32_t)({0}))",
      "assemble": "_mm512_setr_epi32({*})",
      "load": "_mm512_loadu_si512({0})", "store": "_mm512_storeu_si512({0}, {1})",
      "maskload": "_mm512_maskz_loadu_epi32({1}, {0})", "maskstore": "_mm512_mask_storeu_epi32({0}, {1}, {2})",
      "iota": "_mm512_add_epi32(_mm512_set1_epi32((int32_t)({0})), _mm512_setr_epi32(\(lanes512)))",
      "permute": "_mm512_permutexvar_epi32({1}, {0})",
      "increment": "vigc_increment_i32x16({0}, {1})",
      "compress": "_mm512_maskz_compress_epi32({0}, {1})",
      "shuffle": "_mm512_permutexvar_epi32(_mm512_setr_epi32({1}), {0})",
      "shuffle2": "_mm512_permutex2var_epi32({0}, _mm512_setr_epi32({2}), {1})",
      "gather": "_mm512_i32gather_epi32({1}, {0}, 4)",
      "maskgather": "_mm512_mask_i32gather_epi32(_mm512_setzero_si512(), {2}, {1}, {0}, 4)",
    ]
    if signed { table["abs"] = "_mm512_abs_epi32({0})" }
    return Dictionary(uniqueKeysWithValues: table.map { ("\($0.key).\(type)", $0.value) })
  }

  /// Halves of a 512-bit vector reduce as AVX2 does from there: the tree is the same.
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
