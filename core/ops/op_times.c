// op_times.c - see op_times.h. A version is the first 12 digits of what rastrum.hash gives for the words
// "<version>:<step>,…" of the datasets drawn at that time and the generation: tiles make the same from their sources.
#include "ops/op_times.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

enum { TAG_DIGITS = 12 };

typedef struct moment {
  int64_t ms, run;
  uint32_t rank;  // place of its dataset in the order
  uint32_t step;
} moment;

typedef struct list {
  const ra_op_times *times;
  moment *moments;
  size_t count;
  moment *always;  // datasets whose variable has no time
  size_t always_count;
  ra_calendar calendar;
} list;

static int by_time(const void *pa, const void *pb) {
  const moment *a = pa, *b = pb;
  if (a->ms != b->ms) return a->ms < b->ms ? -1 : 1;
  if (a->run != b->run) return a->run > b->run ? -1 : 1;
  if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
  return (a->step > b->step) - (a->step < b->step);
}

static size_t count_steps(const ra_op_times *times) {
  size_t total = 0;
  for (size_t i = 0; i < times->dataset_count; i++) {
    const ra_dataset_variable *v = ra_dataset_find_variable(times->datasets[i], times->variable);
    if (v && v->axis) total += v->axis->count;
  }
  return total;
}

static bool in_window(const ra_op_times *times, const ra_dataset_axis *axis, int64_t ms) {
  if (ms == RA_TIME_NONE) return false;
  if (times->first == INT64_MIN && times->last == INT64_MAX) return true;
  int64_t iso = ra_time_to_iso(axis->calendar, ms, NULL);
  return iso >= times->first && iso <= times->last;
}

// False: the axis lacks the only run. *run is RA_TIME_NONE when all runs are asked for.
static bool wanted_run(const ra_op_times *times, const ra_dataset_axis *axis, int64_t *run) {
  int64_t ms;
  *run = RA_TIME_NONE;
  if (!*times->run) return true;
  return axis && ra_time_parse(axis->calendar, times->run, &ms, NULL) == RA_OK &&
         ra_dataset_axis_find_run(axis, ms, run);
}

static void gather(list *l) {
  const ra_op_times *times = l->times;
  for (size_t i = 0; i < times->dataset_count; i++) {
    const ra_dataset_variable *v = ra_dataset_find_variable(times->datasets[i], times->variable);
    int64_t only;
    if (!v || !wanted_run(times, v->axis, &only)) continue;
    if (!v->axis) l->always[l->always_count++] = (moment){0, RA_TIME_NONE, (uint32_t)i, 0};
    if (v->axis) l->calendar = v->axis->calendar;
    for (size_t k = 0; v->axis && k < v->axis->count; k++) {
      int64_t run = ra_dataset_axis_run(v->axis, k);
      if (in_window(times, v->axis, v->axis->ms[k]) && (only == RA_TIME_NONE || run == only))
        l->moments[l->count++] = (moment){v->axis->ms[k], run, (uint32_t)i, (uint32_t)k};
    }
  }
  qsort(l->moments, l->count, sizeof *l->moments, by_time);
}

static void add_word(const list *l, const moment *m, ra_str *words) {
  if (words->len) ra_str_add_char(words, ',');
  ra_str_addf(words, "%s:%u", ra_dataset_version(l->times->datasets[m->rank]), m->step);
}

static bool repeats(const moment *a, const moment *b) {
  return a->rank == b->rank && a->run == b->run;
}

// The datasets with a step at this time, the latest run first, and those without time, by rank; of a repeated time the
// first step. Forecasts show only as many as one map is drawn from.
static void add_words(const list *l, const moment *at, size_t count, ra_str *words) {
  size_t i = 0, k = 0, n = 0, most = count && at->run != RA_TIME_NONE ? l->times->most : SIZE_MAX;
  while (n < most && (i < count || k < l->always_count)) {
    bool timeless = k < l->always_count &&
                    (i == count || (at[i].run == RA_TIME_NONE && l->always[k].rank < at[i].rank));
    const moment *next = timeless ? &l->always[k++] : &at[i++];
    if (!timeless && i > 1 && repeats(next, next - 1)) continue;
    add_word(l, next, words);
    n++;
  }
}

static void add_version(const list *l, const moment *at, size_t count, ra_str *out) {
  char hex[65];
  ra_str words, joined;
  ra_str_init(&words);
  ra_str_init(&joined);
  add_words(l, at, count, &words);
  const char *generation = l->times->generation;
  ra_str_addf(&joined, "%zu:", words.len);
  ra_str_add_bytes(&joined, words.ptr ? words.ptr : "", words.len);
  ra_str_addf(&joined, "%zu:%s", strlen(generation), generation);
  ra_sha256_of(joined.ptr ? joined.ptr : "", joined.len, hex);
  ra_str_addf(out, "\"%.*s\"", TAG_DIGITS, hex);
  ra_str_deinit(&words);
  ra_str_deinit(&joined);
}

