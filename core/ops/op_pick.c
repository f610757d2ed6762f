// op_pick.c - see op_pick.h
#include "ops/op_pick.h"

#include <stdlib.h>

static int pick_run(ra_op *op, void *state, ra_err *err) {
  (void)op;
  ra_op_pick *pick = state;
  return ra_dataset_choose(pick->sources, pick->count, pick->run, &pick->picks, &pick->pick_count,
                           err);
}

static void pick_deinit(void *state) {
  ra_op_pick *pick = state;
  for (size_t i = 0; i < pick->count; i++) ra_dataset_unref(pick->datasets[i]);
  free(pick->datasets);
  free(pick->sources);
  free(pick->run);
  free(pick->picks);
}

const ra_op_kind RA_OP_PICK = {.name = "pick",
                               .state_size = sizeof(ra_op_pick),
                               .lane = RA_OP_CPU,
                               .run = pick_run,
                               .deinit = pick_deinit};
