// The C program that the runner links with a library to execute it: `driver MODE WEIGHTS INPUT OUTPUT THREADS SECONDS`.
// `@P@`, `@U@` and `@N@` as in `LibraryText`; `@CALL@` are statements that call run with `in` and `out`, which point at
// all tensors one after another, and return its status.

enum DriverText {
  static let source = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <time.h>
    #include <unistd.h>

    #include "@N@.h"
    #include "@N@_pthread.h"

    #define INPUT_BYTES ((size_t)@INPUT_BYTES@)
    #define OUTPUT_BYTES ((size_t)@OUTPUT_BYTES@)
    #define LAYERS @LAYERS@

    static double now(void)
    {
      struct timespec t;
      clock_gettime(CLOCK_MONOTONIC, &t);
      return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
    }

    static void fail(const char *what, const char *why)
    {
      fprintf(stderr, "%s: %s\\n", what, why);
      exit(1);
    }

    static double layer_ms[LAYERS + 1], layer_least[LAYERS + 1], layer_start[LAYERS + 1];
    void vigc_profile_begin(int index) { layer_start[index] = now(); }
    void vigc_profile_end(int index)
    {
      const double ms = now() - layer_start[index];
      layer_ms[index] += ms;
      if (layer_least[index] == 0 || ms < layer_least[index]) layer_least[index] = ms;
    }

    static unsigned char *read_file(const char *path, size_t *bytes)
    {
      FILE *f = fopen(path, "rb");
      if (f == NULL) fail(path, "cannot open");
      fseek(f, 0, SEEK_END);
      *bytes = (size_t)ftell(f);
      rewind(f);
      unsigned char *data = aligned_alloc(64, (*bytes + 127) / 64 * 64);
      if (data == NULL || fread(data, 1, *bytes, f) != *bytes) fail(path, "cannot read");
      fclose(f);
      return data;
    }

    static int call(const @P@_t *m, const unsigned char *in, unsigned char *out)
    {
      @CALL@
    }

    static void check(int status, const char *what)
    {
      if (status != @U@_OK) fail(what, @P@_strerror(status));
    }

    /* `bytes` between two pages that must not be touched, flush with the second or the first. */
    static unsigned char *guarded(size_t bytes, size_t alignment, int at_end)
    {
      const size_t page = (size_t)sysconf(_SC_PAGESIZE);
      const size_t size = (bytes + page - 1) / page * page;
      unsigned char *base = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (base == MAP_FAILED || mprotect(base + page, size, PROT_READ | PROT_WRITE) != 0) fail("guard", "mmap");
      return base + page + (at_end ? (size - bytes) / alignment * alignment : 0);
    }

    static void fill(unsigned char *p, size_t bytes, int how)
    {
      unsigned state = 12345u + (unsigned)how;
      for (size_t i = 0; i < bytes; i++) {
        state = state * 1664525u + 1013904223u;
        p[i] = how == 0 ? 0xff : (unsigned char)(state >> 24);
      }
    }

    static void expect(const unsigned char *a, const unsigned char *b, const char *what)
    {
      if (memcmp(a, b, OUTPUT_BYTES) != 0) fail(what, "the output differs");
      printf("%s\\n", what);
      fflush(stdout);
    }

    /* A caller of its own: a model and an arena, weights and input that others share. */
    struct caller {
      @P@_t model;
      const unsigned char *in;
      unsigned char *out;
      int status;
    };

    static void *call_often(void *argument)
    {
      struct caller *c = argument;
      for (int round = 0; round < 3 && c->status == @U@_OK; round++) c->status = call(&c->model, c->in, c->out);
      return NULL;
    }

