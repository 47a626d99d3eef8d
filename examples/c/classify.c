/* Reads one image from standard input as float32, C x H x W, and writes the scores to standard output and the best class to
 * standard error. Written against mobilevig_ti.h alone. */
#include <stdio.h>
#include <stdlib.h>
#include "mobilevig_ti.h"

static MOBILEVIG_TI_DEFINE_ARENA(arena);
static float input[MOBILEVIG_TI_INPUT_ELEMENTS], output[MOBILEVIG_TI_OUTPUT_ELEMENTS];

int main(int argc, char **argv)
{
  mobilevig_ti_t model;
  void *weights = aligned_alloc(MOBILEVIG_TI_ALIGNMENT, MOBILEVIG_TI_WEIGHT_BYTES);
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (weights == NULL || file == NULL || fread(weights, MOBILEVIG_TI_WEIGHT_BYTES, 1, file) != 1)
    return fprintf(stderr, "usage: classify mobilevig_ti.weights <image.f32 >scores.f32\n"), 2;
  fclose(file);
  int status = mobilevig_ti_init(&model, weights, MOBILEVIG_TI_WEIGHT_BYTES, &arena, sizeof arena, NULL);
  if (status == MOBILEVIG_TI_OK) {
    if (fread(input, sizeof *input, MOBILEVIG_TI_INPUT_ELEMENTS, stdin) != MOBILEVIG_TI_INPUT_ELEMENTS)
      return fprintf(stderr, "the image is too short\n"), 2;
    status = mobilevig_ti_run(&model, input, output);
  }
  if (status != MOBILEVIG_TI_OK) return fprintf(stderr, "%s\n", mobilevig_ti_strerror(status)), 1;
  int best = 0;
  for (int i = 1; i < MOBILEVIG_TI_OUTPUT_ELEMENTS; i++) best = output[i] > output[best] ? i : best;
  fprintf(stderr, "class %d, score %g\n", best, (double)output[best]);
  return fwrite(output, sizeof *output, MOBILEVIG_TI_OUTPUT_ELEMENTS, stdout) == MOBILEVIG_TI_OUTPUT_ELEMENTS ? 0 : 1;
}
