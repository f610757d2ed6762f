// SQLite behind sql.h: values there and back, conditional transactions, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ops/sql.h"

static char folder[] = "/tmp/rastrum-sql-XXXXXX";
static char path[64];

static int make_folder(void **state) {
  (void)state;
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/a/b/test.db", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

static int change(ra_sql *sql, const char *text, int64_t expect, ra_err *err) {
  ra_sql_statement statement = {.text = text, .expect = expect};
  int64_t affected;
  return ra_sql_transaction(sql, &statement, 1, &affected, err);
}

static void a_missing_file_is_not_found(void **state) {
  (void)state;
  ra_sql *sql;
  ra_err err;
  assert_int_equal(ra_sql_open(path, true, &sql, &err), RA_E_NOTFOUND);
  assert_int_not_equal(access(path, F_OK), 0);
}

static void values_go_there_and_back(void **state) {
  (void)state;
  ra_sql *sql;
  ra_err err;
  assert_int_equal(ra_sql_open(path, false, &sql, &err), RA_OK);
  assert_int_equal(change(sql, "CREATE TABLE t (a, b, c, d)", -1, &err), RA_OK);
  ra_sql_value in[4] = {{.type = RA_SQL_INTEGER, .integer = INT64_C(1) << 60},
                        {.type = RA_SQL_REAL, .real = 0.1},
                        {.type = RA_SQL_TEXT, .text = "x'\xc3\xa9", .size = 4},
                        {.type = RA_SQL_NULL}};
  ra_sql_statement insert = {
      .text = "INSERT INTO t VALUES (?, ?, ?, ?)", .params = in, .param_count = 4, .expect = 1};
  int64_t affected;
  assert_int_equal(ra_sql_transaction(sql, &insert, 1, &affected, &err), RA_OK);
  assert_int_equal(affected, 1);
  ra_sql_rows rows;
  ra_sql_statement select = {
      .text = "SELECT *, a AS e FROM t WHERE b = ?", .params = in + 1, .param_count = 1};
  assert_int_equal(ra_sql_query(sql, &select, NULL, &rows, &err), RA_OK);
  assert_int_equal(rows.count, 1);
  assert_int_equal(rows.column_count, 5);
  assert_string_equal(rows.columns[4], "e");
  assert_true(rows.rows[0][0].integer == in[0].integer && rows.rows[0][1].real == 0.1);
  assert_string_equal(rows.rows[0][2].text, "x'\xc3\xa9");
  assert_int_equal(rows.rows[0][3].type, RA_SQL_NULL);
  ra_sql_rows_deinit(&rows);
  ra_sql_unref(sql);
}

static size_t count_rows(ra_sql *sql) {
  ra_sql_rows rows;
  ra_sql_statement select = {.text = "SELECT * FROM t"};
  assert_int_equal(ra_sql_query(sql, &select, NULL, &rows, NULL), RA_OK);
  size_t count = rows.count;
  ra_sql_rows_deinit(&rows);
  return count;
}

static void a_lost_condition_undoes_everything(void **state) {
  (void)state;
  ra_sql *sql;
  ra_err err;
  assert_int_equal(ra_sql_open(path, false, &sql, &err), RA_OK);
  ra_sql_statement both[2] = {{.text = "INSERT INTO t (a) VALUES (7)", .expect = 1},
                              {.text = "UPDATE t SET a = 8 WHERE a = 99", .expect = 1}};
  int64_t affected[2];
  assert_int_equal(ra_sql_transaction(sql, both, 2, affected, &err), RA_E_CONFLICT);
  assert_int_equal(count_rows(sql), 1);
  both[1].expect = 0;
  assert_int_equal(ra_sql_transaction(sql, both, 2, affected, &err), RA_OK);
  assert_int_equal(count_rows(sql), 2);
  ra_sql_unref(sql);
}

static void queries_only_read(void **state) {
  (void)state;
  ra_sql *sql, *reader;
  ra_err err;
  ra_sql_rows rows;
  assert_int_equal(ra_sql_open(path, false, &sql, &err), RA_OK);
  assert_int_equal(ra_sql_open(path, true, &reader, &err), RA_OK);
  ra_sql_statement bad[] = {{.text = "DELETE FROM t"}, {.text = "SELECT ?"}, {.text = ""}};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ra_sql_query(sql, &bad[i], NULL, &rows, &err), RA_E_INVALID);
    ra_sql_rows_deinit(&rows);
  }
  ra_sql_statement typo = {.text = "SELEKT 1"};
  assert_int_equal(ra_sql_query(sql, &typo, NULL, &rows, &err), RA_E_INTERNAL);
  ra_sql_rows_deinit(&rows);
  assert_int_not_equal(change(reader, "DELETE FROM t", -1, &err), RA_OK);
  assert_int_equal(count_rows(sql), 2);
  assert_int_equal(change(sql, "INSERT INTO t (a) VALUES (9)", 1, &err), RA_OK);
  assert_int_equal(count_rows(reader), 3);
  ra_sql_unref(sql);
  ra_sql_unref(reader);
}

