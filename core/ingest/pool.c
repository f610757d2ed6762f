// pool.c - see pool.h
#include "ingest/pool.h"

#include <pthread.h>
#include <stdlib.h>

enum { STACK = 1 << 20, THREADS_MAX = 64 };

typedef struct job {
  int (*run)(void *ctx, ra_err *err);
  void (*drop)(void *ctx);
  void *ctx;
} job;

struct ra_pool {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pthread_t threads[THREADS_MAX];
  unsigned thread_count, running;
  job queue[THREADS_MAX];
  unsigned head, count, depth;
  bool ending;
  int rc;
  ra_err err;
  ra_cancel *cancel;
};

static void finish(ra_pool *pool, int rc, const ra_err *err) {
  pool->running--;
  if (rc < 0 && pool->rc >= 0) {
    pool->rc = rc;
    pool->err = *err;
  }
  pthread_cond_broadcast(&pool->changed);
}

static void *work(void *ctx) {
  ra_pool *pool = ctx;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (pool->count == 0 && !pool->ending) pthread_cond_wait(&pool->changed, &pool->lock);
    if (pool->count == 0) break;
    job next = pool->queue[pool->head];
    pool->head = (pool->head + 1) % THREADS_MAX;
    pool->count--;
    pool->running++;
    bool stop = pool->rc < 0 || ra_cancel_is_set(pool->cancel);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    ra_err err = {0};
    int rc = stop ? ra_fail(&err, RA_E_CANCELLED, "", "cancelled") : next.run(next.ctx, &err);
    if (next.drop) next.drop(next.ctx);
    pthread_mutex_lock(&pool->lock);
    finish(pool, rc, &err);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

static int start_threads(ra_pool *pool, unsigned threads, ra_err *err) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  for (unsigned i = 0; i < threads; i++) {
    if (pthread_create(&pool->threads[i], &attr, work, pool)) break;
    pool->thread_count++;
  }
  pthread_attr_destroy(&attr);
  return pool->thread_count ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "no thread could be started");
}

int ra_pool_new(unsigned threads, ra_cancel *cancel, ra_pool **out, ra_err *err) {
  *out = NULL;
  ra_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  if (threads < 1) threads = 1;
  if (threads > THREADS_MAX / 2) threads = THREADS_MAX / 2;
  pool->depth = threads;
  pool->cancel = ra_cancel_ref(cancel);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->changed, NULL);
  int rc = start_threads(pool, threads, err);
  if (rc < 0) {
    ra_pool_free(pool);
    return rc;
  }
  *out = pool;
  return RA_OK;
}

void ra_pool_free(ra_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->ending = true;
  pthread_cond_broadcast(&pool->changed);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 0; i < pool->thread_count; i++) pthread_join(pool->threads[i], NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->changed);
  ra_cancel_unref(pool->cancel);
  free(pool);
}

static int failure(ra_pool *pool, ra_err *err) {
  if (pool->rc < 0) {
    if (err) *err = pool->err;
    return pool->rc;
  }
  return ra_cancel_is_set(pool->cancel) ? ra_fail(err, RA_E_CANCELLED, "", "cancelled") : RA_OK;
}

int ra_pool_submit(ra_pool *pool, int (*run)(void *ctx, ra_err *err), void (*drop)(void *ctx),
                   void *ctx, ra_err *err) {
  pthread_mutex_lock(&pool->lock);
  while (pool->count >= pool->depth && pool->rc >= 0)
    pthread_cond_wait(&pool->changed, &pool->lock);
  int rc = failure(pool, err);
  if (rc >= 0) {
    pool->queue[(pool->head + pool->count++) % THREADS_MAX] = (job){run, drop, ctx};
    pthread_cond_broadcast(&pool->changed);
  }
  pthread_mutex_unlock(&pool->lock);
  if (rc < 0 && drop) drop(ctx);
  return rc;
}

int ra_pool_wait(ra_pool *pool, ra_err *err) {
  pthread_mutex_lock(&pool->lock);
  while (pool->count || pool->running) pthread_cond_wait(&pool->changed, &pool->lock);
  int rc = failure(pool, err);
  pthread_mutex_unlock(&pool->lock);
  return rc;
}
