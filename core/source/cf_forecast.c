// cf_forecast.c - forecasts: a reference time (the run), and the valid time or the lead (CF 1.11 §4.4,
// standard names forecast_reference_time, time, forecast_period). The reference may be a scalar, lie along the valid
// times, or have a dimension of its own; a valid time that the file lacks is reference + lead.
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "source/cf_private.h"

// Where the numbers of one quantity are: along a dimension of the variable, a scalar, or (valid) in two dimensions.
typedef struct part {
  ra_source_var *var;  // NULL: not there
  int dim;             // -1: a scalar
} part;

typedef struct forecast {
  part run, valid, lead;
  bool plane;       // valid lies along run.dim and lead.dim
  bool transposed;  // lead first
} forecast;

static bool is_lead(const ra_source_var *var) {
  const char *name = ra_source_var_text(var, "standard_name");
  return name && !strcmp(name, "forecast_period") &&
         !ra_time_units_like(ra_source_var_text(var, "units"));
}

static bool is_run(const ra_source_var *var) {
  return ra__cf_classify(var) == RA__CF_TIME && ra__cf_is_reference(var);
}

static bool is_valid(const ra_source_var *var) {
  return ra__cf_classify(var) == RA__CF_TIME && !ra__cf_is_reference(var);
}

static bool belongs(const ra_source_var *var, const ra_source_var *other) {
  const char *coordinates = ra_source_var_text(var, "coordinates");
  return (coordinates && ra__cf_list_has(coordinates, other->base)) ||
         !strcmp(var->group, other->group);
}

// The 1-D coordinate along a dimension that passes; the dimension's own one before others.
static ra_source_var *along(const ra_cf *cf, const ra_cf_variable *variable, unsigned dim,
                            bool (*passes)(const ra_source_var *)) {
  const ra_source_var *var = variable->source;
  const char *own = ra_source_get_dim(cf->source, var->dims[dim])->base;
  ra_source_var *found = NULL;
  for (size_t i = 0; i < cf->count; i++) {
    ra_source_var *other = cf->variables[i].source;
    bool fits = other != var && other->ndim == 1 && other->dims[0] == var->dims[dim] &&
                other->kind == RA_SOURCE_NUMBERS && !other->filter && belongs(var, other) &&
                passes(other);
    if (fits && (!found || !strcmp(other->base, own))) found = other;
  }
  return found;
}

static part find_dim(const ra_cf *cf, const ra_cf_variable *variable,
                     bool (*passes)(const ra_source_var *)) {
  for (unsigned d = 0; d < variable->source->ndim; d++) {
    if ((int)d == variable->x_dim || (int)d == variable->y_dim) continue;
    ra_source_var *found = along(cf, variable, d, passes);
    if (found) return (part){found, (int)d};
  }
  return (part){NULL, -1};
}

// A variable without dimensions, or one of a single cell that `coordinates` names.
static part find_scalar(const ra_cf *cf, const ra_cf_variable *variable,
                        bool (*passes)(const ra_source_var *)) {
  const ra_source_var *var = variable->source;
  const char *coordinates = ra_source_var_text(var, "coordinates");
  part found = {NULL, -1};
  for (size_t i = 0; i < cf->count; i++) {
    ra_source_var *other = cf->variables[i].source;
    bool listed = coordinates && ra__cf_list_has(coordinates, other->base);
    if (other == var || other->kind != RA_SOURCE_NUMBERS || ra_source_var_cells(other) != 1 ||
        !passes(other) || !(listed || (other->ndim == 0 && belongs(var, other))))
      continue;
    if (!found.var || listed) found.var = other;
  }
  return found;
}

static part find(const ra_cf *cf, const ra_cf_variable *variable,
                 bool (*passes)(const ra_source_var *)) {
  part found = find_dim(cf, variable, passes);
  return found.var ? found : find_scalar(cf, variable, passes);
}

// Valid times in the plane of run and lead.
static ra_source_var *find_plane(const ra_cf *cf, const ra_cf_variable *variable, forecast *f) {
  const ra_source_var *var = variable->source;
  for (size_t i = 0; i < cf->count; i++) {
    ra_source_var *other = cf->variables[i].source;
    if (other == var || other->ndim != 2 || other->filter || !is_valid(other) || !belongs(var, other))
      continue;
    unsigned run = var->dims[f->run.dim], lead = var->dims[f->lead.dim];
    f->transposed = other->dims[0] == lead && other->dims[1] == run;
    if (f->transposed || (other->dims[0] == run && other->dims[1] == lead)) return other;
  }
  return NULL;
}

// False where the variable is no forecast.
static bool recognise(const ra_cf *cf, const ra_cf_variable *variable, forecast *f) {
  f->run = find(cf, variable, is_run);
  if (!f->run.var) return false;
  f->valid = find_dim(cf, variable, is_valid);
  f->lead = find(cf, variable, is_lead);
  if (f->valid.var) return true;
  if (f->run.dim >= 0 && f->lead.dim >= 0 && f->lead.dim != f->run.dim) {
    f->valid.var = find_plane(cf, variable, f);
    f->plane = f->valid.var != NULL;
    return true;
  }
  if (!f->lead.var) f->valid = find_scalar(cf, variable, is_valid);
  return f->lead.var || f->valid.var;
}

