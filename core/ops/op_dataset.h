// op_dataset.h - catalog bodies to datasets: one job in the cpu lane for a whole list.
#pragma once
#include "format/dataset.h"
#include "ops/op.h"

typedef struct ra_op_parse {
  size_t count;
  char **texts;  // owned, malloc'd, as the array is
  size_t *sizes;
  ra_dataset **datasets;  // one reference each; set to NULL by whoever takes it
} ra_op_parse;

extern const ra_op_kind RA_OP_PARSE;
// Room for `count` texts in a new operation's state.
int ra_op_parse_init(ra_op_parse *parse, size_t count, ra_err *err);
int ra_op_parse_set(ra_op_parse *parse, size_t i, const char *text, size_t size, ra_err *err);