static size_t same_time(const list *l, size_t i) {
  size_t end = i + 1;
  while (end < l->count && l->moments[end].ms == l->moments[i].ms) end++;
  return end - i;
}

static void write_list(const list *l, bool versions, ra_str *out) {
  if (!l->count && l->always_count) {
    if (versions)
      add_version(l, NULL, 0, out);
    else
      ra_str_add(out, "null");
  }
  for (size_t i = 0, n; i < l->count; i += n) {
    char text[40];
    n = same_time(l, i);
    if (i) ra_str_add_char(out, ',');
    if (versions) {
      add_version(l, &l->moments[i], n, out);
      continue;
    }
    ra_time_format(l->calendar, l->moments[i].ms, text);
    ra_str_addf(out, "\"%s\"", text);
  }
}

static int by_instant(const void *pa, const void *pb) {
  int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
  return (a > b) - (a < b);
}

// ,"runs":[…] of all datasets, in order; nothing where there are none.
static int add_runs(const list *l, ra_str *out, ra_err *err) {
  const ra_op_times *times = l->times;
  size_t count = 0, room = 0;
  for (size_t i = 0; i < times->dataset_count; i++) {
    const ra_dataset_variable *v = ra_dataset_find_variable(times->datasets[i], times->variable);
    if (v && v->axis) room += v->axis->runs;
  }
  if (!room) return RA_OK;
  int64_t *runs = calloc(room, sizeof *runs);
  if (!runs) return ra_fail(err, RA_E_NOMEM, "", "out of memory for %zu runs", room);
  for (size_t i = 0; i < times->dataset_count; i++) {
    const ra_dataset_variable *v = ra_dataset_find_variable(times->datasets[i], times->variable);
    for (size_t k = 0; v && v->axis && k < v->axis->runs; k++)
      if (v->axis->run_ms[k] != RA_TIME_NONE) runs[count++] = v->axis->run_ms[k];
  }
  qsort(runs, count, sizeof *runs, by_instant);
  ra_str_add(out, ",\"runs\":[");
  for (size_t i = 0; i < count; i++) {
    char text[40];
    if (i && runs[i] == runs[i - 1]) continue;
    ra_time_format(l->calendar, runs[i], text);
    ra_str_addf(out, i ? ",\"%s\"" : "\"%s\"", text);
  }
  ra_str_add_char(out, ']');
  free(runs);
  return RA_OK;
}

static int write_json(const list *l, ra_buf **buf, ra_err *err) {
  ra_str out;
  ra_str_init(&out);
  ra_str_add(&out, "{\"collection\":");
  ra_str_add_json(&out, l->times->collection);
  ra_str_add(&out, ",\"variable\":");
  ra_str_add_json(&out, l->times->variable);
  if (l->count) ra_str_addf(&out, ",\"calendar\":\"%s\"", ra_calendar_name(l->calendar));
  ra_str_add(&out, ",\"times\":[");
  write_list(l, false, &out);
  ra_str_add(&out, "],\"versions\":[");
  write_list(l, true, &out);
  ra_str_add_char(&out, ']');
  int rc = add_runs(l, &out, err);
  ra_str_add_char(&out, '}');
  if (rc >= 0) rc = ra_str_take(&out, buf, err);
  if (rc < 0) ra_str_deinit(&out);
  return rc;
}

static int times_run(ra_op *op, void *state, ra_err *err) {
  (void)op;
  ra_op_times *times = state;
  list l = {.times = times};
  l.moments = calloc(count_steps(times) + 1, sizeof *l.moments);
  l.always = calloc(times->dataset_count + 1, sizeof *l.always);
  int rc =
      l.moments && l.always ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "out of memory for the times");
  if (l.moments && l.always) {
    gather(&l);
    rc = write_json(&l, &times->out, err);
  }
  free(l.moments);
  free(l.always);
  return rc;
}

static void times_deinit(void *state) {
  ra_op_times *times = state;
  for (size_t i = 0; i < times->dataset_count; i++) ra_dataset_unref(times->datasets[i]);
  free(times->datasets);
  ra_buf_unref(times->out);
  ra_arena_deinit(&times->arena);
}

const ra_op_kind RA_OP_TIMES = {.name = "times",
                                .state_size = sizeof(ra_op_times),
                                .lane = RA_OP_CPU,
                                .run = times_run,
                                .deinit = times_deinit};
