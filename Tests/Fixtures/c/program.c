/* Written against tiny.h alone: loads the weights, reads an input, runs the model, writes the output. */
#include <stdio.h>
#include <stdlib.h>

#include "tiny.h"

static TINY_DEFINE_ARENA(arena);
static float input[TINY_INPUT_ELEMENTS], output[TINY_OUTPUT_ELEMENTS];

static int read_all(const char *path, void *data, size_t bytes)
{
  FILE *file = fopen(path, "rb");
  const int ok = file != NULL && fread(data, 1, bytes, file) == bytes;
  if (file != NULL) fclose(file);
  return ok;
}

int main(int argc, char **argv)
{
  tiny_t model;
  void *weights = aligned_alloc(TINY_ALIGNMENT, TINY_WEIGHT_BYTES);
  if (argc != 3 || weights == NULL || !read_all(argv[1], weights, TINY_WEIGHT_BYTES)) return 2;
  if (!read_all(argv[2], input, sizeof input)) return 3;
  int status = tiny_check_weights(weights, TINY_WEIGHT_BYTES);
  if (status == TINY_OK) status = tiny_init(&model, weights, TINY_WEIGHT_BYTES, &arena, sizeof arena, NULL);
  if (status == TINY_OK) status = tiny_run(&model, input, output);
  if (status != TINY_OK) fprintf(stderr, "%s\n", tiny_strerror(status));
  else fwrite(output, sizeof output, 1, stdout);
  free(weights);
  return status != TINY_OK;
}
