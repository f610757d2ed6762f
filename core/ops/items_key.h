// items_key.h - for op_items: the place of an item in an order, and as an opaque token.
#pragma once
#include "ops/op_items.h"

typedef struct ra_items_key {
  int64_t iso_ms, true_ms;  // without time: of the year 1
  int64_t run_ms;           // ISO reference time of a forecast; INT64_MIN: none
  unsigned ordinal;
  const char *collection, *dataset, *id, *created;  // id: only where it is sorted by; else ""
} ra_items_key;

// < 0: a comes before b. Total: no two items are equal.
int ra__items_compare(const ra_op_items *items, const ra_items_key *a, const ra_items_key *b);
bool ra__items_sorts_by(const ra_op_items *items, ra_items_field field);
void ra__items_write_token(const ra_op_items *items, const ra_items_key *key, ra_str *out);
// Texts lie in the arena. RA_E_INVALID for anything that we did not write for this order.
int ra__items_read_token(ra_op_items *items, ra_items_key *out, ra_err *err);
