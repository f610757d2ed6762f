// body.c - the catalog row's body: grids, time axes, variables and their statistics. Its form is described in
// format/dataset_parse.c, which reads it.
#include <math.h>
#include <string.h>

#include "base/sha256.h"
#include "ingest/ingest_private.h"

static void member(ra_str *out, const char *name) { ra_str_addf(out, ",\"%s\":", name); }

static void text_member(ra_str *out, const char *name, const char *text) {
  member(out, name);
  ra_str_add_json(out, text ? text : "");
}

static void bool_member(ra_str *out, const char *name, bool value) {
  ra_str_addf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void numbers(ra_str *out, const double *values, size_t count) {
  ra_str_add_char(out, '[');
  for (size_t i = 0; i < count; i++) {
    if (i) ra_str_add_char(out, ',');
    ra__json_number(out, values[i]);
  }
  ra_str_add_char(out, ']');
}

static void head(const ra_ingest *ingest, ra_str *out) {
  ra_str_add(out, "{\"format\":1");
  text_member(out, "collection", ingest->options.collection);
  text_member(out, "dataset", ingest->options.dataset);
  text_member(out, "version", ingest->version);
  text_member(out, "fingerprint", ingest->fingerprint);
  text_member(out, "created", ingest->created);
  ra_str_add(out, ",\"source\":{\"name\":");
  ra_str_add_json(out, ra_source_name(ingest->source));
  text_member(out, "format", ra_source_format(ingest->source));
  ra_str_addf(out, ",\"bytes\":%llu", (unsigned long long)ra_source_bytes(ingest->source));
  text_member(out, "sha256", ingest->sha256);
  if (ingest->in_place) {
    ra_str_add(out, ",\"in_place\":\"source/");
    ra_str_addf(out, "%s.tif\"", ingest->options.dataset);
  }
  if (ingest->kept) {
    ra_str_addf(out, ",\"store\":\"source\",\"store_format\":%u", ra__place_format(ingest, ""));
    if (ra__place_is_far(ingest)) bool_member(out, "far", true);
  } else if (ingest->options.zarr_format != 3) {
    ra_str_addf(out, ",\"store_format\":%u", ingest->options.zarr_format);
  }
  if (ra_ingest_in_place(ingest)) text_member(out, "root", ra_source_path(ingest->source));
  ra_str_add(out, "},\"attributes\":{");
  ra__global_attributes(ingest, out);
  ra_str_add_char(out, '}');
}

static int add_footprint(const ra_cf_grid *grid, ra_str *out, ra_err *err) {
  double bbox[4];
  ra_str geometry;
  ra_str_init(&geometry);
  int rc = ra_grid_footprint(&grid->extent, grid->crs, bbox, &geometry, err);
  if (rc >= 0) {
    member(out, "bbox");
    numbers(out, bbox, 4);
    member(out, "geometry");
    ra_str_add_bytes(out, geometry.ptr, geometry.len);
  }
  ra_str_deinit(&geometry);
  return rc;
}

// What is equal for equal places of cells, so that the files of one grid are known to share it.
static void add_places(const ra_lattice *lattice, ra_str *out) {
  size_t bytes = (size_t)(lattice->width * lattice->height) * sizeof(int32_t);
  char lon[65], lat[65];
  ra_sha256_of(lattice->lon, bytes, lon);
  ra_sha256_of(lattice->lat, bytes, lat);
  ra_str_addf(out, ",\"places\":\"%.24s%.24s\"", lon, lat);
}

// How the map came to be where it does not have the source's own cells.
static void add_regridded(const ra_cf_grid *grid, ra_str *out) {
  if (grid->layout == RA_CF_EVEN) return;
  bool curved = grid->layout == RA_CF_CURVED;
  ra_str_add(out, ",\"regridded\":{\"from\":");
  ra_str_add(out, curved ? "\"curvilinear\",\"method\":\"bilinear\""
                         : "\"uneven\",\"method\":\"nearest\"");
  text_member(out, "x", grid->x->name);
  text_member(out, "y", grid->y->name);
  if (curved) add_places(&grid->lattice, out);
  if (!curved) {
    member(out, "x_centres");
    numbers(out, grid->x_axis.centres, grid->x_axis.count);
    member(out, "y_centres");
    numbers(out, grid->y_axis.centres, grid->y_axis.count);
    member(out, "period");
    ra__json_number(out, grid->x_axis.period);
    bool_member(out, "closed", grid->x_axis.closed);
  }
  ra_str_add_char(out, '}');
}

static int add_grid(const ra_ingest *ingest, const ra_cf_grid *grid, ra_str *out, ra_err *err) {
  ra_str_addf(out, "{\"id\":\"%s\"", grid->id);
  text_member(out, "x", ra_source_get_dim(ingest->source, grid->x_dim)->base);
  text_member(out, "y", ra_source_get_dim(ingest->source, grid->y_dim)->base);
  ra_str_addf(out, ",\"native\":[%lld,%lld]", (long long)grid->native_height,
              (long long)grid->native_width);
  ra_str_addf(out, ",\"shape\":[%lld,%lld]", (long long)grid->grid.height,
              (long long)grid->grid.width);
  member(out, "transform");
  numbers(out, grid->grid.gt, 6);
  bool_member(out, "x_reversed", grid->x_reversed);
  bool_member(out, "y_reversed", grid->y_reversed);
  ra_str_addf(out, ",\"roll\":%lld", (long long)grid->roll);
  bool_member(out, "wraps", grid->grid.wraps);
  int epsg = ra_crs_epsg(grid->crs);
  ra_str_add(out, ",\"crs\":{\"epsg\":");
  if (epsg) {
    ra_str_add_int(out, epsg);
  } else {
    ra_str_add(out, "null");
  }
  text_member(out, "wkt2", ra_crs_wkt2(grid->crs));
  ra_str_add_char(out, '}');
  add_regridded(grid, out);
  int rc = add_footprint(grid, out, err);
  ra_str_add_char(out, '}');
  return rc;
}

static bool even_times(const int64_t *ms, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (ms[i] == RA_TIME_NONE) return false;
    if (i > 1 && ms[i] - ms[i - 1] != ms[1] - ms[0]) return false;
  }
  return true;
}

