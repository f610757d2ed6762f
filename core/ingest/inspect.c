// inspect.c - what is in a file and what ingest would do with it, as JSON: the CF lint and the dry run.
#include <math.h>
#include <string.h>

#include "ingest/ingest_private.h"

static void add_finding(ra_str *out, bool *first, const char *code, const char *severity,
                        const char *message, const char *where) {
  if (!*first) ra_str_add_char(out, ',');
  *first = false;
  ra_str_add(out, "{\"code\":");
  ra_str_add_json(out, code);
  ra_str_add(out, ",\"severity\":");
  ra_str_add_json(out, severity);
  ra_str_add(out, ",\"message\":");
  ra_str_add_json(out, message);
  ra_str_add(out, ",\"where\":");
  ra_str_add_json(out, where);
  ra_str_add_char(out, '}');
}

static void add_findings(const ra_cf *cf, bool *first, ra_str *out) {
  for (const ra_cf_finding *f = cf ? cf->findings : NULL; f; f = f->next) {
    add_finding(out, first, f->code, f->severity, f->message, f->where);
  }
}

static int add_grid(const ra_ingest *ingest, const ra_cf_grid *g, ra_str *out, ra_err *err) {
  static const char *const LAYOUTS[] = {"even", "uneven", "curvilinear"};
  double bbox[4];
  ra_str geometry;
  ra_str_init(&geometry);
  int rc = ra_grid_footprint(&g->extent, g->crs, bbox, &geometry, err);
  ra_str_deinit(&geometry);
  if (rc < 0) return rc;
  int epsg = ra_crs_epsg(g->crs);
  ra_str_add(out, "{\"x\":");
  ra_str_add_json(out, ra_source_get_dim(ingest->source, g->x_dim)->base);
  ra_str_add(out, ",\"y\":");
  ra_str_add_json(out, ra_source_get_dim(ingest->source, g->y_dim)->base);
  ra_str_addf(out, ",\"shape\":[%lld,%lld],\"crs\":", (long long)g->native_height,
              (long long)g->native_width);
  if (epsg) {
    ra_str_addf(out, "\"EPSG:%d\"", epsg);
  } else {
    ra_str_add_json(out, ra_crs_wkt2(g->crs));
  }
  ra_str_add(out, ",\"transform\":[");
  for (int i = 0; i < 6; i++) {
    if (i) ra_str_add_char(out, ',');
    ra_str_add_double(out, g->grid.gt[i]);
  }
  ra_str_add(out, "],\"bbox\":[");
  for (int i = 0; i < 4; i++) {
    if (i) ra_str_add_char(out, ',');
    ra_str_add_double(out, bbox[i]);
  }
  ra_str_addf(out, "],\"global\":%s,\"layout\":\"%s\",\"map_shape\":[%lld,%lld]}",
              g->grid.wraps ? "true" : "false", LAYOUTS[g->layout], (long long)g->grid.height,
              (long long)g->grid.width);
  return RA_OK;
}

static void add_date(const ra_cf_time *time, const char *name, size_t step, ra_str *out) {
  char text[64];
  if (time->ms[step] == RA_TIME_NONE) {
    ra_str_addf(out, ",\"%s\":null", name);
    return;
  }
  ra_time_format(time->calendar, time->ms[step], text);
  ra_str_addf(out, ",\"%s\":\"%s\"", name, text);
}

static void add_times(const ra_cf *cf, ra_str *out) {
  ra_str_add(out, "{\"axes\":[");
  for (const ra_cf_time *t = cf->times; t; t = t->next) {
    ra_str_add(out, t == cf->times ? "{\"name\":" : ",{\"name\":");
    ra_str_add_json(out, t->name);
    ra_str_addf(out, ",\"calendar\":\"%s\",\"count\":%zu", ra_calendar_name(t->calendar), t->count);
    add_date(t, "first", 0, out);
    add_date(t, "last", t->count - 1, out);
    ra_str_add_char(out, '}');
  }
  ra_str_add(out, "]}");
}

static void add_sides(const char *name, const uint64_t *sides, unsigned count, ra_str *out) {
  ra_str_addf(out, ",\"%s\":[", name);
  for (unsigned d = 0; d < count; d++)
    ra_str_addf(out, d ? ",%llu" : "%llu", (unsigned long long)sides[d]);
  ra_str_add_char(out, ']');
}

static void add_variable(const ra__array *array, ra_str *out) {
  const ra_cf_variable *v = array->cf;
  ra_str_add(out, "{\"name\":");
  ra_str_add_json(out, v->source->name);
  ra_str_addf(out, ",\"dtype\":\"%s\",\"mappable\":%s", ra_dtype_name(array->zarr.dtype),
              v->mappable ? "true" : "false");
  if (!v->mappable) {
    ra_str_add(out, ",\"reason\":");
    ra_str_add_json(out, v->reason ? v->reason : "");
  }
  ra_str_add(out, ",\"dims\":[");
  for (unsigned d = 0; d < array->zarr.ndim; d++) {
    if (d) ra_str_add_char(out, ',');
    ra_str_add_json(out, array->zarr.dimension_names[d]);
  }
  ra_str_add_char(out, ']');
  add_sides("shape", array->zarr.shape, array->zarr.ndim, out);
  add_sides("chunk", array->zarr.chunk, array->zarr.ndim, out);
  add_sides("shard", array->zarr.shard, array->zarr.ndim, out);
  const char *units = ra_source_var_text(v->source, "units");
  ra_str_add(out, ",\"units\":");
  ra_str_add_json(out, units ? units : "");
  ra__packing_json(v, out);
  ra_str_addf(out, ",\"bytes\":%zu,\"cogs\":%zu,\"bands\":%llu", array->raw,
              array->direct ? 0 : array->steps, (unsigned long long)v->bands);
  ra__reads_json(array, out);
  ra_str_add_char(out, '}');
}

