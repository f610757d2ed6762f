// watch_queue.c - see watch_queue.h
#include "app/watch_queue.h"

#include <stdlib.h>
#include <string.h>

void ra_watch_queue_deinit(ra_watch_queue *q) {
  for (size_t i = 0; i < q->count; i++) free(q->offers[i].path);
  free(q->offers);
  *q = (ra_watch_queue){0};
}

bool ra_watch_queue_add(ra_watch_queue *q, ra_watch_offer offer) {
  if (q->count == q->room) {
    size_t room = q->room ? q->room * 2 : 64;
    ra_watch_offer *wider = realloc(q->offers, room * sizeof *wider);
    if (!wider) return false;
    q->offers = wider;
    q->room = room;
  }
  q->offers[q->count++] = offer;
  q->sorted = false;
  return true;
}

static void remove_at(ra_watch_queue *q, size_t i) {
  q->count--;
  memmove(&q->offers[i], &q->offers[i + 1], (q->count - i) * sizeof *q->offers);
}

void ra_watch_queue_drop(ra_watch_queue *q, const char *path) {
  for (size_t i = q->count; i-- > 0;) {
    if (strcmp(q->offers[i].path, path) != 0) continue;
    free(q->offers[i].path);
    remove_at(q, i);
  }
}

// Newest first, so that the next is at the end.
static int compare(const void *a, const void *b) {
  const ra_watch_offer *x = a, *y = b;
  if (x->stamp.mtime_ns != y->stamp.mtime_ns) return x->stamp.mtime_ns < y->stamp.mtime_ns ? 1 : -1;
  return strcmp(y->path, x->path);
}

bool ra_watch_queue_take(ra_watch_queue *q, bool (*ready)(void *ctx, const ra_watch_offer *offer),
                         void *ctx, ra_watch_offer *out) {
  if (!q->sorted && q->count) qsort(q->offers, q->count, sizeof *q->offers, compare);
  q->sorted = true;
  for (size_t i = q->count; i-- > 0;) {
    if (!ready(ctx, &q->offers[i])) continue;
    *out = q->offers[i];
    remove_at(q, i);
    return true;
  }
  return false;
}