// "count", and "start" and "step" or "values".
static void add_instants(const int64_t *ms, size_t count, ra_str *out) {
  ra_str_addf(out, "\"count\":%zu", count);
  if (even_times(ms, count)) {
    ra_str_addf(out, ",\"start\":%lld", (long long)ms[0]);
    ra_str_addf(out, ",\"step\":%lld", count > 1 ? (long long)(ms[1] - ms[0]) : 0);
    return;
  }
  ra_str_add(out, ",\"values\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) ra_str_add_char(out, ',');
    if (ms[i] == RA_TIME_NONE) {
      ra_str_add(out, "null");
    } else {
      ra_str_add_int(out, ms[i]);
    }
  }
  ra_str_add_char(out, ']');
}

static void add_axis(const ra_cf_time *time, ra_str *out) {
  ra_str_addf(out, "{\"id\":\"%s\"", time->id);
  text_member(out, "name", time->name);
  text_member(out, "calendar", ra_calendar_name(time->calendar));
  ra_str_add_char(out, ',');
  add_instants(time->ms, time->count, out);
  if (time->runs) {
    ra_str_add(out, ",\"runs\":{");
    add_instants(time->run_ms, time->runs, out);
    ra_str_add_char(out, '}');
  }
  ra_str_add_char(out, '}');
}

static void add_extras(const ra_cf_variable *variable, ra_str *out) {
  ra_str_add(out, ",\"extra\":[");
  for (unsigned i = 0; i < variable->extra_count; i++) {
    const ra_cf_extra *extra = &variable->extra[i];
    ra_str_add(out, i ? ",{\"name\":" : "{\"name\":");
    ra_str_add_json(out, extra->name);
    ra_str_addf(out, ",\"dim\":%u,\"size\":%llu,\"values\":", extra->dim,
                (unsigned long long)extra->size);
    if (extra->values) {
      numbers(out, extra->values, extra->size);
    } else {
      ra_str_add(out, "null");
    }
    text_member(out, "units", extra->units);
    bool_member(out, "vertical", extra->vertical);
    ra_str_add_char(out, '}');
  }
  ra_str_add_char(out, ']');
}

