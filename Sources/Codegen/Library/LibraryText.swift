// The parts of the library that are the same for every model, as C with `@P@` for the prefix and `@U@` for it in
// capitals. What depends on the model is in the C tree.

enum LibraryText {
  static func fill(_ text: String, prefix: String) -> String {
    text.replacing("@P@", with: prefix).replacing("@U@", with: prefix.uppercased())
  }

  // MARK: Header

  static let apiMacros = """
    #if defined(__cplusplus)
    #define @U@_RESTRICT
    #else
    #define @U@_RESTRICT restrict
    #endif

    #if defined(__GNUC__)
    #define @U@_API __attribute__((visibility("default")))
    #define @U@_ALIGNED(n) __attribute__((aligned(n)))
    #elif defined(_MSC_VER)
    #define @U@_API
    #define @U@_ALIGNED(n) __declspec(align(n))
    #elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
    #define @U@_API
    #define @U@_ALIGNED(n) _Alignas(n)
    #else
    #define @U@_API
    #define @U@_ALIGNED(n) /* align it yourself: @P@_init checks */
    #endif
    """

  static let arenaMacro = """
    /* Defines an arena called `name`, aligned, and legal to use as any of the types it holds:
     *     static @U@_DEFINE_ARENA(arena);
     *     @P@_init(&model, weights, weight_bytes, &arena, sizeof arena, NULL); */
    #define @U@_DEFINE_ARENA(name) \\
      @U@_ALIGNED(@U@_ALIGNMENT) union { \\
        float f32[(@U@_ARENA_BYTES + 3) / 4]; \\
        double f64[(@U@_ARENA_BYTES + 7) / 8]; \\
        int8_t i8[@U@_ARENA_BYTES]; \\
        int16_t i16[(@U@_ARENA_BYTES + 1) / 2]; \\
        int32_t i32[(@U@_ARENA_BYTES + 3) / 4]; \\
        int64_t i64[(@U@_ARENA_BYTES + 7) / 8]; \\
      } name
    """

  static let errorCodes = """
    /* What the functions return; @P@_strerror says it in words. */
    #define @U@_OK 0
    #define @U@_ERROR_ARGUMENT (-1)  /* a null pointer where there must be none */
    #define @U@_ERROR_WEIGHTS (-2)   /* not these weights: magic, size or id differ, or they are damaged */
    #define @U@_ERROR_ABI (-3)       /* weights for another format version, byte order or target */
    #define @U@_ERROR_ALIGNMENT (-4) /* the arena or the weights are not aligned to @U@_ALIGNMENT bytes */
    #define @U@_ERROR_ARENA (-5)     /* the arena has fewer than @U@_ARENA_BYTES bytes */
    #define @U@_ERROR_CPU (-6)       /* this CPU lacks instructions that the code was compiled for */
    #define @U@_ERROR_WORKERS (-7)   /* fewer than 1 or more than @U@_MAX_WORKERS workers */
    """

  static let types = """
    /* Threads, if you have any: `parallel_for` calls fn(arg, task, worker) once for every task in 0 ..< tasks, from as many
     * threads as it likes, and returns when all are done. `worker` is in 0 ..< workers and never the same in two calls that
     * run at once. The result does not depend on the number of workers. */
    typedef struct @P@_parallel {
      void (*parallel_for)(void *context, int tasks, void (*fn)(void *arg, int task, int worker), void *arg);
      void *context;
      int workers;
    } @P@_parallel;

    /* A model that is ready to run. Filled by @P@_init; treat the members as private. */
    typedef struct @P@_t {
      const unsigned char *weights;
      unsigned char *arena;
      @P@_parallel threads;
    } @P@_t;
    """

  static let initPrototype = """
    /* Prepares `m`. `weights` and `arena` stay yours and must outlive it; both are aligned to @U@_ALIGNMENT bytes. Weights may be
     * shared by any number of models, an arena by one call of @P@_run at a time. `threads` may be null: one thread then. */
    @U@_API int @P@_init(@P@_t *m, const void *weights, size_t weight_bytes, void *arena, size_t arena_bytes,
        const @P@_parallel *threads);
    """

  static let checkPrototypes = """
    /* Hashes all of the weights: @P@_init compares only what their header says. */
    @U@_API int @P@_check_weights(const void *weights, size_t weight_bytes);

    /* What a return value means, in English. Never null. */
    @U@_API const char *@P@_strerror(int code);
    """

  // MARK: Source

  static let profileHooks = """
    /* Define both to time layers: index counts from 0, layer is its name. */
    #ifndef @U@_PROFILE_BEGIN
    #define @U@_PROFILE_BEGIN(index, layer) ((void)0)
    #define @U@_PROFILE_END(index, layer) ((void)0)
    #endif
    """

  static let contraction = """
    /* a * b + c rounds twice here; GCC needs -ffp-contract=off in its GNU modes. */
    #if defined(__clang__)
    #pragma STDC FP_CONTRACT OFF
    #endif
    """

  static let inlining = """
    /* Kernels apply these to every register of a tile: a call there would spill the others. */
    #if defined(__GNUC__)
    #define VIGC_INLINE static inline __attribute__((always_inline))
    #else
    #define VIGC_INLINE static inline
    #endif
    """

