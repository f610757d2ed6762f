// cancel.c - see cancel.h
#include "base/cancel.h"

#include <stdatomic.h>
#include <stdlib.h>

struct ra_cancel {
  atomic_uint refs;
  atomic_bool set;
};

ra_cancel *ra_cancel_new(void) {
  ra_cancel *cancel = malloc(sizeof *cancel);
  if (!cancel) return NULL;
  atomic_init(&cancel->refs, 1);
  atomic_init(&cancel->set, false);
  return cancel;
}

ra_cancel *ra_cancel_ref(ra_cancel *cancel) {
  if (cancel) atomic_fetch_add_explicit(&cancel->refs, 1, memory_order_relaxed);
  return cancel;
}

void ra_cancel_unref(ra_cancel *cancel) {
  if (cancel && atomic_fetch_sub_explicit(&cancel->refs, 1, memory_order_acq_rel) == 1)
    free(cancel);
}

void ra_cancel_set(ra_cancel *cancel) {
  if (cancel) atomic_store_explicit(&cancel->set, true, memory_order_release);
}

bool ra_cancel_is_set(const ra_cancel *cancel) {
  return cancel && atomic_load_explicit(&((ra_cancel *)cancel)->set, memory_order_acquire);
}
