/* A thread pool for pocket, over POSIX threads. The pool is yours: one model call at a time may use it. */
#ifndef POCKET_PTHREAD_H
#define POCKET_PTHREAD_H

#include <pthread.h>

#include "pocket.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pocket_pool;

typedef struct pocket_pool_worker {
  struct pocket_pool *pool;
  pthread_t thread;
  int index;
} pocket_pool_worker;

/* Treat the members as private; do not move a pool that has been created. */
typedef struct pocket_pool {
  pocket_pool_worker workers[POCKET_MAX_WORKERS];
  int count;
  void (*fn)(void *arg, int task, int worker);
  void *arg;
  int tasks;
  int next;
  int pending;
  int region;
  int stop;
  int sleepers;
  int caller_sleeps;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_cond_t done;
} pocket_pool;

/* Starts workers - 1 threads, the caller being one worker itself. 0, or an error number of pthread_create. */
POCKET_API int pocket_pool_create(pocket_pool *pool, int workers);

/* Stops and joins the threads. */
POCKET_API void pocket_pool_destroy(pocket_pool *pool);

/* What to give pocket_init. */
POCKET_API pocket_parallel pocket_pool_parallel(pocket_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
