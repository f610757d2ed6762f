// sql.h - one SQLite file: a connection under a mutex, so that any thread may use it, one at a time. Calls block; they
// are for jobs. Rows lie in an arena of their own.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"

typedef struct ra_sql ra_sql;

typedef enum ra_sql_type {
  RA_SQL_NULL,
  RA_SQL_INTEGER,
  RA_SQL_REAL,
  RA_SQL_TEXT,
  RA_SQL_BLOB
} ra_sql_type;

typedef struct ra_sql_value {
  ra_sql_type type;
  int64_t integer;
  double real;
  const char *text;  // texts and blobs; texts are zero-terminated in results
  size_t size;
} ra_sql_value;

typedef struct ra_sql_statement {
  const char *text;
  const ra_sql_value *params;
  size_t param_count;
  int64_t expect;  // rows that it must change, else the transaction is undone: RA_E_CONFLICT; -1: any
} ra_sql_statement;

typedef struct ra_sql_rows {
  ra_arena arena;
  size_t column_count, count;
  const char **columns;
  const ra_sql_value **rows;  // [count][column_count]
} ra_sql_rows;

// readonly: RA_E_NOTFOUND when there is no such file. Else it is made, with its folder, in WAL mode.
int ra_sql_open(const char *path, bool readonly, ra_sql **out, ra_err *err);
// A number that is another one once any process has committed something; 0 where that is not to be had (no log, a file
// that cannot be written). Reads memory that SQLite shares between processes: no lock, no system call. Any thread.
uint64_t ra_sql_stamp(const ra_sql *sql);
ra_sql *ra_sql_ref(ra_sql *sql);
void ra_sql_unref(ra_sql *sql);  // NULL is fine; the last one closes the file

// One statement that only reads. *rows is made even when the call fails; ra_sql_rows_deinit. More than 64 MiB:
// RA_E_TOOBIG.
int ra_sql_query(ra_sql *sql, const ra_sql_statement *statement, ra_cancel *cancel,
                 ra_sql_rows *rows, ra_err *err);
void ra_sql_rows_deinit(ra_sql_rows *rows);
// All or none. affected[count] receives the number of changed rows.
int ra_sql_transaction(ra_sql *sql, const ra_sql_statement *statements, size_t count,
                       int64_t *affected, ra_err *err);
