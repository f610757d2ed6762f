// sql.c - see sql.h
#include "ops/sql.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"

enum { BUSY_MS = 5000, KEPT = 32, CANCEL_STEPS = 10000, LOG_REGION = 32768, LOG_HEADER_WORDS = 6 };
static const size_t ROWS_LIMIT = 64u << 20;

struct ra_sql {
  atomic_int refs;
  pthread_mutex_t lock;
  sqlite3 *db;
  char *path;
  sqlite3_stmt *kept[KEPT];             // prepared statements, the last used first
  const volatile uint64_t *log_header;  // of the log's index in shared memory; NULL: none
};

// SQLite's own words and, where there is one, the system's reason (ENOENT is of files that need not be there).
static int fail_io(const ra_sql *sql, ra_err *err, const char *what, const char *text) {
  int reason = sql->db ? sqlite3_system_errno(sql->db) : 0;
  if (!reason || reason == ENOENT) return ra_fail(err, RA_E_IO, sql->path, "%s: %s", what, text);
  ra_fail_errno(err, reason, sql->path, "%s: %s", what, text);
  if (err) err->code = RA_E_IO;
  return RA_E_IO;
}

static int fail(const ra_sql *sql, int code, ra_err *err, const char *what) {
  const char *text = sql->db ? sqlite3_errmsg(sql->db) : sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      ra_fail(err, RA_E_BUSY, sql->path, "%s: another process holds the database", what);
      if (err) err->retry = true;
      return RA_E_BUSY;
    case SQLITE_INTERRUPT:
      return ra_fail(err, RA_E_CANCELLED, sql->path, "nobody waits for the rows");
    case SQLITE_NOMEM: return ra_fail(err, RA_E_NOMEM, sql->path, "%s: out of memory", what);
    case SQLITE_CONSTRAINT: return ra_fail(err, RA_E_CONFLICT, sql->path, "%s: %s", what, text);
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_PERM: return ra_fail(err, RA_E_DENIED, sql->path, "%s: %s", what, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ra_fail(err, RA_E_CORRUPT, sql->path, "%s: %s", what, text);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_FULL: return fail_io(sql, err, what, text);
    default: return ra_fail(err, RA_E_INTERNAL, sql->path, "%s: %s", what, text);
  }
}

static int make_folder(const char *path, ra_err *err) {
  char folder[4096];
  if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
    return ra_fail(err, RA_E_INVALID, path, "the path is too long");
  for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    if (access(folder, F_OK) != 0) {
      ra_fault_point("folder");
      if (mkdir(folder, 0777) && errno != EEXIST)
        return ra_fail_errno(err, errno, folder, "cannot make the database's folder");
    }
    *at = '/';
  }
  return RA_OK;
}

// A connection is to its one file: ATTACH and VACUUM INTO would reach every other. (Plain VACUUM attaches "".)
static int authorize(void *ctx, int action, const char *file, const char *b, const char *c,
                     const char *d) {
  (void)ctx, (void)b, (void)c, (void)d;
  return action == SQLITE_ATTACH && file && *file ? SQLITE_DENY : SQLITE_OK;
}

