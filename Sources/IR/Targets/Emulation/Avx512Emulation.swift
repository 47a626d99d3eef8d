// AVX-512 code on a machine with AVX2: a header that gives the `_mm512_` names our spellings use to functions over two
// 256-bit halves, bit for bit what the instructions compute. Only the runner includes it (`-include`), never a library.

extension Launcher {
  /// AVX-512 through AVX2.
  public static let avx512OnAvx2 = Launcher.standIn(
    StandIn(
      summary: "an emulation on AVX2", fileName: "avx512_emulation.h", header: { Avx512Emulation.header },
      compilerFlags: ["-mavx2", "-mfma", "-mf16c", "-DVIGC_ASSUME_CPU"], machine: .avx2))
}

private enum Avx512Emulation {
  static let header = prologue + halves + lanes + memory + conversions + names

  private static let prologue = """
    #ifndef VIGC_AVX512_EMULATION_H
    #define VIGC_AVX512_EMULATION_H
    #include <immintrin.h>
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>
    #define VIGC_INLINE static __inline __attribute__((always_inline, unused))
    typedef struct { __m256 lo, hi; } vigc_m512;
    typedef struct { __m256i lo, hi; } vigc_m512i;
    VIGC_INLINE vigc_m512 vigc_ps(__m256 lo, __m256 hi) { vigc_m512 r; r.lo = lo; r.hi = hi; return r; }
    VIGC_INLINE vigc_m512i vigc_si(__m256i lo, __m256i hi) { vigc_m512i r; r.lo = lo; r.hi = hi; return r; }
    /* Eight bits of a mask as lanes of ones, and back. */
    VIGC_INLINE __m256i vigc_expand(unsigned bits)
    {
      const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
      return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lanes), lanes);
    }
    VIGC_INLINE uint16_t vigc_mask(__m256i lo, __m256i hi)
    {
      const int low = _mm256_movemask_ps(_mm256_castsi256_ps(lo));
      return (uint16_t)(low | _mm256_movemask_ps(_mm256_castsi256_ps(hi)) << 8);
    }

    """

  /// Operations that are the same on each half.
  private static let halves: String = {
    var text = ""
    for name in ["add_ps", "sub_ps", "mul_ps", "div_ps", "min_ps", "max_ps", "xor_ps", "andnot_ps"] {
      text += """
        VIGC_INLINE vigc_m512 vigc_\(name)(vigc_m512 a, vigc_m512 b)
        { return vigc_ps(_mm256_\(name)(a.lo, b.lo), _mm256_\(name)(a.hi, b.hi)); }

        """
    }
    let integers = [
      ("add_epi32", "add_epi32"), ("sub_epi32", "sub_epi32"), ("mullo_epi32", "mullo_epi32"),
      ("min_epi32", "min_epi32"), ("max_epi32", "max_epi32"), ("min_epu32", "min_epu32"), ("max_epu32", "max_epu32"),
      ("and_si512", "and_si256"), ("or_si512", "or_si256"), ("xor_si512", "xor_si256"),
      ("sllv_epi32", "sllv_epi32"), ("srav_epi32", "srav_epi32"), ("srlv_epi32", "srlv_epi32"),
    ]
    for (wide, half) in integers {
      text += """
        VIGC_INLINE vigc_m512i vigc_\(wide)(vigc_m512i a, vigc_m512i b)
        { return vigc_si(_mm256_\(half)(a.lo, b.lo), _mm256_\(half)(a.hi, b.hi)); }

        """
    }
    for (name, expression) in comparisons {
      text += """
        VIGC_INLINE uint16_t vigc_\(name)(vigc_m512i a, vigc_m512i b)
        {
          const __m256i flip = _mm256_set1_epi32(INT32_MIN), ones = _mm256_set1_epi32(-1);
          (void)flip; (void)ones;
          return vigc_mask(\(expression("lo")), \(expression("hi")));
        }

        """
    }
    return text
  }()

