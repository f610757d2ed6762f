// op_sql.c - see op_sql.h
#include "ops/op_sql.h"

#include <stdlib.h>

#include "base/clock.h"

static int open_run(ra_op *op, void *state, ra_err *err) {
  (void)op;
  ra_op_sql_open *open = state;
  return ra_sql_open(open->path, open->readonly, &open->sql, err);
}

static void open_deinit(void *state) {
  ra_op_sql_open *open = state;
  ra_sql_unref(open->sql);
  free(open->path);
}

static int query_run(ra_op *op, void *state, ra_err *err) {
  ra_op_sql *query = state;
  uint64_t begin = ra_clock_ns();
  int rc = ra_sql_query(query->sql, query->statements, ra_op_cancel_flag(op), &query->rows, err);
  ra_op_timing(op)->ns[RA_STAGE_CATALOG] += ra_clock_ns() - begin;
  return rc;
}

static int transaction_run(ra_op *op, void *state, ra_err *err) {
  (void)op;
  ra_op_sql *write = state;
  return ra_sql_transaction(write->sql, write->statements, write->count, write->affected, err);
}

static void sql_deinit(void *state) {
  ra_op_sql *sql = state;
  ra_sql_rows_deinit(&sql->rows);
  ra_arena_deinit(&sql->arena);
  ra_sql_unref(sql->sql);
}

const ra_op_kind RA_OP_SQL_OPEN = {.name = "sql.open",
                                   .state_size = sizeof(ra_op_sql_open),
                                   .lane = RA_OP_IO,
                                   .run = open_run,
                                   .deinit = open_deinit};
const ra_op_kind RA_OP_SQL_QUERY = {.name = "sql.query",
                                    .state_size = sizeof(ra_op_sql),
                                    .lane = RA_OP_IO,
                                    .run = query_run,
                                    .deinit = sql_deinit};
const ra_op_kind RA_OP_SQL_TRANSACTION = {.name = "sql.transaction",
                                          .state_size = sizeof(ra_op_sql),
                                          .lane = RA_OP_IO,
                                          .run = transaction_run,
                                          .deinit = sql_deinit};
