// series_text.c - a series as JSON or CSV (contracts.md §11). Timestamps are in the data's own calendar; times shared by
// all series stand once, beside them; series whose times differ (a field without time beside one with) carry their own.
#include <math.h>
#include <string.h>

#include "base/caltime.h"
#include "base/clock.h"
#include "base/number.h"
#include "render/series_impl.h"

enum { DAY_MS = 86400000, NO_DAY = 1 << 30 };

// ---- timestamps

enum { STAMP_ROOM = 48, DATE_ROOM = 16 };

// The date of the last day is kept: most steps differ from the one before in the hour alone.
typedef struct stamper {
  ra_calendar calendar;
  int64_t day;
  char date[DATE_ROOM];  // "2020-01-31T"
} stamper;

static char *put_two(char *at, int value) {
  at[0] = (char)('0' + value / 10);
  at[1] = (char)('0' + value % 10);
  return at + 2;
}

static void keep_date(stamper *self, const ra_date *date) {
  char *at = put_two(self->date, (int)date->year / 100);
  at = put_two(at, (int)date->year % 100);
  *at++ = '-';
  at = put_two(at, date->month);
  *at++ = '-';
  at = put_two(at, date->day);
  *at = 'T';
}

// "2020-01-31T06:00:00Z" to `out`, which has STAMP_ROOM bytes; returns its end. Years of four digits and whole seconds
// are written here; anything else is ra_time_format's.
static char *put_stamp(stamper *self, int64_t ms, char *out) {
  int64_t day = ms >= 0 ? ms / DAY_MS : -((DAY_MS - 1 - ms) / DAY_MS);
  int rest = (int)(ms - day * DAY_MS);
  if (day != self->day) {
    ra_date date;
    ra_time_to_date(self->calendar, ms, &date);
    bool usual = date.year >= 0 && date.year <= 9999;
    self->day = usual ? day : NO_DAY;
    if (usual) keep_date(self, &date);
  }
  if (self->day != day || rest % 1000) {
    ra_time_format(self->calendar, ms, out);
    return out + strlen(out);
  }
  memcpy(out, self->date, DATE_ROOM);
  char *at = put_two(out + 11, rest / 3600000);
  *at++ = ':';
  at = put_two(at, rest / 60000 % 60);
  *at++ = ':';
  at = put_two(at, rest / 1000 % 60);
  *at++ = 'Z';
  return at;
}

static int64_t time_of(const ra_series_part *clock, size_t i) {
  const ra_dataset_axis *axis = clock->variable->axis;
  return axis ? axis->ms[ra__series_step(clock, i)] : RA_TIME_NONE;
}

// Calls for each step of line v in order; ms RA_TIME_NONE: without time.
typedef void visit(void *ctx, stamper *clock, int64_t ms, size_t step);

static void each_step(const ra__series *self, unsigned v, visit *call, void *ctx) {
  size_t step = 0;
  for (unsigned s = 0; s < self->request->segment_count; s++) {
    const ra_series_part *clock = ra__series_clock(self, v, s);
    if (!clock) continue;
    stamper state = {.day = NO_DAY};
    if (clock->variable->axis) state.calendar = clock->variable->axis->calendar;
    for (size_t i = 0; i < clock->step_count; i++) call(ctx, &state, time_of(clock, i), step++);
  }
}

static void visit_json(void *ctx, stamper *clock, int64_t ms, size_t step) {
  ra_str *out = ctx;
  char *begin = ra_str_room(out, STAMP_ROOM + 3), *at = begin;
  if (!begin) return;
  if (step) *at++ = ',';
  if (ms == RA_TIME_NONE) {
    at = stpcpy(at, "null");
  } else {
    *at++ = '"';
    at = put_stamp(clock, ms, at);
    *at++ = '"';
  }
  ra_str_wrote(out, (size_t)(at - begin));
}

void ra__series_add_times(const ra__series *self, unsigned v, ra_str *out) {
  ra_str_add_char(out, '[');
  each_step(self, v, visit_json, out);
  ra_str_add_char(out, ']');
}

static void add_times(const ra__series *self, unsigned v, ra_str *out) {
  ra_str_add(out, "\"timestamps\":");
  ra__series_add_times(self, v, out);
}

// ---- what was chosen

// The extra dimension that `level` speaks of: the only one longer than 1, or the only one. -1: none.
static int level_dim(const ra_dataset_variable *variable) {
  int found = -1, longer = 0;
  for (unsigned i = 0; i < variable->extra_count; i++) {
    if (variable->extra[i].size <= 1) continue;
    found = (int)i;
    longer++;
  }
  if (longer == 0 && variable->extra_count == 1) found = 0;
  return longer > 1 ? -1 : found;
}

