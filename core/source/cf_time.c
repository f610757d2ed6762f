// cf_time.c - time axes: a dimension's coordinate, an auxiliary coordinate along it, a scalar, or none (CF 1.11 §4.4).
// A leading dimension that is no CF time is an ordinary extra dimension.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "source/cf_private.h"

static bool says(const ra_source_var *var, const char *attribute, const char *text) {
  const char *value = ra_source_var_text(var, attribute);
  return value && !strcmp(value, text);
}

// cfgrib gives its reference time the standard name "time"; only its long name tells.
bool ra__cf_is_reference(const ra_source_var *var) {
  return says(var, "standard_name", "forecast_reference_time") ||
         says(var, "long_name", "initial time of forecast") || !strcasecmp(var->base, "reftime");
}

// Several dimensions may have times (a forecast's reference and valid time): the valid time is the axis.
static int choose_dim(const ra_cf_variable *variable, const ra__cf_dim *dims) {
  int best = -1, best_rank = 0;
  for (int d = 0; d < (int)variable->source->ndim; d++) {
    if (dims[d].class != RA__CF_TIME) continue;
    int rank = ra__cf_is_reference(dims[d].var)             ? 1
               : says(dims[d].var, "standard_name", "time") ? 3
                                                            : 2;
    if (rank > best_rank) {
      best = d;
      best_rank = rank;
    }
  }
  return best;
}

static bool is_scalar(const ra_source_var *var) {
  return var->kind == RA_SOURCE_NUMBERS && ra_source_var_cells(var) == 1;
}

static bool called_time(const ra_source_var *var) {
  return says(var, "standard_name", "time") || !strcasecmp(var->base, "time") ||
         !strcasecmp(var->base, "t");
}

static ra_source_var *scalar_time(const ra_cf *cf, const ra_source_var *var) {
  const char *coordinates = ra_source_var_text(var, "coordinates");
  ra_source_var *named = NULL;
  for (size_t i = 0; i < cf->count; i++) {
    ra_source_var *other = cf->variables[i].source;
    if (!is_scalar(other) || ra__cf_classify(other) != RA__CF_TIME || ra__cf_is_reference(other))
      continue;
    bool listed = coordinates && ra__cf_list_has(coordinates, other->base);
    if (listed && called_time(other)) return other;
    if (listed || (other->ndim == 0 && called_time(other) && !strcmp(other->group, var->group)))
      named = other;
  }
  return named;
}

static ra_cf_time *known(ra_cf *cf, const ra_source_var *var) {
  for (ra_cf_time *t = cf->times; t; t = t->next) {
    if (t->var == var && !t->runs) return t;
  }
  return NULL;
}

ra_cf_time *ra__cf_time_append(ra_cf *cf) {
  ra_cf_time *time = ra_arena_calloc(&cf->arena, 1, sizeof *time), **end = &cf->times;
  if (!time) return NULL;
  unsigned n = 0;
  for (; *end; end = &(*end)->next) n++;
  snprintf(time->id, sizeof time->id, "t%u", n);
  *end = time;
  return time;
}

// False with a reason when the axis cannot be understood.
static bool understand(ra_cf *cf, ra_cf_variable *variable, const ra_source_var *var,
                       ra_calendar *calendar, ra_time_units *units) {
  const char *name = ra_source_var_text(var, "calendar"), *text = ra_source_var_text(var, "units");
  if (!ra_calendar_parse(name, calendar)) {
    ra__cf_reason(
        cf, variable, RA_E_INVALID,
        "the calendar '%s' of its time axis '%s' ('%.60s') is none that is read: standard, "
        "gregorian, proleptic_gregorian, julian, noleap, 365_day, all_leap, 366_day, "
        "360_day, none",
        name, var->name, text ? text : "");
    return false;
  }
  ra_err why;
  if (ra_time_units_parse(text, *calendar, units, &why) < 0) {
    ra__cf_reason(cf, variable, RA_E_INVALID, "the units of its time axis '%s' cannot be used: %s",
                  var->name, why.message);
    return false;
  }
  return true;
}

int ra__cf_instants(ra_cf *cf, ra_cf_variable *variable, ra_source_var *var, ra__cf_instant *out,
                    ra_err *err) {
  ra_time_units units;
  const double *values;
  *out = (ra__cf_instant){.var = var};
  if (!understand(cf, variable, var, &out->calendar, &units)) return RA_OK;
  int rc = ra__cf_values(cf, var, &values, &out->count, err);
  if (rc < 0) return rc;
  int64_t *ms = ra_arena_calloc(&cf->arena, out->count + 1, sizeof *ms);
  if (!ms) return ra_fail(err, RA_E_NOMEM, var->name, "out of memory");
  for (size_t i = 0; i < out->count; i++) ms[i] = ra_time_decode(&units, out->calendar, values[i]);
  out->ms = ms;
  return RA_OK;
}