static void add_estimate(const ra__estimate *e, ra_str *out) {
  if (!e->made) {
    ra_str_add(out, "null");
    return;
  }
  ra_str_addf(out, "{\"objects\":%llu,\"bytes\":%llu,\"scratch_bytes\":%llu,\"seconds\":%.3f}",
              (unsigned long long)e->objects, (unsigned long long)e->bytes,
              (unsigned long long)e->scratch, e->seconds);
}

static int add_plan(const ra_ingest *ingest, ra_str *out, ra_err *err) {
  ra_str_add(out, ",\"grid\":{\"grids\":[");
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (g != ingest->cf->grids) ra_str_add_char(out, ',');
    int rc = add_grid(ingest, g, out, err);
    if (rc < 0) return rc;
  }
  ra_str_add(out, "]},\"times\":");
  add_times(ingest->cf, out);
  ra_str_add(out, ",\"variables\":[");
  bool first = true;
  for (size_t i = 0; i < ingest->count; i++) {
    if (ingest->arrays[i].cf->role != RA_CF_DATA) continue;
    if (!first) ra_str_add_char(out, ',');
    first = false;
    add_variable(&ingest->arrays[i], out);
  }
  ra_str_addf(out,
              "],\"plan\":{\"arrays\":%zu,\"cogs\":%llu,\"raw_bytes\":%llu,\"memory_bytes\":%zu,"
              "\"scratch_bytes\":%llu,\"jobs\":%u,\"estimate\":",
              ingest->count, (unsigned long long)ingest->steps_total,
              (unsigned long long)ingest->bytes_total, ingest->need,
              (unsigned long long)ingest->scratch, ingest->jobs);
  add_estimate(&ingest->estimate, out);
  ra_str_addf(out, ",\"in_place\":%s,\"copied\":", ra_ingest_in_place(ingest) ? "true" : "false");
  if (ingest->copied) ra_str_add_json(out, ingest->copied);
  if (!ingest->copied) ra_str_add(out, "null");
  ra_str_add_char(out, '}');
  return RA_OK;
}

static void add_head(const char *path, const ra_source *source, const char *verdict, ra_str *out) {
  ra_str_add(out, "{\"source\":");
  ra_str_add_json(out, path);
  ra_str_add(out, ",\"format\":");
  if (source) {
    ra_str_add_json(out, ra_source_format(source));
  } else {
    ra_str_add(out, "null");
  }
  if (source) ra_str_addf(out, ",\"bytes\":%llu", (unsigned long long)ra_source_bytes(source));
  ra_str_addf(out, ",\"verdict\":\"%s\",\"findings\":[", verdict);
}

int ra_ingest_plan_json(const ra_ingest *ingest, ra_str *out, ra_err *err) {
  bool first = true;
  add_head(ra_source_path(ingest->source), ingest->source, "ingest", out);
  add_findings(ingest->cf, &first, out);
  ra_str_add_char(out, ']');
  int rc = add_plan(ingest, out, err);
  ra_str_add_char(out, '}');
  if (rc < 0) return rc;
  return out->failed ? ra_fail(err, RA_E_NOMEM, ra_source_name(ingest->source), "out of memory")
                     : RA_OK;
}

// What can still be told of a file that is refused: its format, and what the CF rules found.
static int refused(const char *path, const char *datetime, const ra_err *why, ra_str *out,
                   ra_err *err) {
  ra_source *source = NULL;
  ra_cf *cf = NULL;
  ra_err ignored = {0};
  if (ra_source_open(path, &source, &ignored) >= 0) ra_cf_read(source, datetime, &cf, &ignored);
  bool first = true;
  add_head(path, source, "refuse", out);
  add_finding(out, &first, ra_err_name(why->code), "error", why->message, why->where);
  add_findings(cf, &first, out);
  ra_str_add(out, "],\"grid\":null,\"times\":null,\"variables\":[],\"plan\":null}");
  ra_cf_free(cf);
  ra_source_free(source);
  return out->failed ? ra_fail(err, RA_E_NOMEM, path, "out of memory") : RA_OK;
}

static int plan_of(const char *path, const ra_ingest_options *options, ra_cancel *cancel,
                   ra_str *out, ra_err *err) {
  ra_ingest *ingest;
  int rc = ra_ingest_open(path, options, &ingest, err);
  if (rc < 0) return rc;
  rc = ra_ingest_estimate(ingest, cancel, err);
  if (rc >= 0) rc = ra_ingest_plan_json(ingest, out, err);
  ra_ingest_free(ingest);
  return rc;
}

int ra_ingest_inspect(const char *path, const ra_ingest_options *options, ra_cancel *cancel,
                      ra_str *out, ra_err *err) {
  ra_err why = {0};
  int rc = plan_of(path, options, cancel, out, &why);
  if (rc == RA_E_NOMEM || rc == RA_E_CANCELLED) *err = why;
  if (rc >= 0 || rc == RA_E_NOMEM || rc == RA_E_CANCELLED) return rc;
  out->len = 0;
  return refused(path, options->datetime, &why, out, err);
}