void ra__packing_json(const ra_cf_variable *variable, ra_str *out) {
  const ra_packing *packing = &variable->packing;
  ra_str_add(out, ",\"packing\":{\"scale\":");
  ra__json_number(out, packing->scale);
  member(out, "offset");
  ra__json_number(out, packing->offset);
  member(out, "missing");
  numbers(out, packing->missing, packing->missing_count);
  member(out, "valid_min");
  if (packing->has_valid_min) {
    ra__json_number(out, packing->valid_min);
  } else {
    ra_str_add(out, "null");
  }
  member(out, "valid_max");
  if (packing->has_valid_max) {
    ra__json_number(out, packing->valid_max);
  } else {
    ra_str_add(out, "null");
  }
  ra_str_add(out, "},\"nodata\":");
  if (variable->has_nodata) {
    ra__json_number(out, variable->nodata);
  } else {
    ra_str_add(out, "null");
  }
}

static void add_meanings(const char *text, ra_str *out) {
  bool first = true;
  ra_str_add_char(out, '[');
  for (const char *p = text; *p;) {
    p += strspn(p, " \t\r\n");
    size_t n = strcspn(p, " \t\r\n");
    if (n) {
      if (!first) ra_str_add_char(out, ',');
      ra_str_add_json_bytes(out, p, n);
      first = false;
    }
    p += n;
  }
  ra_str_add_char(out, ']');
}

// Numbers as they are stored: those of a type that has no unsigned form may be written as negative ones.
static void add_flag_values(const ra_source_var *var, const ra_source_attr *values, ra_str *out) {
  double turn = var->as_unsigned ? ldexp(1, (int)(8 * ra_dtype_size(var->dtype))) : 0;
  ra_str_add_char(out, '[');
  for (size_t i = 0; i < values->count; i++) {
    double value = values->numbers[i];
    if (i) ra_str_add_char(out, ',');
    ra__json_number(out, value < 0 ? value + turn : value);
  }
  ra_str_add_char(out, ']');
}

// With masks a value is several flags at once, and no category.
static void add_flags(const ra_cf_variable *variable, ra_str *out) {
  bool_member(out, "categorical", variable->categorical);
  const ra_source_attr *values = ra_source_var_attr(variable->source, "flag_values");
  const char *meanings = ra_source_var_text(variable->source, "flag_meanings");
  bool masked = ra_source_var_attr(variable->source, "flag_masks") != NULL;
  if (masked || !values || !values->numbers || !meanings) {
    ra_str_add(out, ",\"flags\":null");
    return;
  }
  ra_str_add(out, ",\"flags\":{\"values\":");
  add_flag_values(variable->source, values, out);
  member(out, "meanings");
  add_meanings(meanings, out);
  ra_str_add_char(out, '}');
}

// "level=850", "member=3, level=850"; an index where the dimension has no values.
static void band_name(const ra_cf_variable *variable, uint64_t band, ra_str *out) {
  uint64_t index[RA_SOURCE_DIMS];
  for (unsigned e = variable->extra_count; e-- > 0;) {
    index[e] = band % variable->extra[e].size;
    band /= variable->extra[e].size;
  }
  for (unsigned e = 0; e < variable->extra_count; e++) {
    const ra_cf_extra *extra = &variable->extra[e];
    ra_str_addf(out, "%s%s=", e ? ", " : "", extra->name);
    if (extra->values) {
      ra_str_add_double(out, extra->values[index[e]]);
    } else {
      ra_str_addf(out, "%llu", (unsigned long long)index[e]);
    }
  }
}

static void add_bands(const ra_cf_variable *variable, ra_str *out) {
  bool_member(out, "mappable", variable->mappable);
  if (!variable->mappable) return;
  ra_str_addf(out, ",\"bands\":%llu", (unsigned long long)variable->bands);
  if (variable->extra_count == 0) return;
  ra_str_add(out, ",\"band_names\":[");
  for (uint64_t b = 0; b < variable->bands; b++) {
    ra_str name;
    ra_str_init(&name);
    band_name(variable, b, &name);
    if (b) ra_str_add_char(out, ',');
    ra_str_add_json(out, name.ptr ? name.ptr : "");
    out->failed |= name.failed;
    ra_str_deinit(&name);
  }
  ra_str_add_char(out, ']');
}