  /// Integer comparisons as expressions of one half; unsigned ones are signed ones with the top bit flipped.
  private static let comparisons: [(String, @Sendable (String) -> String)] = ["epi32", "epu32"].flatMap { sign in
    @Sendable func side(_ name: String, _ half: String) -> String {
      sign == "epi32" ? "\(name).\(half)" : "_mm256_xor_si256(\(name).\(half), flip)"
    }
    @Sendable func greater(_ a: String, _ b: String, _ half: String) -> String {
      "_mm256_cmpgt_epi32(\(side(a, half)), \(side(b, half)))"
    }
    @Sendable func equal(_ half: String) -> String { "_mm256_cmpeq_epi32(a.\(half), b.\(half))" }
    let pairs: [(String, @Sendable (String) -> String)] = [
      ("cmplt_\(sign)_mask", { greater("b", "a", $0) }),
      ("cmple_\(sign)_mask", { "_mm256_xor_si256(\(greater("a", "b", $0)), ones)" }),
      ("cmpeq_\(sign)_mask", { equal($0) }),
      ("cmpneq_\(sign)_mask", { "_mm256_xor_si256(\(equal($0)), ones)" }),
    ]
    return pairs
  }

  private static let lanes = """
    VIGC_INLINE vigc_m512 vigc_set1_ps(float v) { return vigc_ps(_mm256_set1_ps(v), _mm256_set1_ps(v)); }
    VIGC_INLINE vigc_m512i vigc_set1_epi32(int v) { return vigc_si(_mm256_set1_epi32(v), _mm256_set1_epi32(v)); }
    VIGC_INLINE vigc_m512 vigc_setzero_ps(void) { return vigc_set1_ps(0.0f); }
    VIGC_INLINE vigc_m512i vigc_setzero_si512(void) { return vigc_set1_epi32(0); }
    VIGC_INLINE vigc_m512 vigc_setr_ps(float a, float b, float c, float d, float e, float f, float g, float h, float i,
        float j, float k, float l, float m, float n, float o, float p)
    { return vigc_ps(_mm256_setr_ps(a, b, c, d, e, f, g, h), _mm256_setr_ps(i, j, k, l, m, n, o, p)); }
    VIGC_INLINE vigc_m512i vigc_setr_epi32(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k,
        int l, int m, int n, int o, int p)
    { return vigc_si(_mm256_setr_epi32(a, b, c, d, e, f, g, h), _mm256_setr_epi32(i, j, k, l, m, n, o, p)); }
    VIGC_INLINE vigc_m512 vigc_sqrt_ps(vigc_m512 a) { return vigc_ps(_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)); }
    VIGC_INLINE vigc_m512i vigc_abs_epi32(vigc_m512i a)
    { return vigc_si(_mm256_abs_epi32(a.lo), _mm256_abs_epi32(a.hi)); }
    VIGC_INLINE vigc_m512 vigc_fmadd_ps(vigc_m512 a, vigc_m512 b, vigc_m512 c)
    { return vigc_ps(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)); }
    VIGC_INLINE __m256 vigc_half_range_ps(__m256 a, __m256 b)
    {
      const __m256 sign = _mm256_set1_ps(-0.0f);
      return _mm256_or_ps(_mm256_min_ps(_mm256_andnot_ps(sign, a), _mm256_andnot_ps(sign, b)), _mm256_and_ps(sign, a));
    }
    VIGC_INLINE vigc_m512 vigc_range_ps(vigc_m512 a, vigc_m512 b, int how)
    { (void)how; return vigc_ps(vigc_half_range_ps(a.lo, b.lo), vigc_half_range_ps(a.hi, b.hi)); }
    VIGC_INLINE vigc_m512 vigc_roundscale_ps(vigc_m512 a, int how)
    {
      switch (how & 3) {
      case _MM_FROUND_TO_NEG_INF: return vigc_ps(_mm256_floor_ps(a.lo), _mm256_floor_ps(a.hi));
      case _MM_FROUND_TO_POS_INF: return vigc_ps(_mm256_ceil_ps(a.lo), _mm256_ceil_ps(a.hi));
      default:
        return vigc_ps(_mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
            _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
      }
    }
    #define VIGC_COMPARE(p) vigc_mask(_mm256_castps_si256(_mm256_cmp_ps(a.lo, b.lo, p)), \\
        _mm256_castps_si256(_mm256_cmp_ps(a.hi, b.hi, p)))
    VIGC_INLINE uint16_t vigc_cmp_ps_mask(vigc_m512 a, vigc_m512 b, int predicate)
    {
      switch (predicate) {
      case _CMP_LT_OQ: return VIGC_COMPARE(_CMP_LT_OQ);
      case _CMP_LE_OQ: return VIGC_COMPARE(_CMP_LE_OQ);
      case _CMP_EQ_OQ: return VIGC_COMPARE(_CMP_EQ_OQ);
      case _CMP_NEQ_UQ: return VIGC_COMPARE(_CMP_NEQ_UQ);
      case _CMP_GE_OQ: return VIGC_COMPARE(_CMP_GE_OQ);
      case _CMP_GT_OQ: return VIGC_COMPARE(_CMP_GT_OQ);
      default: return VIGC_COMPARE(_CMP_ORD_Q);
      }
    }
    VIGC_INLINE vigc_m512 vigc_mask_blend_ps(uint16_t m, vigc_m512 a, vigc_m512 b)
    {
      return vigc_ps(_mm256_blendv_ps(a.lo, b.lo, _mm256_castsi256_ps(vigc_expand(m & 255u))),
          _mm256_blendv_ps(a.hi, b.hi, _mm256_castsi256_ps(vigc_expand(m >> 8))));
    }
    VIGC_INLINE vigc_m512i vigc_mask_blend_epi32(uint16_t m, vigc_m512i a, vigc_m512i b)
    {
      return vigc_si(_mm256_blendv_epi8(a.lo, b.lo, vigc_expand(m & 255u)),
          _mm256_blendv_epi8(a.hi, b.hi, vigc_expand(m >> 8)));
    }
    VIGC_INLINE vigc_m512i vigc_mask_add_epi32(vigc_m512i old, uint16_t m, vigc_m512i a, vigc_m512i b)
    { return vigc_mask_blend_epi32(m, old, vigc_add_epi32(a, b)); }
    VIGC_INLINE vigc_m512i vigc_permutex2var_epi32(vigc_m512i a, vigc_m512i index, vigc_m512i b)
    {
      int32_t table[32], chosen[16];
      memcpy(table, &a, 64);
      memcpy(table + 16, &b, 64);
      memcpy(chosen, &index, 64);
      for (int i = 0; i < 16; i++) chosen[i] = table[chosen[i] & 31];
      memcpy(&a, chosen, 64);
      return a;
    }
    VIGC_INLINE vigc_m512i vigc_permutexvar_epi32(vigc_m512i index, vigc_m512i a)
    { return vigc_permutex2var_epi32(a, index, a); }
    VIGC_INLINE vigc_m512i vigc_castps_si512(vigc_m512 a)
    { return vigc_si(_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)); }
    VIGC_INLINE vigc_m512 vigc_castsi512_ps(vigc_m512i a)
    { return vigc_ps(_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)); }
    VIGC_INLINE vigc_m512 vigc_permutex2var_ps(vigc_m512 a, vigc_m512i index, vigc_m512 b)
    { return vigc_castsi512_ps(vigc_permutex2var_epi32(vigc_castps_si512(a), index, vigc_castps_si512(b))); }
    VIGC_INLINE vigc_m512 vigc_permutexvar_ps(vigc_m512i index, vigc_m512 a)
    { return vigc_permutex2var_ps(a, index, a); }
    VIGC_INLINE vigc_m512i vigc_maskz_compress_epi32(uint16_t m, vigc_m512i a)
    {
      int32_t lanes[16], front[16] = {0};
      int kept = 0;
      memcpy(lanes, &a, 64);
      for (int i = 0; i < 16; i++) if (m >> i & 1) front[kept++] = lanes[i];
      memcpy(&a, front, 64);
      return a;
    }
    VIGC_INLINE vigc_m512 vigc_maskz_compress_ps(uint16_t m, vigc_m512 a)
    { return vigc_castsi512_ps(vigc_maskz_compress_epi32(m, vigc_castps_si512(a))); }
    #define vigc_extractf32x8_ps(a, half) ((half) ? (a).hi : (a).lo)
    #define vigc_extracti32x8_epi32(a, half) ((half) ? (a).hi : (a).lo)
    #define vigc_castps512_ps256(a) ((a).lo)
    #define vigc_castsi512_si256(a) ((a).lo)

    """

