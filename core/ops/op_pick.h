// op_pick.h - which steps of some datasets make up a series of one variable (ra_dataset_choose). One job in the cpu lane.
#pragma once
#include "format/dataset.h"
#include "ops/op.h"

typedef struct ra_op_pick {
  ra_dataset **datasets;       // a reference each
  ra_dataset_source *sources;  // one a dataset; all have the variable
  size_t count;
  char *run;               // "": all
  ra_dataset_pick *picks;  // the result
  size_t pick_count;
} ra_op_pick;

extern const ra_op_kind RA_OP_PICK;
