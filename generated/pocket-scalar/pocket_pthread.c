#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "pocket_pthread.h"

#include <errno.h>

/* Some tens of microseconds: longer than the serial code between two regions, shorter than a time slice. */
#define SPINS 4000

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static int load(const int *p)
{
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void work(pocket_pool *pool, int worker)
{
  int task = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
  while (task < pool->tasks) {
    pool->fn(pool->arg, task, worker);
    task = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
  }
}

/* Waits for a region other than `seen`, and returns it. */
static int await_region(pocket_pool *pool, int seen)
{
  for (int spin = 0; spin < SPINS; spin++) {
    if (load(&pool->region) != seen) {
      return load(&pool->region);
    }
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  __atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
  while (load(&pool->region) == seen) {
    pthread_cond_wait(&pool->wake, &pool->lock);
  }
  __atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&pool->lock);
  return load(&pool->region);
}

static void *run_worker(void *argument)
{
  pocket_pool_worker *const self = (pocket_pool_worker *)argument;
  pocket_pool *const pool = self->pool;
  int region = 0;
  for (;;) {
    region = await_region(pool, region);
    if (pool->stop) {
      return NULL;
    }
    work(pool, self->index);
    if (__atomic_sub_fetch(&pool->pending, 1, __ATOMIC_SEQ_CST) == 0 && load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->lock);
      pthread_cond_signal(&pool->done);
      pthread_mutex_unlock(&pool->lock);
    }
  }
}

/* Lets the workers see a new region: what was written before is visible to them. */
static void open_region(pocket_pool *pool)
{
  __atomic_fetch_add(&pool->region, 1, __ATOMIC_SEQ_CST);
  if (load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
  }
}

static void await_workers(pocket_pool *pool)
{
  for (int spin = 0; spin < SPINS; spin++) {
    if (load(&pool->pending) == 0) {
      return;
    }
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  /* An exchange rather than a store: the flag has to be seen before `pending` is read, or the last worker goes by a caller
     that is about to sleep. A store promises that too, but QEMU 7.2 lets Arm's stlr sink below the ldar after it. */
  (void)__atomic_exchange_n(&pool->caller_sleeps, 1, __ATOMIC_SEQ_CST);
  while (load(&pool->pending) != 0) {
    pthread_cond_wait(&pool->done, &pool->lock);
  }
  __atomic_store_n(&pool->caller_sleeps, 0, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&pool->lock);
}

static void parallel_for(void *context, int tasks, void (*fn)(void *arg, int task, int worker), void *arg)
{
  pocket_pool *const pool = (pocket_pool *)context;
  pool->fn = fn;
  pool->arg = arg;
  pool->tasks = tasks;
  pool->next = 0;
  pool->pending = pool->count - 1;
  if (pool->count > 1) {
    open_region(pool);
  }
  work(pool, 0);
  await_workers(pool);
}

int pocket_pool_create(pocket_pool *pool, int workers)
{
  if (pool == NULL || workers < 1 || workers > POCKET_MAX_WORKERS) {
    return EINVAL;
  }
  pool->count = 1;
  pool->region = 0;
  pool->pending = 0;
  pool->stop = 0;
  pool->sleepers = 0;
  pool->caller_sleeps = 0;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->done, NULL);
  for (int i = 1; i < workers; i++) {
    pocket_pool_worker *const worker = &pool->workers[i];
    worker->pool = pool;
    worker->index = i;
    const int status = pthread_create(&worker->thread, NULL, run_worker, worker);
    if (status != 0) {
      pocket_pool_destroy(pool);
      return status;
    }
    pool->count = i + 1;
  }
  return 0;
}

void pocket_pool_destroy(pocket_pool *pool)
{
  pool->stop = 1;
  open_region(pool);
  for (int i = 1; i < pool->count; i++) {
    pthread_join(pool->workers[i].thread, NULL);
  }
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
}

pocket_parallel pocket_pool_parallel(pocket_pool *pool)
{
  pocket_parallel parallel;
  parallel.parallel_for = parallel_for;
  parallel.context = pool;
  parallel.workers = pool->count;
  return parallel;
}
