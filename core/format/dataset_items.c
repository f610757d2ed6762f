// dataset_items.c - items: the distinct times of a dataset's axes, in ISO order. Two steps are the same item when their
// labels agree (the date to the second, and which of the repeated ones).
#include <stdlib.h>
#include <string.h>

#include "format/dataset_tables.h"

enum { SECOND_MS = 1000 };

static int64_t label_second(int64_t ms) {
  if (ms == RA_TIME_NONE) return RA_TIME_NONE;
  return ms / SECOND_MS - (ms % SECOND_MS < 0);
}

typedef struct entry {
  ra_dataset_item item;
  int64_t second;  // of the ISO time
} entry;

static int compare(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int by_time(const void *pa, const void *pb) {
  const entry *a = pa, *b = pb;
  int order = compare(a->second, b->second);
  if (!order) order = compare(label_second(a->item.true_ms), label_second(b->item.true_ms));
  if (!order) order = compare(a->item.ordinal, b->item.ordinal);
  if (!order) order = compare(a->item.axis_index, b->item.axis_index);
  return order ? order : compare((int64_t)a->item.step, (int64_t)b->item.step);
}

static bool same_item(const entry *a, const entry *b) {
  return a->second == b->second && a->item.ordinal == b->item.ordinal &&
         label_second(a->item.true_ms) == label_second(b->item.true_ms) &&
         a->item.axis_index != b->item.axis_index;
}

typedef struct place {
  int64_t ms;
  size_t step;
} place;

static int by_instant(const void *pa, const void *pb) {
  const place *a = pa, *b = pb;
  int order = compare(a->ms, b->ms);
  return order ? order : compare((int64_t)a->step, (int64_t)b->step);
}

// Numbers the steps that share a label; leaves ordinals NULL when none do.
static int number_axis(ra_dataset *dataset, ra_dataset_axis *axis, ra_err *err) {
  bool rising = true, distinct = true;
  for (size_t i = 0; i < axis->count; i++) {
    rising = rising && axis->ms[i] != RA_TIME_NONE && (!i || axis->ms[i - 1] < axis->ms[i]);
    distinct = distinct && (!i || label_second(axis->ms[i - 1]) < label_second(axis->ms[i]));
  }
  axis->rising = rising;
  if (distinct) return RA_OK;
  place *places = calloc(axis->count, sizeof *places);
  uint32_t *ordinals = ra_arena_calloc(&dataset->arena, axis->count, sizeof *ordinals);
  if (!places || !ordinals) {
    free(places);
    return ra_fail(err, RA_E_NOMEM, dataset->id, "out of memory for %zu times", axis->count);
  }
  for (size_t i = 0; i < axis->count; i++) places[i] = (place){axis->ms[i], i};
  qsort(places, axis->count, sizeof *places, by_instant);
  bool repeats = false;
  for (size_t i = 0; i < axis->count; i++) {
    bool again = i && label_second(places[i].ms) == label_second(places[i - 1].ms);
    ordinals[places[i].step] = again ? ordinals[places[i - 1].step] + 1 : 1;
    repeats = repeats || again;
  }
  free(places);
  if (repeats) axis->ordinals = ordinals;
  return RA_OK;
}

static size_t list_entries(const ra_dataset *dataset, entry *entries) {
  size_t n = 0;
  for (size_t a = 0; a < dataset->axis_count; a++) {
    const ra_dataset_axis *axis = &dataset->axes[a];
    for (size_t i = 0; i < axis->count; i++) {
      if (axis->ms[i] == RA_TIME_NONE) continue;
      int64_t iso = ra_time_to_iso(axis->calendar, axis->ms[i], NULL);
      entries[n++] = (entry){{.iso_ms = iso,
                              .true_ms = axis->ms[i],
                              .axis = axis,
                              .axis_index = (int)a,
                              .step = i,
                              .ordinal = axis->ordinals ? axis->ordinals[i] : 1},
                             label_second(iso)};
    }
  }
  return n;
}

static int timeless(ra_dataset *dataset, ra_err *err) {
  dataset->items = ra_arena_calloc(&dataset->arena, 1, sizeof *dataset->items);
  if (!dataset->items) return ra_fail(err, RA_E_NOMEM, dataset->id, "out of memory for an item");
  dataset->items[0] = (ra_dataset_item){
      .iso_ms = RA_TIME_NONE, .true_ms = RA_TIME_NONE, .axis_index = -1, .ordinal = 1};
  dataset->item_count = 1;
  return RA_OK;
}

static int merge_entries(ra_dataset *dataset, const entry *entries, size_t n, ra_err *err) {
  size_t axes = dataset->axis_count;
  dataset->items = ra_arena_calloc(&dataset->arena, n, sizeof *dataset->items);
  if (axes > 1) dataset->item_steps = ra_arena_calloc(&dataset->arena, n * axes, sizeof(int32_t));
  if (!dataset->items || (axes > 1 && !dataset->item_steps))
    return ra_fail(err, RA_E_NOMEM, dataset->id, "out of memory for %zu items", n);
  for (size_t i = 0; i < n; i++) {
    if (!i || !same_item(&entries[i - 1], &entries[i])) {
      dataset->items[dataset->item_count++] = entries[i].item;
      if (axes > 1) memset(dataset->item_steps + (dataset->item_count - 1) * axes, 0xff, axes * 4);
    }
    if (axes > 1)
      dataset->item_steps[(dataset->item_count - 1) * axes + (size_t)entries[i].item.axis_index] =
          (int32_t)entries[i].item.step;
  }
  return RA_OK;
}

int ra__dataset_make_items(ra_dataset *dataset, ra_err *err) {
  size_t total = 0;
  for (size_t a = 0; a < dataset->axis_count; a++) {
    int rc = number_axis(dataset, &dataset->axes[a], err);
    if (rc < 0) return rc;
    total += dataset->axes[a].count;
  }
  if (!total) return timeless(dataset, err);
  entry *entries = calloc(total, sizeof *entries);
  if (!entries) return ra_fail(err, RA_E_NOMEM, dataset->id, "out of memory for %zu items", total);
  size_t n = list_entries(dataset, entries);
  qsort(entries, n, sizeof *entries, by_time);
  int rc = n ? merge_entries(dataset, entries, n, err) : timeless(dataset, err);
  free(entries);
  return rc;
}

size_t ra_dataset_item_count(const ra_dataset *dataset) { return dataset->item_count; }

const ra_dataset_item *ra_dataset_get_item(const ra_dataset *dataset, size_t i) {
  return &dataset->items[i];
}

bool ra_dataset_item_step(const ra_dataset *dataset, size_t i, int axis, size_t *step) {
  const ra_dataset_item *item = &dataset->items[i];
  if (axis < 0) return false;
  if (dataset->item_steps) {
    int32_t found = dataset->item_steps[i * dataset->axis_count + (size_t)axis];
    if (found >= 0) *step = (size_t)found;
    return found >= 0;
  }
  if (item->axis_index != axis) return false;
  *step = item->step;
  return true;
}

size_t ra_dataset_item_lower(const ra_dataset *dataset, int64_t ms) {
  size_t low = 0, high = dataset->item_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (dataset->items[middle].iso_ms < ms)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void add_label(ra_calendar calendar, int64_t ms, unsigned ordinal, ra_str *out) {
  char label[40] = "notime";
  if (ms != RA_TIME_NONE) ra_time_label(calendar, ms, label);
  ra_str_add(out, label);
  if (ordinal > 1) ra_str_addf(out, "_%u", ordinal);
}

void ra_dataset_step_label(const ra_dataset_axis *axis, size_t step, ra_str *out) {
  if (axis)
    add_label(axis->calendar, axis->ms[step], axis->ordinals ? axis->ordinals[step] : 1, out);
  else
    ra_str_add(out, "static");
}

void ra_dataset_item_id(const ra_dataset *dataset, size_t i, ra_str *out) {
  const ra_dataset_item *item = &dataset->items[i];
  ra_str_add(out, dataset->id);
  if (!item->axis) return;
  ra_str_add_char(out, '_');
  add_label(item->axis->calendar, item->true_ms, item->ordinal, out);
}

static bool is_item(const ra_dataset *dataset, size_t i, const char *item_id) {
  ra_str own;
  ra_str_init(&own);
  ra_dataset_item_id(dataset, i, &own);
  bool same = own.ptr && !own.failed && !strcmp(own.ptr, item_id);
  ra_str_deinit(&own);
  return same;
}

// "20200230T060000Z" at the beginning of text.
static bool read_label(const char *text, ra_calendar calendar, int64_t *ms) {
  bool negative = *text == '-';
  char *end;
  if (negative) text++;
  if (*text < '0' || *text > '9') return false;
  long long day = strtoll(text, &end, 10);
  if (end - text < 8 || end - text > 13 || *end != 'T' || end[1] < '0' || end[1] > '9')
    return false;
  long clock = strtol(end + 1, NULL, 10);
  ra_date date = {.year = negative ? -(day / 10000) : day / 10000,
                  .month = (int)(day / 100 % 100),
                  .day = (int)(day % 100),
                  .hour = (int)(clock / 10000),
                  .minute = (int)(clock / 100 % 100),
                  .second = (int)(clock % 100)};
  return ra_time_from_date(calendar, &date, ms, NULL) == RA_OK;
}

bool ra_dataset_find_item(const ra_dataset *dataset, const char *item_id, size_t *i) {
  size_t length = strlen(dataset->id);
  if (strncmp(item_id, dataset->id, length) != 0) return false;
  if (!item_id[length]) {
    *i = 0;
    return !dataset->items[0].axis;
  }
  if (item_id[length] != '_') return false;
  for (size_t a = 0; a < dataset->axis_count; a++) {
    const ra_calendar calendar = dataset->axes[a].calendar;
    int64_t ms;
    if (!read_label(item_id + length + 1, calendar, &ms)) continue;
    int64_t iso = ra_time_to_iso(calendar, ms, NULL);
    for (size_t k = ra_dataset_item_lower(dataset, iso);
         k < dataset->item_count && dataset->items[k].iso_ms < iso + SECOND_MS; k++) {
      if (!is_item(dataset, k, item_id)) continue;
      *i = k;
      return true;
    }
  }
  return false;
}
