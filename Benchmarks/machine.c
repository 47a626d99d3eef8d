/* What this machine can do at best: multiply-adds, and reading from each level of memory. Compiled once per vector width by
 * `compare`, which links it as a shared library.
 *
 * VECTOR_BYTES is 16, 32 or 64. GNU vector types keep the source the same; -ffp-contract=fast makes the one expression below
 * a fused multiply-add where the machine has one. */
#include <stddef.h>
#include <time.h>

typedef float vector __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES), may_alias));
enum { LANES = VECTOR_BYTES / 4 };

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static vector splat(float value)
{
  vector v;
  for (int i = 0; i < LANES; i++) v[i] = value;
  return v;
}

/* Keeps a value in a register and alive. */
#define KEEP(v) __asm__ volatile("" : "+x"(v))

/* Best GFLOP/s of several tries: twelve independent chains cover a latency of six at two a cycle. */
double peak_gflops(double seconds)
{
  const double end = now() + seconds;
  const int rounds = 20000;
  double best = 0;
  vector factor = splat(0.999f), term = splat(0.001f);
  KEEP(factor);
  KEEP(term);
  do {
    vector c0 = splat(0.1f), c1 = splat(0.2f), c2 = splat(0.3f), c3 = splat(0.4f), c4 = splat(0.5f), c5 = splat(0.6f);
    vector c6 = splat(0.7f), c7 = splat(0.8f), c8 = splat(0.9f), c9 = splat(1.0f), c10 = splat(1.1f), c11 = splat(1.2f);
    const double start = now();
    for (int i = 0; i < rounds; i++) {
#define STEP(c) c = c * factor + term; KEEP(c)
      STEP(c0); STEP(c1); STEP(c2); STEP(c3); STEP(c4); STEP(c5);
      STEP(c6); STEP(c7); STEP(c8); STEP(c9); STEP(c10); STEP(c11);
    }
    const double rate = 12.0 * LANES * 2 * rounds / (now() - start) * 1e-9;
    if (rate > best) best = rate;
  } while (now() < end);
  return best;
}

/* Best GB/s of several sweeps over `bytes` of memory (a multiple of 512), all of it read into registers. */
double read_gbs(const void *memory, size_t bytes, double seconds)
{
  const double end = now() + seconds;
  const vector *p = (const vector *)memory;
  const size_t count = bytes / sizeof(vector);
  /* Sweeps per measurement, so that a measurement takes 100 us at least. */
  const size_t sweeps = bytes < ((size_t)1 << 22) ? ((size_t)1 << 22) / bytes : 1;
  double best = 0;
  do {
    const double start = now();
    for (size_t s = 0; s < sweeps; s++) {
      for (size_t i = 0; i < count; i += 8) {
        vector a = p[i], b = p[i + 1], c = p[i + 2], d = p[i + 3];
        vector e = p[i + 4], f = p[i + 5], g = p[i + 6], h = p[i + 7];
        KEEP(a); KEEP(b); KEEP(c); KEEP(d); KEEP(e); KEEP(f); KEEP(g); KEEP(h);
      }
    }
    const double rate = (double)(sweeps * bytes) / (now() - start) * 1e-9;
    if (rate > best) best = rate;
  } while (now() < end);
  return best;
}
