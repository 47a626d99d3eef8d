import IR
import Testing

@testable import Codegen

/// Weights that are damaged in any way are refused by their error code, and nothing beyond their end is read: each header field
/// changed, each length, each bit. The program runs under sanitizers where the compiler has them.
@Suite struct DamagedWeightsTests {
  private static let main = """
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include "sample.h"

    static SAMPLE_DEFINE_ARENA(arena);
    static int failures;

    /* What init and check say of `bytes` bytes that end where nothing may be read. */
    static void expect(const unsigned char *content, size_t bytes, int init, int check, const char *what, size_t place)
    {
      void *memory = NULL;
      sample_t m, before;
      if (posix_memalign(&memory, SAMPLE_ALIGNMENT, bytes == 0 ? 1 : bytes) != 0) exit(3);
      memcpy(memory, content, bytes);
      memset(&m, 0x5a, sizeof m);
      before = m;
      const int found_init = sample_init(&m, memory, bytes, &arena, sizeof arena, NULL);
      const int found_check = sample_check_weights(memory, bytes);
      const int touched = found_init != SAMPLE_OK && memcmp(&m, &before, sizeof m) != 0;
      if (found_init != init || found_check != check || touched) {
        failures++;
        printf("%s at %zu: init %d, check %d, touched %d\\n", what, place, found_init, found_check, touched);
      }
      free(memory);
    }

    int main(void)
    {
      static const struct { size_t at, size; int code; const char *name; } fields[] = {
        {0, 8, SAMPLE_ERROR_WEIGHTS, "magic"}, {8, 4, SAMPLE_ERROR_ABI, "format"}, {12, 4, SAMPLE_ERROR_ABI, "order"},
        {16, 16, SAMPLE_ERROR_ABI, "target"}, {32, 4, SAMPLE_ERROR_ABI, "layout"}, {36, 4, SAMPLE_ERROR_ABI, "reserved"},
        {40, 8, SAMPLE_ERROR_WEIGHTS, "id"}, {48, 8, SAMPLE_ERROR_WEIGHTS, "size"}, {56, 8, SAMPLE_ERROR_ABI, "reserved"}};
      static unsigned char good[SAMPLE_WEIGHT_BYTES + 64], bad[SAMPLE_WEIGHT_BYTES + 64];
      const size_t whole = SAMPLE_WEIGHT_BYTES, count = sizeof fields / sizeof *fields;
      int cases = 1, same = 0;
      memcpy(good, sample_weights, whole);
      expect(good, whole, SAMPLE_OK, SAMPLE_OK, "as they are", 0);
      for (size_t f = 0; f < count; f++) {
        for (int how = 0; how < 3; how++, cases++) {
          unsigned char *const field = bad + fields[f].at;
          memcpy(bad, good, whole);
          if (how < 2) memset(field, how == 0 ? 0 : 0xff, fields[f].size);
          if (how == 2) for (size_t i = 0; i < fields[f].size && ++field[i] == 0; i++) {}
          const int changed = memcmp(bad, good, whole) != 0;
          same += !changed;
          expect(bad, whole, changed ? fields[f].code : 0, changed ? fields[f].code : 0, fields[f].name, (size_t)how);
        }
      }
      /* Too short to say what it is, or cut or grown. */
      for (size_t bytes = 0; bytes <= whole + 64; bytes++) {
        if (bytes == whole) continue;
        expect(good, bytes, SAMPLE_ERROR_WEIGHTS, SAMPLE_ERROR_WEIGHTS, "length", bytes);
        cases++;
      }
      for (size_t bit = 0; bit < 8 * whole; bit++, cases++) {
        int code = 0;
        for (size_t f = 0; f < count; f++)
          if (bit / 8 >= fields[f].at && bit / 8 < fields[f].at + fields[f].size) code = fields[f].code;
        memcpy(bad, good, whole);
        bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
        expect(bad, whole, code, code != 0 ? code : SAMPLE_ERROR_WEIGHTS, "bit", bit);
      }
      printf("%d cases, %d unchanged, %d failures\\n", cases, same, failures);
      return failures != 0;
    }
    """

  @Test(arguments: [LibraryOptions.WeightsForm.array, .incbin])
  func everyDamageIsRefused(_ form: LibraryOptions.WeightsForm) async throws {
    let library = try library(LibraryTests.sample(), .scalar, weightsForm: form)
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      try Self.main.write(toFile: "\(directory)/main.c", atomically: true, encoding: .utf8)
      try await Toolchain(cc: "gcc").compile(
        ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-ffp-contract=off", "-I."]
          + ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
          + library.sources + ["main.c", "-o", "main", "-lm"],
        in: directory)
      let output = try await Toolchain.run("\(directory)/main", [], in: directory, seconds: 300)
      #expect(output.succeeded, "\(output.ending): \(output.standardError)")
      let bytes = library.weightBytes
      let cases = 1 + 9 * 3 + (bytes + 64) + 8 * bytes
      // Setting the two reserved fields to zero changes nothing.
      #expect(output.standardOutput == "\(cases) cases, 2 unchanged, 0 failures\n")
    }
  }
}