static void add_histogram(const ra__array *array, ra_str *out) {
  const ra_histogram *h = &array->histogram;
  ra_str_add(out, ",\"histogram\":{\"min\":");
  ra__json_number(out, h->min);
  member(out, "max");
  ra__json_number(out, h->max);
  ra_str_addf(out, ",\"below\":%llu,\"above\":%llu,\"counts\":[", (unsigned long long)h->below,
              (unsigned long long)h->above);
  for (int i = 0; i < RA_HISTOGRAM_BINS; i++) {
    ra_str_addf(out, i ? ",%llu" : "%llu", (unsigned long long)h->counts[i]);
  }
  ra_str_add(out, "]}");
  member(out, "p2");
  ra__json_number(out, ra_histogram_percentile(h, 2));
  member(out, "p98");
  ra__json_number(out, ra_histogram_percentile(h, 98));
}

static void add_statistics(const ra__array *array, ra_str *out) {
  const ra_stats *s = &array->stats;
  if (!array->has_stats || !s->count || array->sampled) {
    bool seen = array->has_stats && !array->sampled;
    ra_str_addf(out,
                ",\"statistics\":{\"min\":null,\"max\":null,\"mean\":null,\"stddev\":null,"
                "\"valid\":0,\"total\":%llu}",
                seen ? (unsigned long long)s->total : 0);
    if (array->sampled && s->count) {
      add_histogram(array, out);
    } else {
      ra_str_add(out, ",\"histogram\":null,\"p2\":null,\"p98\":null");
    }
    return;
  }
  ra_str_add(out, ",\"statistics\":{\"min\":");
  ra__json_number(out, s->min);
  member(out, "max");
  ra__json_number(out, s->max);
  member(out, "mean");
  ra__json_number(out, s->mean);
  member(out, "stddev");
  ra__json_number(out, ra_stats_stddev(s));
  ra_str_addf(out, ",\"valid\":%llu,\"total\":%llu}", (unsigned long long)s->count,
              (unsigned long long)s->total);
  add_histogram(array, out);
}

static void add_sides(const char *name, const uint64_t *sides, unsigned count, ra_str *out) {
  ra_str_addf(out, "\"%s\":[", name);
  for (unsigned d = 0; d < count; d++)
    ra_str_addf(out, d ? ",%llu" : "%llu", (unsigned long long)sides[d]);
  ra_str_add_char(out, ']');
}

static void add_dims(const ra__array *array, ra_str *out) {
  const ra_cf_variable *variable = array->cf;
  ra_str_add(out, ",\"dims\":[");
  for (unsigned d = 0; d < array->zarr.ndim; d++) {
    if (d) ra_str_add_char(out, ',');
    ra_str_add_json(out, array->zarr.dimension_names[d]);
  }
  ra_str_add(out, "],");
  add_sides("shape", array->zarr.shape, array->zarr.ndim, out);
  text_member(out, "dtype", ra_dtype_name(array->zarr.dtype));
  ra_str_addf(out, variable->grid && variable->mappable ? ",\"grid\":\"%s\"" : ",\"grid\":null",
              variable->grid ? variable->grid->id : "");
  ra_str_addf(out, variable->time && variable->mappable ? ",\"time\":\"%s\"" : ",\"time\":null",
              variable->time ? variable->time->id : "");
  bool mapped = variable->mappable;
  ra_str_addf(out, ",\"time_dim\":%d,\"y_dim\":%d,\"x_dim\":%d", mapped ? variable->time_dim : -1,
              mapped ? variable->y_dim : -1, mapped ? variable->x_dim : -1);
  if (mapped && variable->run_dim >= 0) ra_str_addf(out, ",\"run_dim\":%d", variable->run_dim);
}