  private static let memory = """
    VIGC_INLINE vigc_m512 vigc_loadu_ps(const void *p)
    { return vigc_ps(_mm256_loadu_ps((const float *)p), _mm256_loadu_ps((const float *)p + 8)); }
    VIGC_INLINE void vigc_storeu_ps(void *p, vigc_m512 a)
    { _mm256_storeu_ps((float *)p, a.lo); _mm256_storeu_ps((float *)p + 8, a.hi); }
    VIGC_INLINE vigc_m512i vigc_loadu_si512(const void *p)
    { return vigc_si(_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)p + 1)); }
    VIGC_INLINE void vigc_storeu_si512(void *p, vigc_m512i a)
    { _mm256_storeu_si256((__m256i *)p, a.lo); _mm256_storeu_si256((__m256i *)p + 1, a.hi); }
    VIGC_INLINE vigc_m512i vigc_maskz_loadu_epi32(uint16_t m, const void *p)
    {
      return vigc_si(_mm256_maskload_epi32((const int *)p, vigc_expand(m & 255u)),
          _mm256_maskload_epi32((const int *)p + 8, vigc_expand(m >> 8)));
    }
    VIGC_INLINE vigc_m512 vigc_maskz_loadu_ps(uint16_t m, const void *p)
    { return vigc_castsi512_ps(vigc_maskz_loadu_epi32(m, p)); }
    VIGC_INLINE void vigc_mask_storeu_epi32(void *p, uint16_t m, vigc_m512i a)
    {
      _mm256_maskstore_epi32((int *)p, vigc_expand(m & 255u), a.lo);
      _mm256_maskstore_epi32((int *)p + 8, vigc_expand(m >> 8), a.hi);
    }
    VIGC_INLINE void vigc_mask_storeu_ps(void *p, uint16_t m, vigc_m512 a)
    { vigc_mask_storeu_epi32(p, m, vigc_castps_si512(a)); }
    VIGC_INLINE vigc_m512i vigc_mask_i32gather_epi32(vigc_m512i old, uint16_t m, vigc_m512i index, const void *p, int scale)
    {
      (void)scale;
      return vigc_si(_mm256_mask_i32gather_epi32(old.lo, (const int *)p, index.lo, vigc_expand(m & 255u), 4),
          _mm256_mask_i32gather_epi32(old.hi, (const int *)p, index.hi, vigc_expand(m >> 8), 4));
    }
    VIGC_INLINE vigc_m512i vigc_i32gather_epi32(vigc_m512i index, const void *p, int scale)
    { return vigc_mask_i32gather_epi32(vigc_setzero_si512(), 0xffff, index, p, scale); }
    VIGC_INLINE vigc_m512 vigc_mask_i32gather_ps(vigc_m512 old, uint16_t m, vigc_m512i index, const void *p, int scale)
    { return vigc_castsi512_ps(vigc_mask_i32gather_epi32(vigc_castps_si512(old), m, index, p, scale)); }
    VIGC_INLINE vigc_m512 vigc_i32gather_ps(vigc_m512i index, const void *p, int scale)
    { return vigc_castsi512_ps(vigc_i32gather_epi32(index, p, scale)); }

    """