const ra_dataset_extra *ra__series_level(const ra_series_part *part, double *out) {
  int dim = level_dim(part->variable);
  if (dim < 0 || !part->variable->extra[dim].values) return NULL;
  *out = part->variable->extra[dim].values[part->extra[dim]];
  return isfinite(*out) ? &part->variable->extra[dim] : NULL;
}

static void add_choice(const ra_series_part *part, ra_str *out) {
  const ra_dataset_variable *variable = part->variable;
  double level;
  ra_str_add(out, ",\"level\":");
  ra_str_add_double(out, ra__series_level(part, &level) ? level : NAN);
  if (!variable->extra_count) return;
  ra_str_add(out, ",\"sel\":{");
  for (unsigned i = 0; i < variable->extra_count; i++) {
    const ra_dataset_extra *extra = &variable->extra[i];
    if (i) ra_str_add_char(out, ',');
    ra_str_add_json(out, extra->name);
    ra_str_add_char(out, ':');
    if (extra->values) {
      ra_str_add_double(out, extra->values[part->extra[i]]);
    } else {
      ra_str_add_int(out, (int64_t)part->extra[i]);
    }
  }
  ra_str_add(out, "}");
}

static void add_number(ra_str *out, const char *name, double value) {
  ra_str_addf(out, ",\"%s\":", name);
  ra_str_add_double(out, value);
}

static void add_cell(const ra__series_cell *cell, ra_str *out) {
  if (!cell) {
    ra_str_add(out, ",\"cell\":null");
    return;
  }
  ra_str_add(out, ",\"cell\":{\"lon\":");
  ra_str_add_double(out, round(cell->lon * 1e9) / 1e9 + 0.0);
  add_number(out, "lat", round(cell->lat * 1e9) / 1e9 + 0.0);
  add_number(out, "distance_m", round(cell->distance_m * 1e3) / 1e3);
  ra_str_add(out, "}");
}

// ---- JSON

static size_t put_value(char *out, double value, bool single) {
  if (isnan(value) || isinf(value)) {
    return (size_t)(stpcpy(out, "null") - out);
  }
  return single ? ra_number_float((float)value, out) : ra_number_double(value, out);
}

void ra__series_add_values(const ra__series *self, unsigned v, unsigned point, ra_str *out) {
  const ra__series_line *line = &self->lines[v];
  const double *values = self->values + (size_t)point * line->count;
  ra_str_add(out, "\"values\":[");
  for (size_t i = 0; i < line->count; i++) {
    char *at = ra_str_room(out, RA_NUMBER_TEXT + 1);
    if (!at) return;
    *at = ',';
    size_t comma = i ? 1 : 0;
    ra_str_wrote(out, comma + put_value(at + comma, values[i], line->single));
  }
  ra_str_add(out, "]");
}

// "variable" … "cell": the members that name one series.
static void add_name(const ra__series *self, unsigned v, unsigned point, const char *middle,
                     ra_str *out) {
  const ra_series_part *first = self->lines[v].first;
  ra_str_add(out, "\"variable\":");
  ra_str_add_json(out, first->variable->name);
  ra_str_add(out, ",\"units\":");
  ra_str_add_json(out, first->variable->units);
  ra_str_add(out, middle);
  add_number(out, "lon", self->request->points[point].lon);
  add_number(out, "lat", self->request->points[point].lat);
  add_choice(first, out);
  add_cell(ra__series_cell_of(self, v, point), out);
  ra_str_add_char(out, ',');
}

static const ra_dataset_axis *first_axis(const ra__series *self) {
  for (unsigned v = 0; v < self->request->variable_count; v++) {
    if (self->lines[v].first->variable->axis) return self->lines[v].first->variable->axis;
  }
  return NULL;
}

static void add_calendar(const ra__series *self, ra_str *out) {
  const ra_dataset_axis *axis = first_axis(self);
  ra_str_add(out, ",\"calendar\":");
  if (axis) {
    ra_str_add_json(out, ra_calendar_name(axis->calendar));
  } else {
    ra_str_add(out, "null");
  }
}

int ra__series_read_timed(ra__series *self, unsigned v, uint64_t *encode_start, ra_err *err) {
  uint64_t before = ra_clock_ns();
  self->timing->ns[RA_STAGE_ENCODE] += before - *encode_start;
  int rc = ra__series_read(self, v, err);
  *encode_start = ra_clock_ns();
  return rc;
}

