// run.c - see run.h
#include "ingest/run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct ra_ingest_run {
  atomic_uint references;
  ra_ingest *ingest;
  ra_store *store;
  ra_cancel *cancel;
  pthread_mutex_t lock;
  pthread_cond_t ended;
  pthread_t thread;
  bool started, done;
  int rc;
  ra_err err;
};

int ra_ingest_run_new(ra_ingest *ingest, ra_ingest_run **out, ra_err *err) {
  ra_ingest_run *run = calloc(1, sizeof *run);
  ra_cancel *cancel = run ? ra_cancel_new() : NULL;
  if (!cancel) {
    free(run);
    return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  }
  run->references = 1;
  run->ingest = ingest;
  run->cancel = cancel;
  pthread_mutex_init(&run->lock, NULL);
  pthread_cond_init(&run->ended, NULL);
  *out = run;
  return RA_OK;
}

ra_ingest_run *ra_ingest_run_ref(ra_ingest_run *run) {
  run->references++;
  return run;
}

void ra_ingest_run_unref(ra_ingest_run *run) {
  if (!run || --run->references > 0) return;
  ra_cancel_set(run->cancel);
  if (run->started) pthread_join(run->thread, NULL);
  ra_ingest_free(run->ingest);
  ra_cancel_unref(run->cancel);
  pthread_cond_destroy(&run->ended);
  pthread_mutex_destroy(&run->lock);
  free(run);
}

ra_ingest *ra_ingest_run_get(ra_ingest_run *run) { return run->ingest; }
void ra_ingest_run_cancel(ra_ingest_run *run) { ra_cancel_set(run->cancel); }

static void *convert(void *ctx) {
  ra_ingest_run *run = ctx;
  ra_err err = {0};
  int rc = ra_ingest_convert(run->ingest, run->store, run->cancel, &err);
  pthread_mutex_lock(&run->lock);
  run->rc = rc;
  run->err = err;
  run->done = true;
  pthread_cond_broadcast(&run->ended);
  pthread_mutex_unlock(&run->lock);
  return NULL;
}

static int start(ra_ingest_run *run, ra_store *store, ra_err *err) {
  run->store = store;
  if (pthread_create(&run->thread, NULL, convert, run))
    return ra_fail(err, RA_E_NOMEM, "", "no thread could be started");
  run->started = true;
  return RA_OK;
}

static struct timespec after(unsigned ms) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_sec += ms / 1000;
  at.tv_nsec += (long)(ms % 1000) * 1000000;
  if (at.tv_nsec >= 1000000000) {
    at.tv_nsec -= 1000000000;
    at.tv_sec++;
  }
  return at;
}

int ra_ingest_run_wait(ra_ingest_run *run, ra_store *store, unsigned ms, bool *done, ra_err *err) {
  struct timespec until = after(ms);
  pthread_mutex_lock(&run->lock);
  int rc = run->started ? RA_OK : start(run, store, err);
  while (rc >= 0 && !run->done && !pthread_cond_timedwait(&run->ended, &run->lock, &until)) {
  }
  *done = run->done;
  if (rc >= 0 && run->done && run->rc < 0) {
    rc = run->rc;
    *err = run->err;
  }
  pthread_mutex_unlock(&run->lock);
  return rc;
}
