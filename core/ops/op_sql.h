// op_sql.h - SQLite in the io lane: open, query, transaction. Each state owns its texts (one malloc'd block) and holds
// a reference to the database.
#pragma once
#include "ops/op.h"
#include "ops/sql.h"

typedef struct ra_op_sql_open {
  char *path;  // owned
  bool readonly;
  ra_sql *sql;  // the result; NULL once taken
} ra_op_sql_open;

typedef struct ra_op_sql {
  ra_sql *sql;
  ra_arena arena;  // statements, parameters and their texts
  ra_sql_statement *statements;
  size_t count;
  ra_sql_rows rows;   // of a query
  int64_t *affected;  // of a transaction: [count]
} ra_op_sql;

extern const ra_op_kind RA_OP_SQL_OPEN, RA_OP_SQL_QUERY, RA_OP_SQL_TRANSACTION;