  private static let conversions: String = {
    var text = """
      VIGC_INLINE vigc_m512i vigc_cvttps_epi32(vigc_m512 a)
      { return vigc_si(_mm256_cvttps_epi32(a.lo), _mm256_cvttps_epi32(a.hi)); }
      VIGC_INLINE vigc_m512 vigc_cvtepi32_ps(vigc_m512i a)
      { return vigc_ps(_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)); }
      VIGC_INLINE vigc_m512 vigc_cvtph_ps(__m256i a)
      { return vigc_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(a)), _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))); }
      VIGC_INLINE __m256i vigc_cvtps_ph(vigc_m512 a, int how)
      { (void)how; return _mm256_set_m128i(_mm256_cvtps_ph(a.hi, 0), _mm256_cvtps_ph(a.lo, 0)); }
      VIGC_INLINE vigc_m512i vigc_slli_epi32(vigc_m512i a, int n)
      { return vigc_si(_mm256_slli_epi32(a.lo, n), _mm256_slli_epi32(a.hi, n)); }

      """
    for sign in ["i", "u"] {
      text += """
        VIGC_INLINE vigc_m512i vigc_cvtep\(sign)16_epi32(__m256i a)
        {
          return vigc_si(_mm256_cvtep\(sign)16_epi32(_mm256_castsi256_si128(a)),
              _mm256_cvtep\(sign)16_epi32(_mm256_extracti128_si256(a, 1)));
        }
        VIGC_INLINE vigc_m512i vigc_cvtep\(sign)8_epi32(__m128i a)
        { return vigc_si(_mm256_cvtep\(sign)8_epi32(a), _mm256_cvtep\(sign)8_epi32(_mm_srli_si128(a, 8))); }

        """
    }
    let narrowing = [
      ("cvtsepi32_epi8", "int8_t", "int32_t", "v < -128 ? -128 : v > 127 ? 127 : v"),
      ("cvtsepi32_epi16", "int16_t", "int32_t", "v < -32768 ? -32768 : v > 32767 ? 32767 : v"),
      ("cvtusepi32_epi8", "uint8_t", "uint32_t", "v > 255 ? 255 : v"),
      ("cvtusepi32_epi16", "uint16_t", "uint32_t", "v > 65535 ? 65535 : v"),
      ("cvtepi32_epi8", "uint8_t", "uint32_t", "v"), ("cvtepi32_epi16", "uint16_t", "uint32_t", "v"),
    ]
    for (name, narrow, wide, expression) in narrowing {
      let vector = narrow.contains("16") ? "__m256i" : "__m128i"
      text += """
        VIGC_INLINE \(vector) vigc_\(name)(vigc_m512i a)
        {
          \(wide) values[16];
          \(narrow) result[16];
          \(vector) out;
          memcpy(values, &a, 64);
          for (int i = 0; i < 16; i++) { const \(wide) v = values[i]; result[i] = (\(narrow))(\(expression)); }
          memcpy(&out, result, sizeof out);
          return out;
        }

        """
    }
    return text
  }()

  /// The names the emulation stands in for: every one that it defines.
  private static let names: String = {
    let defined = [halves, lanes, memory, conversions].joined()
    var seen: Set<String> = ["ps", "si", "mask", "expand", "m512", "m512i"]
    var text = "#undef __m512\n#undef __m512i\n#define __m512 vigc_m512\n#define __m512i vigc_m512i\n"
    for word in CIdentifiers(defined) where word.hasPrefix("vigc_") {
      let name = String(word.dropFirst(5))
      guard seen.insert(name).inserted else { continue }
      text += "#undef _mm512_\(name)\n#define _mm512_\(name) vigc_\(name)\n"
    }
    return text + "#endif\n"
  }()
}