    static void check_callers(const unsigned char *first, const unsigned char *weights, size_t weight_bytes,
        const unsigned char *in)
    {
      struct caller callers[2];
      pthread_t threads[2];
      for (int i = 0; i < 2; i++) {
        unsigned char *arena = guarded(@U@_ARENA_BYTES, 64, 1);
        fill(arena, @U@_ARENA_BYTES, i);
        callers[i].in = in;
        callers[i].out = guarded(OUTPUT_BYTES, 4, 1);
        callers[i].status = @P@_init(&callers[i].model, weights, weight_bytes, arena, @U@_ARENA_BYTES, NULL);
      }
      for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, call_often, &callers[i]) != 0) fail("callers", "pthread_create");
      for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
      for (int i = 0; i < 2; i++) {
        check(callers[i].status, "run");
        if (memcmp(first, callers[i].out, OUTPUT_BYTES) != 0) fail("callers at once", "the output differs");
      }
      printf("callers at once\\n");
      fflush(stdout);
    }

    static int by_value(const void *a, const void *b)
    {
      const double x = *(const double *)a, y = *(const double *)b;
      return (x > y) - (x < y);
    }

    static void check_all(@P@_t *m, const unsigned char *weights, size_t weight_bytes, const unsigned char *in,
        int threads, @P@_pool *pool)
    {
      unsigned char *first = malloc(OUTPUT_BYTES), *out = malloc(OUTPUT_BYTES);
      @P@_parallel parallel = @P@_pool_parallel(pool);
      check(call(m, in, first), "run");
      memset(out, 0x55, OUTPUT_BYTES);
      check(call(m, in, out), "run");
      expect(first, out, "repeat");
      for (int how = 0; how < 2; how++) {
        fill(m->arena, @U@_ARENA_BYTES, how);
        fill(out, OUTPUT_BYTES, how);
        check(call(m, in, out), "run");
        expect(first, out, how == 0 ? "arena of NaN" : "arena of random bytes");
      }
      for (int at_end = 0; at_end < 2; at_end++) {
        @P@_t guarded_model;
        unsigned char *w = guarded(weight_bytes, 64, at_end), *a = guarded(@U@_ARENA_BYTES, 64, at_end);
        unsigned char *i = guarded(INPUT_BYTES, 4, at_end), *o = guarded(OUTPUT_BYTES, 4, at_end);
        memcpy(w, weights, weight_bytes);
        memcpy(i, in, INPUT_BYTES);
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        mprotect(w - (size_t)w % page, weight_bytes + (size_t)w % page, PROT_READ);
        mprotect(i - (size_t)i % page, INPUT_BYTES + (size_t)i % page, PROT_READ);
        check(@P@_init(&guarded_model, w, weight_bytes, a, @U@_ARENA_BYTES, NULL), "init");
        check(call(&guarded_model, i, o), "run");
        expect(first, o, at_end ? "guard pages behind" : "guard pages before");
      }
      if (threads > 1) {
        @P@_t parallel_model;
        unsigned char *a = guarded(@U@_ARENA_BYTES, 64, 1);
        check(@P@_init(&parallel_model, weights, weight_bytes, a, @U@_ARENA_BYTES, &parallel), "init");
        for (int round = 0; round < 3; round++) {
          fill(a, @U@_ARENA_BYTES, round);
          check(call(&parallel_model, in, out), "run");
          expect(first, out, "threads");
        }
        check_callers(first, weights, weight_bytes, in);
      }
      check(@P@_check_weights(weights, weight_bytes), "check_weights");
      free(first);
      free(out);
    }

    static void bench(const @P@_t *m, const unsigned char *in, unsigned char *out, double seconds)
    {
      size_t room = 1 << 20, runs = 0;
      double *ms = malloc(room * sizeof *ms);
      check(call(m, in, out), "run");
      memset(layer_ms, 0, sizeof layer_ms);
      memset(layer_least, 0, sizeof layer_least);
      const double end = now() + seconds * 1e3;
      do {
        const double start = now();
        call(m, in, out);
        ms[runs++] = now() - start;
      } while (runs < room && now() < end);
      qsort(ms, runs, sizeof *ms, by_value);
      printf("{\\"runs\\": %zu, \\"min_ms\\": %.6f, \\"median_ms\\": %.6f, \\"p90_ms\\": %.6f, \\"layers_ms\\": [", runs, ms[0],
          ms[runs / 2], ms[runs * 9 / 10]);
      for (int i = 0; i < LAYERS; i++) printf("%s%.6f", i ? ", " : "", layer_ms[i] / (double)runs);
      printf("], \\"layers_least_ms\\": [");
      for (int i = 0; i < LAYERS; i++) printf("%s%.6f", i ? ", " : "", layer_least[i]);
      printf("]}\\n");
    }

    int main(int argc, char **argv)
    {
      if (argc != 7) fail("driver", "MODE WEIGHTS INPUT OUTPUT THREADS SECONDS");
      size_t weight_bytes, input_bytes;
      unsigned char *weights = read_file(argv[2], &weight_bytes), *in = read_file(argv[3], &input_bytes);
      const int threads = atoi(argv[5]);
      static @U@_DEFINE_ARENA(arena);
      static @P@_pool pool;
      @P@_t m;
      if (@P@_pool_create(&pool, threads) != 0) fail("threads", "more than the library has room for, or none");
      const @P@_parallel parallel = @P@_pool_parallel(&pool);
      check(@P@_init(&m, weights, weight_bytes, &arena, sizeof arena, threads > 1 ? &parallel : NULL), "init");
      const size_t items = input_bytes / INPUT_BYTES;
      if (items < 1 || input_bytes % INPUT_BYTES != 0) fail("input", "not a whole number of inputs");
      unsigned char *out = malloc(OUTPUT_BYTES * items);
      if (strcmp(argv[1], "run") == 0) {
        for (size_t i = 0; i < items; i++) check(call(&m, in + i * INPUT_BYTES, out + i * OUTPUT_BYTES), "run");
        FILE *f = fopen(argv[4], "wb");
        if (f == NULL || fwrite(out, OUTPUT_BYTES, items, f) != items || fclose(f) != 0) fail(argv[4], "cannot write");
      } else if (strcmp(argv[1], "bench") == 0) {
        bench(&m, in, out, atof(argv[6]));
      } else if (strcmp(argv[1], "check") == 0) {
        if (threads > 1) check(@P@_init(&m, weights, weight_bytes, &arena, sizeof arena, NULL), "init");
        check_all(&m, weights, weight_bytes, in, threads, &pool);
      } else {
        fail("driver", "no such mode");
      }
      @P@_pool_destroy(&pool);
      free(out);
      free(in);
      free(weights);
      return 0;
    }

    """

  static let hooks = """
    void vigc_profile_begin(int index);
    void vigc_profile_end(int index);
    #define @U@_PROFILE_BEGIN(index, layer) vigc_profile_begin(index)
    #define @U@_PROFILE_END(index, layer) vigc_profile_end(index)

    """
}
