// read.c - windows of cells from the chunks that they touch, by as many threads as the source was given.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "format/box.h"
#include "source/storage.h"

enum { THREADS_MOST = 64, STACK = 1 << 20 };
static const size_t ALONE = (size_t)1 << 20;  // cells' bytes for which a thread is not worth starting

typedef struct window {
  ra_source *source;
  const ra_source_var *var;
  const uint64_t *start, *count;
  uint8_t *dst;
  int64_t strides[RA_SOURCE_DIMS];                        // of dst, in bytes
  uint64_t first[RA_SOURCE_DIMS], sides[RA_SOURCE_DIMS];  // in chunks
  uint64_t chunks;
  size_t chunk_bytes;
  bool plain;  // only the cells of a chunk's box are written
  _Atomic uint64_t next;
  pthread_mutex_t lock;  // guards what follows
  int rc;
  ra_err err;
} window;

static void window_init(window *w) {
  int64_t step = (int64_t)ra_dtype_size(w->var->dtype);
  w->chunks = 1;
  for (unsigned d = w->var->ndim; d-- > 0;) {
    uint64_t block = w->var->block[d];
    w->strides[d] = step;
    step *= (int64_t)w->count[d];
    w->first[d] = w->start[d] / block;
    w->sides[d] = w->count[d] ? (w->start[d] + w->count[d] - 1) / block - w->first[d] + 1 : 0;
    w->chunks *= w->sides[d];
  }
}

// The number of the window's i-th chunk.
static uint64_t chunk_number(const window *w, uint64_t i) {
  uint64_t chunk = 0, at[RA_SOURCE_DIMS];
  for (unsigned d = w->var->ndim; d-- > 0; i /= w->sides[d]) at[d] = w->first[d] + i % w->sides[d];
  for (unsigned d = 0; d < w->var->ndim; d++) chunk = chunk * ra__grid_side(w->var, d) + at[d];
  return chunk;
}

// A decoded chunk fits where it belongs when it lies inside the window whole, and its lines follow each other there.
static bool is_direct(const window *w, const uint64_t *start, const uint64_t *count) {
  bool line = true;
  for (unsigned d = w->var->ndim; d-- > 0;) {
    if (start[d] < w->start[d] || start[d] + count[d] > w->start[d] + w->count[d]) return false;
    if (!w->plain && count[d] != w->var->block[d]) return false;
    if (!line && count[d] != 1) return false;
    line = line && count[d] == w->count[d];
  }
  return true;
}

static void place(const window *w, const uint64_t *start, const uint64_t *count,
                  const uint8_t *cells) {
  const ra_source_var *var = w->var;
  ra_box box = {.ndim = var->ndim, .size = (unsigned)ra_dtype_size(var->dtype)};
  int64_t step = box.size, from = 0, to = 0;
  for (unsigned d = var->ndim; d-- > 0;) {
    uint64_t low = start[d] > w->start[d] ? start[d] : w->start[d];
    uint64_t end = start[d] + count[d], most = w->start[d] + w->count[d];
    box.count[d] = (end < most ? end : most) - low;
    box.src[d] = step;
    box.dst[d] = w->strides[d];
    from += (int64_t)(low - start[d]) * step;
    to += (int64_t)(low - w->start[d]) * w->strides[d];
    step *= (int64_t)var->block[d];
  }
  ra_box_copy(&box, cells + from, w->dst + to);
}

// cells: a thread's own memory for a chunk, made at first need.
static int read_chunk(window *w, uint64_t i, uint8_t **cells, ra_err *err) {
  uint64_t start[RA_SOURCE_DIMS], count[RA_SOURCE_DIMS], chunk = chunk_number(w, i);
  ra_source_chunk_box(w->var, chunk, start, count);
  if (is_direct(w, start, count)) {
    int64_t to = 0;
    for (unsigned d = 0; d < w->var->ndim; d++)
      to += (int64_t)(start[d] - w->start[d]) * w->strides[d];
    return ra_source_chunk_decode(w->source, w->var, chunk, w->dst + to, err);
  }
  if (!*cells) *cells = malloc(w->chunk_bytes);
  if (!*cells) {
    return ra_fail(err, RA_E_NOMEM, w->source->name,
                   "no memory for a chunk of variable '%s' (%zu bytes)", w->var->name,
                   w->chunk_bytes);
  }
  int rc = ra_source_chunk_decode(w->source, w->var, chunk, *cells, err);
  if (rc >= 0) place(w, start, count, *cells);
  return rc;
}

static void *work(void *ctx) {
  window *w = ctx;
  uint8_t *cells = NULL;
  int rc = RA_OK;
  ra_err err = {0};
  for (uint64_t i; rc >= 0 && (i = w->next++) < w->chunks;) rc = read_chunk(w, i, &cells, &err);
  free(cells);
  if (rc >= 0) return NULL;
  w->next = w->chunks;  // the others stop, too
  pthread_mutex_lock(&w->lock);
  if (w->rc >= 0) {
    w->rc = rc;
    w->err = err;
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

// The caller's thread works, too, and alone when no other can be started.
static void work_together(window *w, unsigned threads) {
  pthread_t others[THREADS_MOST];
  unsigned started = 0;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  while (started + 1 < threads && !pthread_create(&others[started], &attr, work, w)) started++;
  pthread_attr_destroy(&attr);
  work(w);
  for (unsigned i = 0; i < started; i++) pthread_join(others[i], NULL);
}

static unsigned threads_for(const window *w) {
  unsigned threads = w->source->threads < THREADS_MOST ? w->source->threads : THREADS_MOST;
  size_t bytes = ra_dtype_size(w->var->dtype);
  for (unsigned d = 0; d < w->var->ndim; d++) bytes *= w->count[d];
  if (bytes < ALONE) return 1;
  return w->chunks < threads ? (unsigned)w->chunks : threads;
}

static int check_window(const ra_source *source, const ra_source_var *var, const uint64_t *start,
                        const uint64_t *count, ra_err *err) {
  for (unsigned d = 0; d < var->ndim; d++) {
    if (count[d] > var->shape[d] || start[d] > var->shape[d] - count[d])
      return ra_fail(err, RA_E_INTERNAL, source->name, "window outside variable '%s'", var->name);
  }
  return RA_OK;
}

int ra_source_read(ra_source *source, const ra_source_var *var, const uint64_t *start,
                   const uint64_t *count, void *dst, ra_err *err) {
  const ra__storage *storage;
  int rc = ra__source_readable(source, var, err);
  if (rc >= 0) rc = check_window(source, var, start, count, err);
  if (rc >= 0) rc = ra__storage_get(source, var, &storage, err);
  if (rc < 0) return rc;
  window w = {.source = source, .var = var, .start = start, .count = count, .dst = dst};
  w.plain = storage->way == RA__WAY_PLAIN;
  w.chunk_bytes = ra_source_chunk_bytes(var);
  window_init(&w);
  pthread_mutex_init(&w.lock, NULL);
  work_together(&w, threads_for(&w));
  pthread_mutex_destroy(&w.lock);
  if (w.rc < 0 && err) *err = w.err;
  return w.rc;
}
