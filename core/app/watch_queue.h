// watch_queue.h - files that wait for their ingest, the oldest first. Owns their offers. One thread's.
#pragma once
#include <stddef.h>

#include "app/watch_tree.h"

typedef struct ra_watch_queue {
  ra_watch_offer *offers;  // the next is the last, when sorted
  size_t count, room;
  bool sorted;
} ra_watch_queue;

void ra_watch_queue_deinit(ra_watch_queue *queue);
bool ra_watch_queue_add(ra_watch_queue *queue,
                        ra_watch_offer offer);  // false: no memory, and the offer is still yours
void ra_watch_queue_drop(ra_watch_queue *queue, const char *path);
// The next that `ready` says yes to; false: none.
bool ra_watch_queue_take(ra_watch_queue *queue, bool (*ready)(void *ctx, const ra_watch_offer *offer),
                         void *ctx, ra_watch_offer *out);
