// op_items.h - a page of STAC items: which items of some datasets pass, in which order, from which place on, as JSON
// text. One job in the cpu lane.
#pragma once
#include "base/arena.h"
#include "format/dataset.h"
#include "format/geometry.h"
#include "ops/op.h"

enum { RA_ITEMS_SORTS = 4 };

typedef enum ra_items_field {
  RA_ITEMS_DATETIME,
  RA_ITEMS_ID,
  RA_ITEMS_COLLECTION,
  RA_ITEMS_CREATED,
} ra_items_field;

typedef struct ra_items_sort {
  ra_items_field field;
  bool descending;
} ra_items_sort;

typedef struct ra_op_items {
  ra_arena arena;         // what the state points to
  ra_dataset **datasets;  // a reference each
  size_t dataset_count;
  const char *const *segments;  // the version of the segment that holds each dataset's steps, or ""; NULL: none does
  const char *base_url;
  int64_t first, last;     // ISO milliseconds, inclusive; items without time always pass
  int64_t run;             // ISO reference time: only items of this run; RA_TIME_NONE: all
  const char *const *ids;  // NULL: all
  size_t id_count;
  ra_geometry *geometry;  // NULL: everywhere; owned
  ra_items_sort sorts[RA_ITEMS_SORTS];
  unsigned sort_count;
  const char *token;  // "" for the first page
  size_t limit, max_bytes;
  const char *fields;  // JSON {"include":[…],"exclude":[…]}; "" for all
  ra_buf *out;         // the result: a JSON list of items; NULL once taken
  size_t count, matched;
  ra_str next;  // the next page's token; empty when this is the last
} ra_op_items;

extern const ra_op_kind RA_OP_ITEMS;