void ra__cf_note_missing(ra_cf *cf, const char *name, const int64_t *ms, size_t count) {
  size_t missing = 0;
  for (size_t i = 0; i < count; i++) missing += ms[i] == RA_TIME_NONE;
  if (!missing) return;
  ra__cf_find(cf, "missing-times", "warning", name,
              "%zu of %zu times are missing: their steps are kept in the Zarr store only", missing,
              count);
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// Steps that go back in time, and steps of one time: both are kept as they stand.
static int note_order(ra_cf *cf, const ra_cf_time *time, ra_err *err) {
  int64_t *sorted = ra_arena_calloc(&cf->arena, time->count, sizeof *sorted);
  if (time->count && !sorted) return ra_fail(err, RA_E_NOMEM, time->name, "out of memory");
  size_t count = 0, back = 0, again = 0;
  for (size_t i = 0; i < time->count; i++) {
    if (time->ms[i] == RA_TIME_NONE) continue;
    back += count > 0 && time->ms[i] < sorted[count - 1];
    sorted[count++] = time->ms[i];
  }
  if (back) qsort(sorted, count, sizeof *sorted, by_value);
  for (size_t i = 1; i < count; i++) again += sorted[i] == sorted[i - 1];
  if (back) {
    ra__cf_find(
        cf, "unsorted-times", "warning", time->name,
        "%zu of %zu times lie before the one ahead of them: the Zarr store keeps their order", back,
        time->count);
  }
  if (again) {
    ra__cf_find(cf, "repeated-times", "warning", time->name,
                "%zu of %zu times repeat another one: each step is kept", again, time->count);
  }
  return RA_OK;
}

static int make_time(ra_cf *cf, ra_cf_variable *variable, ra_source_var *var,
                     const ra_cf_time **out, ra_err *err) {
  ra__cf_instant instants;
  *out = known(cf, var);
  if (*out) return RA_OK;
  int rc = ra__cf_instants(cf, variable, var, &instants, err);
  if (rc < 0 || !instants.ms) return rc;
  ra_cf_time *time = ra__cf_time_append(cf);
  if (!time) return ra_fail(err, RA_E_NOMEM, var->name, "out of memory");
  time->var = var;
  time->name = var->name;
  time->calendar = instants.calendar;
  time->count = instants.count;
  time->ms = instants.ms;
  ra__cf_note_missing(cf, var->name, time->ms, time->count);
  rc = note_order(cf, time, err);
  if (rc < 0) return rc;
  *out = time;
  return RA_OK;
}

// A time without dates (calendar "none", units "seconds") is a dimension like others.
static void note_undated(ra_cf *cf, const ra__cf_dim *dims, unsigned count) {
  for (unsigned d = 0; d < count; d++) {
    const ra_source_var *var = dims[d].var;
    if (!var || ra__cf_is_dated(var)) continue;
    const char *calendar = ra_source_var_text(var, "calendar");
    const char *units = ra_source_var_text(var, "units");
    if (!calendar && !says(var, "standard_name", "time") && !says(var, "axis", "T")) continue;
    ra__cf_find(cf, "undated-time", "info", var->name,
                "units '%.60s'%s%.20s%s give no dates: an extra dimension", units ? units : "",
                calendar ? " in the calendar '" : "", calendar ? calendar : "", calendar ? "'" : "");
  }
}

int ra__cf_time(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, ra_err *err) {
  note_undated(cf, dims, variable->source->ndim);
  int forecast = ra__cf_forecast(cf, variable, err);
  if (forecast != 0) return forecast < 0 ? forecast : RA_OK;
  int dim = choose_dim(variable, dims);
  ra_source_var *var = dim >= 0 ? dims[dim].var : scalar_time(cf, variable->source);
  if (!var) return RA_OK;
  int rc = make_time(cf, variable, var, &variable->time, err);
  if (rc < 0) return rc;
  if (!variable->time) {
    variable->mappable = false;
  } else if (dim >= 0) {
    variable->time_dim = dim;
  } else if (variable->time->ms[0] == RA_TIME_NONE) {
    variable->time = NULL;
  }
  return RA_OK;
}

int ra__cf_given_time(ra_cf *cf, const char *datetime, ra_err *err) {
  ra_cf_time *time = NULL;
  for (size_t i = 0; i < cf->count; i++) {
    ra_cf_variable *variable = &cf->variables[i];
    if (!variable->mappable || variable->time) continue;
    if (!time) {
      int64_t *ms = ra_arena_calloc(&cf->arena, 1, sizeof *ms);
      time = ra__cf_time_append(cf);
      if (!ms || !time) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
      int rc = ra_time_parse(RA_CALENDAR_STANDARD, datetime, ms, err);
      if (rc < 0) return ra_err_prefix(err, "--datetime '%s'", datetime);
      time->name = "time";
      time->calendar = RA_CALENDAR_STANDARD;
      time->count = 1;
      time->ms = ms;
    }
    variable->time = time;
  }
  return RA_OK;
}