// Leads are durations: decoded as times since the epoch of their calendar.
static int read_leads(ra_cf *cf, ra_cf_variable *variable, const ra_source_var *run,
                      ra_source_var *var, ra__cf_instant *out, ra_err *err) {
  char units[96];
  ra_time_units parsed;
  const double *values;
  const char *own = ra_source_var_text(var, "units");
  *out = (ra__cf_instant){.var = var};
  snprintf(units, sizeof units, "%s since 1970-01-01", own ? own : "hours");
  ra_err why;
  if (!ra_calendar_parse(ra_source_var_text(run, "calendar"), &out->calendar) ||
      ra_time_units_parse(units, out->calendar, &parsed, &why) < 0) {
    ra__cf_reason(cf, variable, RA_E_INVALID,
                  "the units '%s' of its forecast lead '%s' are no span of time", own ? own : "",
                  var->name);
    return RA_OK;
  }
  int rc = ra__cf_values(cf, var, &values, &out->count, err);
  if (rc < 0) return rc;
  int64_t *ms = ra_arena_calloc(&cf->arena, out->count + 1, sizeof *ms);
  if (!ms) return ra_fail(err, RA_E_NOMEM, var->name, "out of memory");
  for (size_t i = 0; i < out->count; i++) ms[i] = ra_time_decode(&parsed, out->calendar, values[i]);
  out->ms = ms;
  return RA_OK;
}

typedef struct steps {
  size_t runs, leads;  // their product is the count
  int64_t *ms;
} steps;

static int64_t sum(int64_t run, int64_t lead) {
  int64_t out;
  if (run == RA_TIME_NONE || lead == RA_TIME_NONE || __builtin_add_overflow(run, lead, &out))
    return RA_TIME_NONE;
  return out;
}

static int64_t valid_at(const forecast *f, const steps *s, const ra__cf_instant *run,
                        const ra__cf_instant *other, size_t r, size_t l) {
  if (f->plane) return other->ms[f->transposed ? l * s->runs + r : r * s->leads + l];
  bool along_run = s->leads == 1;  // one dimension, or none
  size_t i = along_run ? r : l;
  int64_t value = other->ms[i < other->count ? i : 0];
  return f->valid.var ? value : sum(run->ms[r], value);
}

// How many runs and leads there are, and the dimensions they lie along.
static void set_shape(ra_cf_variable *variable, const forecast *f, const ra__cf_instant *run,
                      const ra__cf_instant *other, steps *s) {
  int second = f->valid.var && !f->plane ? f->valid.dim : f->lead.dim;
  s->runs = run->count;
  s->leads = 1;
  variable->time_dim = second >= 0 ? second : f->run.dim;
  if (second >= 0 && second != f->run.dim)
    s->leads = f->plane ? other->count / s->runs : other->count;
  if (s->leads > 1 || (second >= 0 && f->run.dim >= 0 && second != f->run.dim))
    variable->run_dim = f->run.dim;
}

static ra_cf_time *known(const ra_cf *cf, const forecast *f) {
  for (ra_cf_time *t = cf->times; t; t = t->next) {
    if (t->reference == f->run.var && t->var == f->valid.var &&
        (f->valid.var || t->lead == f->lead.var))
      return t;
  }
  return NULL;
}

static int make_time(ra_cf *cf, const forecast *f, const steps *s, const ra__cf_instant *run,
                     const ra__cf_instant *other, const ra_cf_time **out, ra_err *err) {
  ra_cf_time *time = ra__cf_time_append(cf);
  size_t count;
  int64_t *ms = ra_size_mul(s->runs, s->leads, &count)
                    ? ra_arena_calloc(&cf->arena, count + 1, sizeof *ms)
                    : NULL;
  if (!time || !ms) return ra_fail(err, RA_E_NOMEM, f->run.var->name, "out of memory");
  for (size_t i = 0; i < count; i++) ms[i] = valid_at(f, s, run, other, i / s->leads, i % s->leads);
  time->var = f->valid.var;
  time->reference = f->run.var;
  time->lead = f->valid.var ? NULL : f->lead.var;
  time->name = other->var->name;
  time->calendar = run->calendar;
  time->count = count;
  time->ms = ms;
  time->runs = s->runs;
  time->run_ms = run->ms;
  ra__cf_note_missing(cf, time->name, ms, count);
  *out = time;
  return RA_OK;
}

int ra__cf_forecast(ra_cf *cf, ra_cf_variable *variable, ra_err *err) {
  forecast f = {0};
  ra__cf_instant run, other = {0};
  if (!recognise(cf, variable, &f)) return 0;
  int rc = ra__cf_instants(cf, variable, f.run.var, &run, err);
  if (rc >= 0 && run.ms) {
    rc = f.valid.var ? ra__cf_instants(cf, variable, f.valid.var, &other, err)
                     : read_leads(cf, variable, f.run.var, f.lead.var, &other, err);
  }
  if (rc < 0) return rc;
  if (!run.ms || !other.ms) {
    variable->mappable = false;
    return 1;
  }
  if (run.calendar != other.calendar) {
    ra__cf_find(cf, "calendars-differ", "warning", f.run.var->name,
                "its calendar is not that of '%s': the reference time is left out", other.var->name);
    return 0;
  }
  steps s;
  set_shape(variable, &f, &run, &other, &s);
  variable->time = known(cf, &f);
  if (!variable->time) rc = make_time(cf, &f, &s, &run, &other, &variable->time, err);
  return rc < 0 ? rc : 1;
}
