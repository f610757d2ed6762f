// op_dataset.c - see op_dataset.h
#include "ops/op_dataset.h"

#include <stdlib.h>
#include <string.h>

int ra_op_parse_init(ra_op_parse *parse, size_t count, ra_err *err) {
  parse->texts = calloc(count + 1, sizeof *parse->texts);
  parse->sizes = calloc(count + 1, sizeof *parse->sizes);
  parse->datasets = calloc(count + 1, sizeof *parse->datasets);
  if (!parse->texts || !parse->sizes || !parse->datasets)
    return ra_fail(err, RA_E_NOMEM, "", "out of memory for %zu datasets", count);
  parse->count = count;
  return RA_OK;
}

int ra_op_parse_set(ra_op_parse *parse, size_t i, const char *text, size_t size, ra_err *err) {
  parse->texts[i] = malloc(size + 1);
  if (!parse->texts[i]) return ra_fail(err, RA_E_NOMEM, "", "out of memory for %zu bytes", size);
  memcpy(parse->texts[i], text, size);
  parse->sizes[i] = size;
  return RA_OK;
}

static int parse_run(ra_op *op, void *state, ra_err *err) {
  ra_op_parse *parse = state;
  for (size_t i = 0; i < parse->count; i++) {
    if (ra_cancel_is_set(ra_op_cancel_flag(op)))
      return ra_fail(err, RA_E_CANCELLED, "", "nobody waits for the datasets");
    int rc = ra_dataset_parse(parse->texts[i], parse->sizes[i], &parse->datasets[i], err);
    if (rc < 0) return rc;
    free(parse->texts[i]);
    parse->texts[i] = NULL;
  }
  return RA_OK;
}

static void parse_deinit(void *state) {
  ra_op_parse *parse = state;
  for (size_t i = 0; i < parse->count; i++) {
    free(parse->texts[i]);
    ra_dataset_unref(parse->datasets[i]);
  }
  free(parse->texts);
  free(parse->sizes);
  free(parse->datasets);
}

const ra_op_kind RA_OP_PARSE = {.name = "dataset.parse",
                                .state_size = sizeof(ra_op_parse),
                                .lane = RA_OP_CPU,
                                .run = parse_run,
                                .deinit = parse_deinit};
