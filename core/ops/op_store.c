// op_store.c - see op_store.h
#include "ops/op_store.h"

#include <unistd.h>

static int open_run(ra_op *op, void *state, ra_err *err) {
  ra_op_open *object = state;
  ra_store *store = ra_op_ops(op)->store;
  if (!store) return ra_fail(err, RA_E_NOTFOUND, object->key, "this process has no store");
  return ra_store_open_object(store, object->key, &object->file, err);
}

static void open_deinit(void *state) {
  ra_op_open *object = state;
  if (object->file.fd >= 0) close(object->file.fd);
}

static int check_run(ra_op *op, void *state, ra_err *err) {
  (void)state;
  const ra_store *store = ra_op_ops(op)->store;
  return store ? ra_store_check(store, err)
               : ra_fail(err, RA_E_NOTFOUND, "", "this process has no store");
}

const ra_op_kind RA_OP_STORE_CHECK = {.name = "store check", .lane = RA_OP_IO, .run = check_run};

const ra_op_kind RA_OP_OPEN = {.name = "open",
                               .state_size = sizeof(ra_op_open),
                               .lane = RA_OP_IO,
                               .run = open_run,
                               .deinit = open_deinit};
