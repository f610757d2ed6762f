// point.c - values of one place in the map layout: for every asset the cell that contains it, one block a band.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "geo/warp.h"
#include "render/map_source.h"
#include "render/series.h"

void ra_point_request_deinit(ra_point_request *request) {
  for (unsigned i = 0; i < request->source_count; i++) {
    ra_dataset_unref(request->sources[i].dataset);
  }
  *request = (ra_point_request){0};
}

typedef struct point_job {
  ra_render_context *context;
  const ra_point_request *request;
  ra_cancel *cancel;
  ra_timing *timing;
  ra_str values, names;
  bool held;  // some asset's grid holds the place
} point_job;

static unsigned band_count(const point_job *job, const ra_tile_source *source) {
  return job->request->band_count ? job->request->band_count : source->variable->bands;
}

static unsigned band_at(const point_job *job, unsigned i) {
  return job->request->band_count ? job->request->bands[i] : i;
}

// "sst", or "wind@level=850" of a variable with several bands.
static void add_name(point_job *job, const ra_dataset_variable *variable, unsigned band) {
  ra_str name;
  ra_str_init(&name);
  ra_str_add(&name, variable->name);
  if (variable->band_names) {
    ra_str_add_char(&name, '@');
    ra_str_add(&name, variable->band_names[band]);
  } else if (variable->bands > 1) {
    ra_str_addf(&name, "@%u", band + 1);
  }
  if (job->names.len) ra_str_add_char(&job->names, ',');
  ra_str_add_json_bytes(&job->names, name.ptr ? name.ptr : "", name.len);
  job->names.failed = job->names.failed || name.failed;
  ra_str_deinit(&name);
}

static void add_value(point_job *job, double value, bool single) {
  char text[RA_NUMBER_TEXT + 1];
  size_t n = 0;
  if (job->values.len) text[n++] = ',';
  n += single ? ra_number_float((float)value, text + n) : ra_number_double(value, text + n);
  ra_str_add_bytes(&job->values, text, n);
}

static int check_bands(const point_job *job, const ra_dataset_variable *variable, ra_err *err) {
  for (unsigned i = 0; i < job->request->band_count; i++) {
    if (job->request->bands[i] < variable->bands) continue;
    return ra_fail(err, RA_E_INVALID, "bidx", "bidx is %u; %s has the bands 1 to %u",
                   job->request->bands[i] + 1, variable->name, variable->bands);
  }
  return RA_OK;
}

static int add_cells(point_job *job, const ra_tile_source *source, double x, double y, ra_err *err) {
  ra__map_source map;
  int rc = ra__map_source_init(job->context, source, job->request->unscale, NULL, NULL, 0,
                               job->timing, &map, err);
  if (rc < 0) return rc;
  if (x >= (double)map.width || y >= (double)map.height || map.bands < source->variable->bands)
    rc = ra_fail(err, RA_E_CORRUPT, map.key, "the file is not the one that the catalog describes");
  for (unsigned i = 0; i < band_count(job, source) && rc == RA_OK; i++) {
    double value = NAN;
    rc = ra__map_source_cell(job->context, &map, band_at(job, i), (int64_t)x, (int64_t)y,
                             job->cancel, job->timing, &value, err);
    add_value(job, value, map.value_dtype == RA_DTYPE_F32);
  }
  ra__map_source_deinit(&map);
  return rc;
}

static int add_source(point_job *job, const ra_tile_source *source, ra_err *err) {
  const ra_dataset_grid *grid = source->variable->grid;
  double x = 0, y = 0;
  bool inside = false;
  if (!grid) {
    return ra_fail(err, RA_E_INVALID, "assets", "%s has no place on Earth: it lies on no grid",
                   source->variable->name);
  }
  int rc = check_bands(job, source->variable, err);
  if (rc == RA_OK) {
    rc = ra_warp_point(job->request->lon, job->request->lat, grid->crs, &grid->grid, &x, &y,
                       &inside, err);
  }
  if (rc < 0) return rc;
  for (unsigned i = 0; i < band_count(job, source); i++) {
    add_name(job, source->variable, band_at(job, i));
    if (!inside) add_value(job, NAN, false);
  }
  job->held = job->held || inside;
  return inside ? add_cells(job, source, x, y, err) : RA_OK;
}

static int add_sources(point_job *job, ra_err *err) {
  const ra_point_request *request = job->request;
  int rc = RA_OK;
  for (unsigned i = 0; i < request->source_count && rc == RA_OK; i++) {
    rc = add_source(job, &request->sources[i], err);
  }
  if (rc < 0 || job->held || !request->source_count) return rc;
  const ra_dataset_grid *grid = request->sources[0].variable->grid;
  if (!grid) return rc;
  const double *b = grid->bbox;
  return ra_fail(err, RA_E_INVALID, "lon, lat",
                 "the place %.10g, %.10g lies outside of the data's bbox %.6g, %.6g, %.6g, %.6g",
                 request->lon, request->lat, b[0], b[1], b[2], b[3]);
}

static int write_body(const point_job *job, ra_buf **out, ra_err *err) {
  ra_str body;
  ra_str_init(&body);
  ra_str_add(&body, "{\"coordinates\":[");
  ra_str_add_double(&body, job->request->lon);
  ra_str_add_char(&body, ',');
  ra_str_add_double(&body, job->request->lat);
  ra_str_add(&body, "],\"values\":[");
  if (job->values.len) ra_str_add_bytes(&body, job->values.ptr, job->values.len);
  ra_str_add(&body, "],\"band_names\":[");
  if (job->names.len) ra_str_add_bytes(&body, job->names.ptr, job->names.len);
  ra_str_add(&body, "]}\n");
  body.failed = body.failed || job->values.failed || job->names.failed;
  return ra_str_take(&body, out, err);
}

int ra_point_render(ra_render_context *context, const ra_point_request *request, ra_cancel *cancel,
                    ra_timing *timing, ra_buf **out, ra_err *err) {
  ra_timing unused = {0};
  *out = NULL;
  point_job job = {
      .context = context, .request = request, .cancel = cancel, .timing = timing ? timing : &unused};
  ra_str_init(&job.values);
  ra_str_init(&job.names);
  int rc = add_sources(&job, err);
  if (rc == RA_OK) rc = write_body(&job, out, err);
  ra_str_deinit(&job.values);
  ra_str_deinit(&job.names);
  return rc;
}
