// Definitions of the functions that AVX2 spellings call: halving trees, saturation, masks from bits, lanes to the front.

extension Target {
  static let vectorHelpers: [String: String] = {
    var helpers: [String: String] = [
      "vigc_mask_from_bits": ScalarHelpers.function(
        "__m256", "vigc_mask_from_bits", "int bits",
        "const __m256i lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);",
        "const __m256i set = _mm256_and_si256(_mm256_set1_epi32(bits), lanes);",
        "return _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lanes));"),
      "vigc_front_lanes": frontLanes,
      "vigc_compress_f32x8": ScalarHelpers.function(
        "__m256", "vigc_compress_f32x8", "__m256 kept, __m256 a",
        "const int row = (int)vigc_front_lanes[_mm256_movemask_ps(kept)];",
        "const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);",
        "const __m256i lanes = _mm256_srlv_epi32(_mm256_set1_epi32(row), shifts);",
        "const __m256i left_out = _mm256_srai_epi32(_mm256_slli_epi32(lanes, 28), 31);",
        "return _mm256_andnot_ps(_mm256_castsi256_ps(left_out), _mm256_permutevar8x32_ps(a, lanes));"),
      // The instruction gives INT32_MIN for everything out of range: correct from below only.
      "vigc_saturate_f32x8_i32x8": ScalarHelpers.function(
        "__m256i", "vigc_saturate_f32x8_i32x8", "__m256 a",
        "const __m256i big = _mm256_castps_si256(_mm256_cmp_ps(a, _mm256_set1_ps(0x1p31f), _CMP_GE_OQ));",
        "const __m256i number = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_ORD_Q));",
        "const __m256i cut = _mm256_and_si256(_mm256_cvttps_epi32(a), number);",
        "return _mm256_blendv_epi8(cut, _mm256_set1_epi32(INT32_MAX), big);"),
      "vigc_saturate_i32x8_i16x8": narrow("i16", "return _mm_packs_epi32(low, high);"),
      "vigc_saturate_i32x8_u16x8": narrow("u16", "return _mm_packus_epi32(low, high);"),
      "vigc_saturate_i32x8_i8x8": narrow(
        "i8", "return _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());"),
      "vigc_saturate_i32x8_u8x8": narrow(
        "u8", "return _mm_packus_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());"),
    ]
    for operation in ["add", "min", "max"] {
      let real = "vigc_reduce_\(operation)_f32x8"
      helpers[real] = ScalarHelpers.function(
        "float", real, "__m256 v",
        "const __m128 four = _mm_\(operation)_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));",
        "const __m128 two = _mm_\(operation)_ps(four, _mm_movehl_ps(four, four));",
        "return _mm_cvtss_f32(_mm_\(operation)_ss(two, _mm_shuffle_ps(two, two, 1)));")
      let integer = "vigc_reduce_\(operation)_i32x8"
      helpers[integer] = ScalarHelpers.function(
        "int32_t", integer, "__m256i v",
        "const __m128i low = _mm256_castsi256_si128(v);",
        "const __m128i four = _mm_\(operation)_epi32(low, _mm256_extracti128_si256(v, 1));",
        "const __m128i two = _mm_\(operation)_epi32(four, _mm_unpackhi_epi64(four, four));",
        "return _mm_cvtsi128_si32(_mm_\(operation)_epi32(two, _mm_shuffle_epi32(two, 1)));")
    }
    return helpers
  }()

  /// For each set of 8 lanes their numbers in order, 4 bits each from the lowest on, then 8 and up.
  private static var frontLanes: String {
    let rows = (0..<256).map { set -> String in
      let chosen = (0..<8).filter { set >> $0 & 1 == 1 }
      let bits = (0..<8).reduce(UInt32(0)) { $0 | UInt32($1 < chosen.count ? chosen[$1] : 8) << UInt32(4 * $1) }
      return "0x" + String(repeating: "0", count: 8 - String(bits, radix: 16).count) + String(bits, radix: 16)
    }
    let lines = stride(from: 0, to: 256, by: 8).map { "  \(rows[$0..<$0 + 8].joined(separator: ", "))" }
    return "/* For each set of 8 lanes their numbers in order, 4 bits each; 8 where there are no more. */\n"
      + "static const uint32_t vigc_front_lanes[256] = {\n\(lines.joined(separator: ",\n"))\n};"
  }

  private static func narrow(_ element: String, _ result: String) -> String {
    ScalarHelpers.function(
      "__m128i", "vigc_saturate_i32x8_\(element)x8", "__m256i a",
      "const __m128i low = _mm256_castsi256_si128(a);",
      "const __m128i high = _mm256_extracti128_si256(a, 1);", result)
  }
}
