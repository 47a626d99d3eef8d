/* A model in firmware: the weights in flash, the arena and the tensors at fixed addresses in RAM, no heap, no files.
 *
 * Everything the model needs is known to the linker; `size` on the program says how much flash and RAM that is. Standard
 * output stands for the serial line. */
#include <stdio.h>

#include "pocket.h"

static POCKET_DEFINE_ARENA(arena);
static float image[POCKET_INPUT_ELEMENTS];
static float scores[POCKET_OUTPUT_ELEMENTS];

/* Stands for a camera: the same picture on every machine. */
static void capture(float *pixels)
{
  uint32_t state = 1;
  for (int i = 0; i < POCKET_INPUT_ELEMENTS; i++) {
    state = state * 1664525u + 1013904223u;
    pixels[i] = (float)(state >> 24) / 256.0f;
  }
}

int main(void)
{
  pocket_t model;
  int status = pocket_init(&model, pocket_weights, POCKET_WEIGHT_BYTES, &arena, sizeof arena, NULL);
  if (status == POCKET_OK) {
    /* Costs a pass over the weights; worth it once after flashing. */
    status = pocket_check_weights(pocket_weights, POCKET_WEIGHT_BYTES);
  }
  if (status == POCKET_OK) {
    capture(image);
    status = pocket_run(&model, image, scores);
  }
  if (status != POCKET_OK) {
    puts(pocket_strerror(status));
    return 1;
  }
  for (int i = 0; i < POCKET_OUTPUT_ELEMENTS; i++) {
    printf("class %d %a\n", i, (double)scores[i]);
  }
  return 0;
}