static int connect(ra_sql *sql, const char *name, int flags) {
  int code = sqlite3_open_v2(name, &sql->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
  if (code == SQLITE_OK) sqlite3_busy_timeout(sql->db, BUSY_MS);
  if (code == SQLITE_OK) sqlite3_set_authorizer(sql->db, authorize, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_exec(sql->db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
  return code;
}

static bool has_log(ra_sql *sql) {
  sqlite3_stmt *stmt = NULL;
  bool wal = sqlite3_prepare_v2(sql->db, "PRAGMA journal_mode", -1, &stmt, NULL) == SQLITE_OK &&
             sqlite3_step(stmt) == SQLITE_ROW &&
             strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
  sqlite3_finalize(stmt);
  return wal;
}

// The index's first region begins with a header that each commit writes anew (sqlite.org/walformat.html). It is asked for
// through SQLite, which keeps it mapped until the connection closes: a descriptor of our own would end its locks.
static void find_log_header(ra_sql *sql) {
  sqlite3_file *file = NULL;
  void volatile *region = NULL;
  if (!has_log(sql)) return;
  sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  bool can = file && file->pMethods && file->pMethods->iVersion >= 2 && file->pMethods->xShmMap;
  if (can && file->pMethods->xShmMap(file, 0, LOG_REGION, 0, &region) == SQLITE_OK)
    sql->log_header = region;
}

uint64_t ra_sql_stamp(const ra_sql *sql) {
  uint64_t hash = 14695981039346656037u;
  if (!sql->log_header) return 0;
  for (int i = 0; i < LOG_HEADER_WORDS; i++) hash = (hash ^ sql->log_header[i]) * 1099511628211u;
  return hash ? hash : 1;
}

// "immutable" is for a file in a folder that cannot be written, where there is no place for its shared memory; elsewhere
// it would hide what others write.
static bool in_readonly_folder(const char *path) {
  char *folder = strdup(path);
  char *slash = folder ? strrchr(folder, '/') : NULL;
  if (slash) slash[slash == folder ? 1 : 0] = 0;
  bool readonly = access(slash ? folder : ".", W_OK) != 0;
  free(folder);
  return readonly;
}

// Read-write where the file allows, so that the last one to close can tidy the log away; queries only all the same.
static int open_readonly(ra_sql *sql, ra_err *err) {
  if (access(sql->path, F_OK))
    return ra_fail(err, RA_E_NOTFOUND, sql->path, "there is no such database");
  int code = connect(sql, sql->path, SQLITE_OPEN_READWRITE);
  if ((code & 0xff) == SQLITE_CANTOPEN && in_readonly_folder(sql->path) &&
      !strpbrk(sql->path, "?#%")) {
    char name[4200];
    snprintf(name, sizeof name, "file:%s?immutable=1", sql->path);
    sqlite3_close(sql->db);
    code = connect(sql, name, SQLITE_OPEN_READONLY);
  }
  if (code == SQLITE_OK) code = sqlite3_exec(sql->db, "PRAGMA query_only=ON", NULL, NULL, NULL);
  return code == SQLITE_OK ? RA_OK : fail(sql, code, err, "cannot open the database");
}

// Changing the journal's mode does not wait for another process that does the same, so it is tried again.
static int set_modes(ra_sql *sql) {
  static const struct timespec pause = {.tv_nsec = 10000000};
  uint64_t end = ra_clock_ns() + BUSY_MS * UINT64_C(1000000);
  for (;;) {
    int code = sqlite3_exec(
        sql->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", NULL,
        NULL, NULL);
    if ((code & 0xff) != SQLITE_BUSY || ra_clock_ns() > end) return code;
    nanosleep(&pause, NULL);
  }
}

static int open_writable(ra_sql *sql, ra_err *err) {
  int rc = make_folder(sql->path, err);
  if (rc < 0) return rc;
  ra_fault_point("catalog open");
  int code = connect(sql, sql->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  ra_fault_point("catalog modes");
  if (code == SQLITE_OK) code = set_modes(sql);
  if ((code & 0xff) == SQLITE_CANTOPEN && in_readonly_folder(sql->path))
    return ra_fail(err, RA_E_DENIED, sql->path,
                   "cannot be written: this user may not write its folder");
  return code == SQLITE_OK ? RA_OK : fail(sql, code, err, "cannot open the database");
}

int ra_sql_open(const char *path, bool readonly, ra_sql **out, ra_err *err) {
  ra_sql *sql = calloc(1, sizeof *sql);
  char *copy = strdup(path);
  if (!sql || !copy) {
    free(sql);
    free(copy);
    return ra_fail(err, RA_E_NOMEM, path, "out of memory for a database");
  }
  atomic_init(&sql->refs, 1);
  pthread_mutex_init(&sql->lock, NULL);
  sql->path = copy;
  int rc = readonly ? open_readonly(sql, err) : open_writable(sql, err);
  if (rc < 0) {
    ra_sql_unref(sql);
    return rc;
  }
  find_log_header(sql);
  *out = sql;
  return RA_OK;
}

ra_sql *ra_sql_ref(ra_sql *sql) {
  atomic_fetch_add_explicit(&sql->refs, 1, memory_order_relaxed);
  return sql;
}

void ra_sql_unref(ra_sql *sql) {
  if (!sql || atomic_fetch_sub_explicit(&sql->refs, 1, memory_order_acq_rel) > 1) return;
  for (int i = 0; i < KEPT; i++) sqlite3_finalize(sql->kept[i]);
  sqlite3_close(sql->db);
  pthread_mutex_destroy(&sql->lock);
  free(sql->path);
  free(sql);
}

// The text's prepared statement, moved to the front; the last one makes room.
static int prepare(ra_sql *sql, const char *text, sqlite3_stmt **out, ra_err *err) {
  int at = 0;
  while (at < KEPT - 1 && sql->kept[at] && strcmp(sqlite3_sql(sql->kept[at]), text) != 0) at++;
  sqlite3_stmt *found = sql->kept[at];
  if (!found || strcmp(sqlite3_sql(found), text) != 0) {
    sqlite3_stmt *made = NULL;
    int code = sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL);
    if (code != SQLITE_OK) return fail(sql, code, err, "a statement is wrong");
    if (!made) return ra_fail(err, RA_E_INVALID, sql->path, "a statement is empty");
    sqlite3_finalize(found);
    found = made;
  }
  memmove(sql->kept + 1, sql->kept, (size_t)at * sizeof *sql->kept);
  sql->kept[0] = *out = found;
  return RA_OK;
}

static int bind_value(sqlite3_stmt *stmt, int at, const ra_sql_value *value) {
  switch (value->type) {
    case RA_SQL_INTEGER: return sqlite3_bind_int64(stmt, at, value->integer);
    case RA_SQL_REAL: return sqlite3_bind_double(stmt, at, value->real);
    case RA_SQL_TEXT:
      return sqlite3_bind_text64(stmt, at, value->text, value->size, SQLITE_STATIC, SQLITE_UTF8);
    case RA_SQL_BLOB: return sqlite3_bind_blob64(stmt, at, value->text, value->size, SQLITE_STATIC);
    case RA_SQL_NULL: break;
  }
  return sqlite3_bind_null(stmt, at);
}

static int bind_all(ra_sql *sql, sqlite3_stmt *stmt, const ra_sql_statement *statement, ra_err *err) {
  if ((size_t)sqlite3_bind_parameter_count(stmt) != statement->param_count)
    return ra_fail(err, RA_E_INVALID, sql->path,
                   "a statement has %d parameters, %zu are given: %.100s",
                   sqlite3_bind_parameter_count(stmt), statement->param_count, statement->text);
  for (size_t i = 0; i < statement->param_count; i++) {
    int code = bind_value(stmt, (int)i + 1, &statement->params[i]);
    if (code != SQLITE_OK) return fail(sql, code, err, "a parameter is wrong");
  }
  return RA_OK;
}

static bool read_value(ra_arena *arena, sqlite3_stmt *stmt, int column, ra_sql_value *value) {
  switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL: value->type = RA_SQL_NULL; return true;
    case SQLITE_INTEGER:
      value->type = RA_SQL_INTEGER;
      value->integer = sqlite3_column_int64(stmt, column);
      return true;
    case SQLITE_FLOAT:
      value->type = RA_SQL_REAL;
      value->real = sqlite3_column_double(stmt, column);
      return true;
    case SQLITE_BLOB: value->type = RA_SQL_BLOB; break;
    default: value->type = RA_SQL_TEXT;
  }
  const void *bytes = sqlite3_column_blob(stmt, column);
  value->size = (size_t)sqlite3_column_bytes(stmt, column);
  value->text = ra_arena_strndup(arena, bytes ? bytes : "", value->size);
  return value->text;
}

static bool read_columns(sqlite3_stmt *stmt, ra_sql_rows *rows) {
  rows->column_count = (size_t)sqlite3_column_count(stmt);
  rows->columns = ra_arena_calloc(&rows->arena, rows->column_count, sizeof *rows->columns);
  bool ok = rows->columns;
  for (size_t i = 0; ok && i < rows->column_count; i++)
    ok = (rows->columns[i] = ra_arena_strdup(&rows->arena, sqlite3_column_name(stmt, (int)i)));
  return ok;
}

static bool read_row(sqlite3_stmt *stmt, ra_sql_rows *rows, size_t *room) {
  if (rows->count == *room) {
    *room = *room ? *room * 2 : 16;
    const ra_sql_value **grown = realloc(rows->rows, *room * sizeof *grown);
    if (!grown) return false;
    rows->rows = grown;
  }
  ra_sql_value *row = ra_arena_calloc(&rows->arena, rows->column_count, sizeof *row);
  if (!row) return false;
  rows->rows[rows->count++] = row;
  for (size_t i = 0; i < rows->column_count; i++)
    if (!read_value(&rows->arena, stmt, (int)i, &row[i])) return false;
  return true;
}

static int step_rows(ra_sql *sql, sqlite3_stmt *stmt, ra_sql_rows *rows, ra_err *err) {
  size_t room = 0;
  bool ok = read_columns(stmt, rows);
  int code = SQLITE_ROW;
  while (ok && (code = sqlite3_step(stmt)) == SQLITE_ROW) ok = read_row(stmt, rows, &room);
  if (!ok)
    return ra_fail(err, RA_E_TOOBIG, sql->path, "the rows are over %zu MiB: ask for fewer",
                   ROWS_LIMIT >> 20);
  return code == SQLITE_DONE ? RA_OK : fail(sql, code, err, "cannot read");
}

static int is_cancelled(void *cancel) { return ra_cancel_is_set(cancel); }

int ra_sql_query(ra_sql *sql, const ra_sql_statement *statement, ra_cancel *cancel,
                 ra_sql_rows *rows, ra_err *err) {
  *rows = (ra_sql_rows){0};
  ra_arena_init(&rows->arena, ROWS_LIMIT);
  pthread_mutex_lock(&sql->lock);
  sqlite3_stmt *stmt = NULL;
  int rc = prepare(sql, statement->text, &stmt, err);
  if (rc == RA_OK && !sqlite3_stmt_readonly(stmt))
    rc = ra_fail(err, RA_E_INVALID, sql->path, "a query only reads: write in a transaction");
  if (rc == RA_OK) {
    sqlite3_progress_handler(sql->db, CANCEL_STEPS, is_cancelled, cancel);
    rc = bind_all(sql, stmt, statement, err);
    if (rc == RA_OK) rc = step_rows(sql, stmt, rows, err);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    sqlite3_progress_handler(sql->db, 0, NULL, NULL);
  }
  pthread_mutex_unlock(&sql->lock);
  return rc;
}

void ra_sql_rows_deinit(ra_sql_rows *rows) {
  ra_arena_deinit(&rows->arena);
  free(rows->rows);
  *rows = (ra_sql_rows){0};
}

static int execute(ra_sql *sql, const ra_sql_statement *statement, int64_t *affected, ra_err *err) {
  sqlite3_stmt *stmt = NULL;
  int rc = prepare(sql, statement->text, &stmt, err);
  if (rc == RA_OK) rc = bind_all(sql, stmt, statement, err);
  if (rc < 0) return rc;
  int code;
  int64_t before = sqlite3_total_changes64(sql->db);
  do code = sqlite3_step(stmt);
  while (code == SQLITE_ROW);
  if (code != SQLITE_DONE) rc = fail(sql, code, err, "cannot write");
  *affected = sqlite3_total_changes64(sql->db) == before ? 0 : sqlite3_changes64(sql->db);
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  if (rc == RA_OK && statement->expect >= 0 && *affected != statement->expect)
    rc = ra_fail(err, RA_E_CONFLICT, sql->path,
                 "another process was first: what was to be replaced has changed");
  return rc;
}

static int simple(ra_sql *sql, const char *text, ra_err *err) {
  int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
  return code == SQLITE_OK ? RA_OK : fail(sql, code, err, "cannot write");
}

int ra_sql_transaction(ra_sql *sql, const ra_sql_statement *statements, size_t count,
                       int64_t *affected, ra_err *err) {
  pthread_mutex_lock(&sql->lock);
  int rc = simple(sql, "BEGIN IMMEDIATE", err);
  bool begun = rc == RA_OK;
  for (size_t i = 0; rc == RA_OK && i < count; i++)
    rc = execute(sql, &statements[i], &affected[i], err);
  if (rc == RA_OK) {
    ra_fault_point("catalog commit");
    rc = simple(sql, "COMMIT", err);
  }
  if (begun && rc < 0) simple(sql, "ROLLBACK", NULL);
  pthread_mutex_unlock(&sql->lock);
  return rc;
}