static int add_one(ra__series *self, uint64_t *start, ra_str *out, ra_err *err) {
  int rc = ra__series_read_timed(self, 0, start, err);
  if (rc < 0) return rc;
  ra_str calendar;
  ra_str_init(&calendar);
  add_calendar(self, &calendar);
  add_name(self, 0, 0, calendar.ptr ? calendar.ptr : "", out);
  ra_str_deinit(&calendar);
  add_times(self, 0, out);
  ra_str_add_char(out, ',');
  ra__series_add_values(self, 0, 0, out);
  return RA_OK;
}

static int add_several(ra__series *self, uint64_t *start, ra_str *out, ra_err *err) {
  add_calendar(self, out);
  ra_str_add_char(out, ',');
  add_times(self, 0, out);
  ra_str_add(out, ",\"series\":[");
  for (unsigned v = 0; v < self->request->variable_count; v++) {
    int rc = ra__series_read_timed(self, v, start, err);
    if (rc < 0) return rc;
    for (unsigned p = 0; p < self->request->point_count; p++) {
      ra_str_add(out, v || p ? ",{" : "{");
      add_name(self, v, p, "", out);
      if (!self->shared) {
        add_times(self, v, out);
        ra_str_add_char(out, ',');
      }
      ra__series_add_values(self, v, p, out);
      ra_str_add_char(out, '}');
    }
  }
  ra_str_add(out, "]");
  return RA_OK;
}

int ra__series_json(ra__series *self, ra_str *out, ra_err *err) {
  uint64_t start = ra_clock_ns();
  bool one = self->request->variable_count == 1 && self->request->point_count == 1;
  ra_str_add(out, "{\"collection\":");
  ra_str_add_json(out, self->request->collection);
  if (one) ra_str_add_char(out, ',');
  int rc = one ? add_one(self, &start, out, err) : add_several(self, &start, out, err);
  ra_str_add(out, "}\n");
  self->timing->ns[RA_STAGE_ENCODE] += ra_clock_ns() - start;
  return rc;
}

// ---- CSV

typedef struct rows {
  ra_str *out;
  const ra__series_line *line;
  const double *values;
  ra_str middle;  // ",lon,lat,level,variable,"
} rows;

static void add_quoted(ra_str *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    ra_str_add(out, text);
    return;
  }
  ra_str_add_char(out, '"');
  for (; *text; text++) {
    if (*text == '"') ra_str_add_char(out, '"');
    ra_str_add_char(out, *text);
  }
  ra_str_add_char(out, '"');
}

static void visit_csv(void *ctx, stamper *clock, int64_t ms, size_t step) {
  rows *self = ctx;
  double value = self->values[step];
  char *begin = ra_str_room(self->out, STAMP_ROOM + self->middle.len + RA_NUMBER_TEXT + 2);
  char *at = begin;
  if (!begin) return;
  if (ms != RA_TIME_NONE) at = put_stamp(clock, ms, at);
  memcpy(at, self->middle.ptr, self->middle.len);
  at += self->middle.len;
  if (isfinite(value)) at += put_value(at, value, self->line->single);
  *at++ = '\r';
  *at++ = '\n';
  ra_str_wrote(self->out, (size_t)(at - begin));
}

static void add_rows(ra__series *self, unsigned v, unsigned point, ra_str *out) {
  const ra__series_line *line = &self->lines[v];
  const ra_series_point *at = &self->request->points[point];
  double level;
  rows state = {.out = out, .line = line, .values = self->values + (size_t)point * line->count};
  ra_str_init(&state.middle);
  ra_str_add_char(&state.middle, ',');
  ra_str_add_double(&state.middle, at->lon);
  ra_str_add_char(&state.middle, ',');
  ra_str_add_double(&state.middle, at->lat);
  ra_str_add_char(&state.middle, ',');
  if (ra__series_level(line->first, &level)) ra_str_add_double(&state.middle, level);
  ra_str_add_char(&state.middle, ',');
  add_quoted(&state.middle, line->first->variable->name);
  ra_str_add_char(&state.middle, ',');
  if (state.middle.failed) {
    out->failed = true;
  } else {
    each_step(self, v, visit_csv, &state);
  }
  ra_str_deinit(&state.middle);
}

int ra__series_csv(ra__series *self, ra_str *out, ra_err *err) {
  uint64_t start = ra_clock_ns();
  ra_str_add(out, "time,lon,lat,level,variable,value\r\n");
  for (unsigned v = 0; v < self->request->variable_count; v++) {
    int rc = ra__series_read_timed(self, v, &start, err);
    if (rc < 0) return rc;
    for (unsigned p = 0; p < self->request->point_count; p++) add_rows(self, v, p, out);
  }
  self->timing->ns[RA_STAGE_ENCODE] += ra_clock_ns() - start;
  return RA_OK;
}
