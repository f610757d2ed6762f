// background.c - see background.h. The loop never waits for a thread that the system has put off, so no lock is shared
// with it: jobs go to and fro on two stacks that are pushed without one. Popping one job is for one thread at a time.
#include "loop/background.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

typedef _Atomic(ra_background_job *) stack;

struct ra_background {
  stack todo, finished;
  uv_sem_t given;        // counts `todo`, and the threads that are to end
  pthread_mutex_t lock;  // of those who take from `todo`
  uv_async_t woken;
  int nice;
  unsigned outstanding;  // loop thread
  unsigned thread_count;
  pthread_t threads[];
};

static void push(stack *s, ra_background_job *job) {
  job->next = atomic_load(s);
  while (!atomic_compare_exchange_weak(s, &job->next, job)) continue;
}

// NULL: nothing is left, which ends a thread.
static ra_background_job *take(ra_background *b) {
  uv_sem_wait(&b->given);
  pthread_mutex_lock(&b->lock);
  ra_background_job *job = atomic_load(&b->todo);
  while (job && !atomic_compare_exchange_weak(&b->todo, &job, job->next)) continue;
  pthread_mutex_unlock(&b->lock);
  return job;
}

static void *work(void *ctx) {
  ra_background *b = ctx;
  // On Linux a thread has a priority of its own. Where it may not be changed, the jobs are merely more urgent.
  (void)!nice(b->nice);
  for (ra_background_job *job; (job = take(b));) {
    job->run(job->ctx);
    push(&b->finished, job);
    uv_async_send(&b->woken);
  }
  return NULL;
}

// In the order in which they ended.
static ra_background_job *take_finished(ra_background *b) {
  ra_background_job *job = atomic_exchange(&b->finished, NULL), *first = NULL;
  while (job) {
    ra_background_job *next = job->next;
    job->next = first;
    first = job;
    job = next;
  }
  return first;
}

static void on_woken(uv_async_t *woken) {
  ra_background *b = woken->data;
  for (ra_background_job *job = take_finished(b), *next; job; job = next) {
    next = job->next;
    if (--b->outstanding == 0) uv_unref((uv_handle_t *)woken);
    job->done(job->ctx);  // may submit the next one
  }
}

static void on_closed(uv_handle_t *woken) {
  ra_background *b = woken->data;
  pthread_mutex_destroy(&b->lock);
  uv_sem_destroy(&b->given);
  free(b);
}

void ra_background_free(ra_background *b) {
  if (!b) return;
  for (unsigned i = 0; i < b->thread_count; i++) uv_sem_post(&b->given);
  for (unsigned i = 0; i < b->thread_count; i++) pthread_join(b->threads[i], NULL);
  uv_close((uv_handle_t *)&b->woken, on_closed);
}

static int start_threads(ra_background *b, unsigned threads, ra_err *err) {
  for (; b->thread_count < threads; b->thread_count++) {
    int failed = pthread_create(&b->threads[b->thread_count], NULL, work, b);
    if (failed) return ra_fail_errno(err, failed, "", "starting thread %u", b->thread_count + 1);
  }
  return RA_OK;
}

int ra_background_new(uv_loop_t *loop, unsigned threads, int nice, ra_background **out, ra_err *err) {
  *out = NULL;
  ra_background *b = calloc(1, sizeof *b + threads * sizeof *b->threads);
  if (!b) return ra_fail(err, RA_E_NOMEM, "", "no memory for %u threads", threads);
  b->nice = nice;
  b->woken.data = b;
  uv_sem_init(&b->given, 0);
  pthread_mutex_init(&b->lock, NULL);
  uv_async_init(loop, &b->woken, on_woken);
  uv_unref((uv_handle_t *)&b->woken);
  int rc = start_threads(b, threads, err);
  if (rc == RA_OK) {
    *out = b;
  } else {
    ra_background_free(b);
  }
  return rc;
}

void ra_background_submit(ra_background *b, ra_background_job *job) {
  if (b->outstanding++ == 0) uv_ref((uv_handle_t *)&b->woken);
  push(&b->todo, job);
  uv_sem_post(&b->given);
}