static void no_other_file_is_reached(void **state) {
  (void)state;
  ra_sql *sql;
  ra_err err;
  char other[80], text[160];
  snprintf(other, sizeof other, "%s/other.db", folder);
  assert_int_equal(ra_sql_open(path, false, &sql, &err), RA_OK);
  static const char *const forms[] = {"ATTACH '%s' AS other", "VACUUM INTO '%s'",
                                      "ATTACH 'file:%s?mode=rwc' AS other"};
  for (int i = 0; i < 3; i++) {
    ra_sql_rows rows = {0};
    snprintf(text, sizeof text, forms[i], other);
    ra_sql_statement query = {.text = text};
    assert_int_not_equal(ra_sql_query(sql, &query, NULL, &rows, &err), RA_OK);
    ra_sql_rows_deinit(&rows);
    assert_int_not_equal(change(sql, text, -1, &err), RA_OK);
    assert_int_not_equal(access(other, F_OK), 0);
  }
  ra_sql_unref(sql);
}

static void nothing_is_left_beside_a_closed_file(void **state) {
  (void)state;
  char wal[80];
  snprintf(wal, sizeof wal, "%s-wal", path);
  assert_int_not_equal(access(wal, F_OK), 0);
}

static void damage_is_said(void **state) {
  (void)state;
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(
      "this is no database, whatever its name says, and it is long enough to be looked at: "
      "............",
      file);
  fclose(file);
  ra_sql *sql;
  ra_err err;
  assert_int_equal(ra_sql_open(path, true, &sql, &err), RA_E_CORRUPT);
  assert_string_equal(err.where, path);
}

static void a_stamp_tells_of_commits(void **state) {
  (void)state;
  ra_sql *writer, *reader;
  ra_err err;
  unlink(path);  // whatever the tests before made of it
  assert_int_equal(ra_sql_open(path, false, &writer, &err), RA_OK);
  assert_int_equal(change(writer, "CREATE TABLE stamped (a)", -1, &err), RA_OK);
  assert_int_equal(ra_sql_open(path, true, &reader, &err), RA_OK);
  uint64_t before = ra_sql_stamp(reader);
  assert_true(before != 0);
  assert_true(ra_sql_stamp(reader) == before);
  for (int i = 0; i < 50; i++) {
    assert_int_equal(change(writer, "INSERT INTO stamped VALUES (1)", 1, &err), RA_OK);
    uint64_t now = ra_sql_stamp(reader);
    assert_true(now != before);
    before = now;
  }
  assert_int_equal(change(writer, "INSERT INTO stamped VALUES (1)", 2, &err), RA_E_CONFLICT);
  assert_true(ra_sql_stamp(reader) == before);  // undone
  ra_sql_unref(writer);
  assert_true(ra_sql_stamp(reader) != 0);
  ra_sql_unref(reader);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_missing_file_is_not_found),
                                     cmocka_unit_test(values_go_there_and_back),
                                     cmocka_unit_test(a_lost_condition_undoes_everything),
                                     cmocka_unit_test(queries_only_read),
                                     cmocka_unit_test(no_other_file_is_reached),
                                     cmocka_unit_test(nothing_is_left_beside_a_closed_file),
                                     cmocka_unit_test(damage_is_said),
                                     cmocka_unit_test(a_stamp_tells_of_commits)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