static void add_levels(const ra__array *array, ra_str *out) {
  ra_str_add(out, ",\"levels\":[");
  for (unsigned i = 0; i < array->level_count; i++) {
    const ra__level *level = &array->levels[i];
    const ra_zarr_info *info = &level->info;
    ra_str_add(out, i ? ",{\"path\":" : "{\"path\":");
    ra_str_add_json(out, level->node->path);
    ra_str_addf(out, ",\"format\":%u,", level->node->format);
    add_sides("chunk", info->chunk, info->ndim, out);
    ra_str_addf(out, ",\"shape\":[%llu,%llu]", (unsigned long long)info->shape[array->cf->y_dim],
                (unsigned long long)info->shape[array->cf->x_dim]);
    ra_str_add(out, ",\"ratio\":[");
    ra_str_add_double(out, level->y_ratio);
    ra_str_add_char(out, ',');
    ra_str_add_double(out, level->x_ratio);
    ra_str_add(out, "]}");
  }
  ra_str_add_char(out, ']');
}

static void add_variable(const ra_ingest *ingest, const ra__array *array, bool statistics,
                         ra_str *out) {
  static const char *const TEXTS[] = {"long_name", "standard_name", "units", "cell_methods"};
  const ra_source_var *var = array->cf->source;
  ra_str_add(out, "{\"name\":");
  ra_str_add_json(out, var->name);
  for (size_t i = 0; i < 4; i++) text_member(out, TEXTS[i], ra_source_var_text(var, TEXTS[i]));
  add_dims(array, out);
  if (array->cf->mappable) add_extras(array->cf, out);
  ra__packing_json(array->cf, out);
  add_flags(array->cf, out);
  add_bands(array->cf, out);
  if (statistics) add_statistics(array, out);
  ra_str_add(out, ",\"zarr\":{");
  add_sides("chunk", array->zarr.chunk, array->zarr.ndim, out);
  ra_str_add_char(out, ',');
  add_sides("shard", array->zarr.shard, array->zarr.ndim, out);
  unsigned format = ingest->kept ? ra__place_format(ingest, var->name) : array->zarr.format;
  if (format == 2) ra_str_add(out, ",\"format\":2");
  ra_str_add_char(out, '}');
  if (array->direct) add_levels(array, out);
  ra_str_add_char(out, '}');
}

static bool grid_used(const ra_ingest *ingest, const ra_cf_grid *grid) {
  for (size_t i = 0; i < ingest->count; i++) {
    if (ingest->arrays[i].cf->mappable && ingest->arrays[i].cf->grid == grid) return true;
  }
  return false;
}

static bool time_used(const ra_ingest *ingest, const ra_cf_time *time) {
  for (size_t i = 0; i < ingest->count; i++) {
    if (ingest->arrays[i].cf->mappable && ingest->arrays[i].cf->time == time) return true;
  }
  return false;
}

static bool described(const ra__array *array) {
  return array->cf->role == RA_CF_DATA && array->zarr.ndim <= RA_DATASET_DIMS;
}

static int add_grids(const ra_ingest *ingest, ra_str *out, ra_err *err) {
  bool first = true;
  ra_str_add(out, ",\"grids\":[");
  for (const ra_cf_grid *g = ingest->cf->grids; g; g = g->next) {
    if (!grid_used(ingest, g)) continue;
    if (!first) ra_str_add_char(out, ',');
    first = false;
    int rc = add_grid(ingest, g, out, err);
    if (rc < 0) return rc;
  }
  ra_str_add(out, "],\"axes\":[");
  first = true;
  for (const ra_cf_time *t = ingest->cf->times; t; t = t->next) {
    if (!time_used(ingest, t)) continue;
    if (!first) ra_str_add_char(out, ',');
    first = false;
    add_axis(t, out);
  }
  return RA_OK;
}

int ra__body(const ra_ingest *ingest, bool statistics, ra_str *out, ra_err *err) {
  head(ingest, out);
  int rc = add_grids(ingest, out, err);
  if (rc < 0) return rc;
  bool first = true;
  ra_str_add(out, "],\"variables\":[");
  for (size_t i = 0; i < ingest->count; i++) {
    if (!described(&ingest->arrays[i])) continue;
    if (!first) ra_str_add_char(out, ',');
    first = false;
    add_variable(ingest, &ingest->arrays[i], statistics, out);
  }
  ra_str_add(out, "]}");
  return out->failed ? ra_fail(err, RA_E_NOMEM, ra_source_name(ingest->source), "out of memory")
                     : RA_OK;
}