  /// vig_ti with two threads: a convolution of 0.33 ms took 0.69 where GCC 12 had inlined it into its task.
  static let kernels = """
    /* A kernel is a function of its own: GCC may make slower loops of one that it inlines into its only caller. */
    #if defined(__GNUC__)
    #define VIGC_KERNEL static __attribute__((noinline))
    #else
    #define VIGC_KERNEL static
    #endif
    """

  static let parallelFor = """
    static void @P@_for(const @P@_t *m, int tasks, void (*fn)(void *, int, int), void *arg)
    {
      if (m->threads.parallel_for != NULL && m->threads.workers > 1) {
        m->threads.parallel_for(m->threads.context, tasks, fn, arg);
        return;
      }
      for (int task = 0; task < tasks; task++) {
        fn(arg, task, 0);
      }
    }
    """

  static let weightsCheck = """
    static uint32_t @P@_read_u32(const unsigned char *p)
    {
      return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }

    static uint64_t @P@_read_u64(const unsigned char *p)
    {
      return (uint64_t)@P@_read_u32(p) | (uint64_t)@P@_read_u32(p + 4) << 32;
    }

    /* What the header of the weights says, in O(1). */
    static int @P@_check_header(const unsigned char *p, size_t bytes)
    {
      static const char magic[8] = "VIGCWTS";
      static const char target[16] = @P@_TARGET;
      const uint32_t native = 0x01020304u;
      if (p == NULL) {
        return @U@_ERROR_ARGUMENT;
      }
      if (bytes < 64 || memcmp(p, magic, sizeof magic) != 0) {
        return @U@_ERROR_WEIGHTS;
      }
      if (@P@_read_u32(p + 8) != @P@_FORMAT || memcmp(p + 12, &native, 4) != 0) {
        return @U@_ERROR_ABI;
      }
      if (memcmp(p + 16, target, sizeof target) != 0 || @P@_read_u32(p + 32) != @P@_LAYOUT) {
        return @U@_ERROR_ABI;
      }
      if (@P@_read_u32(p + 36) != 0 || @P@_read_u64(p + 56) != 0) {
        return @U@_ERROR_ABI;
      }
      if (bytes != @U@_WEIGHT_BYTES || @P@_read_u64(p + 48) != bytes || @P@_read_u64(p + 40) != @P@_ID) {
        return @U@_ERROR_WEIGHTS;
      }
      return @U@_OK;
    }

    int @P@_check_weights(const void *weights, size_t weight_bytes)
    {
      const unsigned char *const p = (const unsigned char *)weights;
      uint64_t hash = @P@_SEED;
      const int header = @P@_check_header(p, weight_bytes);
      if (header != @U@_OK) {
        return header;
      }
      for (size_t i = 64; i < weight_bytes; i += 8) {
        hash = (hash ^ @P@_read_u64(p + i)) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
      }
      return hash == @P@_ID ? @U@_OK : @U@_ERROR_WEIGHTS;
    }
    """

  static let strerror = """
    const char *@P@_strerror(int code)
    {
      switch (code) {
      case @U@_OK:
        return "no error";
      case @U@_ERROR_ARGUMENT:
        return "a pointer is null that must not be";
      case @U@_ERROR_WEIGHTS:
        return "these are not the weights this library was compiled with, or they are damaged";
      case @U@_ERROR_ABI:
        return "the weights are for another version, byte order or target";
      case @U@_ERROR_ALIGNMENT:
        return "the arena or the weights are not aligned";
      case @U@_ERROR_ARENA:
        return "the arena is too small";
      case @U@_ERROR_CPU:
        return "this CPU lacks instructions that the library uses";
      case @U@_ERROR_WORKERS:
        return "the number of workers is out of range";
      default:
        return "unknown error";
      }
    }
    """

  static let initialise = """
    int @P@_init(@P@_t *m, const void *weights, size_t weight_bytes, void *arena, size_t arena_bytes,
        const @P@_parallel *threads)
    {
      int status;
      if (!@P@_cpu_is_supported()) {
        return @U@_ERROR_CPU;
      }
      if (m == NULL || arena == NULL) {
        return @U@_ERROR_ARGUMENT;
      }
      status = @P@_check_header((const unsigned char *)weights, weight_bytes);
      if (status != @U@_OK) {
        return status;
      }
      if ((uintptr_t)weights % @U@_ALIGNMENT != 0 || (uintptr_t)arena % @U@_ALIGNMENT != 0) {
        return @U@_ERROR_ALIGNMENT;
      }
      if (arena_bytes < @U@_ARENA_BYTES) {
        return @U@_ERROR_ARENA;
      }
      if (threads != NULL && (threads->workers < 1 || threads->workers > @U@_MAX_WORKERS)) {
        return @U@_ERROR_WORKERS;
      }
      if (threads != NULL && threads->parallel_for == NULL) {
        return @U@_ERROR_ARGUMENT;
      }
      m->weights = (const unsigned char *)weights;
      m->arena = (unsigned char *)arena;
      m->threads.parallel_for = threads != NULL ? threads->parallel_for : NULL;
      m->threads.context = threads != NULL ? threads->context : NULL;
      m->threads.workers = threads != NULL ? threads->workers : 1;
      return @U@_OK;
    }
    """
}
