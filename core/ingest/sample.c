// sample.c - see sample.h
#include "ingest/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/spill.h"

enum { STEPS = 4 };  // maps a region

// Of the wall: what else the machine does is going on while the file is converted, too.
static double seconds(void) { return (double)ra_clock_ns() * 1e-9; }

static void add(ra__yield *yield, size_t cells, double bytes, double since) {
  yield->cells += (double)cells;
  yield->bytes += bytes;
  yield->seconds += seconds() - since;
}

// Chunks that the region cuts short in time are made wider, so that they have as many bytes as those of the array.
static void widen(const ra__array *array, ra_zarr_spec *spec) {
  const ra_cf_variable *v = array->cf;
  uint64_t wanted = 1, cells = 1;
  for (unsigned d = 0; d < spec->ndim; d++) {
    wanted *= array->zarr.chunk[d];
    cells *= spec->chunk[d];
  }
  if (!v->mappable) return;
  uint64_t *y = &spec->chunk[v->y_dim], *x = &spec->chunk[v->x_dim];
  uint64_t most_y = spec->shape[v->y_dim], most_x = spec->shape[v->x_dim];
  while (cells < wanted && (*y < most_y || *x < most_x)) {
    uint64_t *side = *x < most_x && (*x <= *y || *y == most_y) ? x : y;
    cells = cells / *side * (*side + 1);
    ++*side;
  }
}

// The region as a shard of its own.
static int sample_shard(const ra__array *array, const ra__region *region, const void *cells,
                        ra__sample *sample, ra_err *err) {
  static const uint64_t origin[RA_ZARR_DIMS] = {0};
  ra_zarr_spec spec = array->zarr;
  int64_t strides[RA_ZARR_DIMS], stride = 1;
  spec.sharded = false;
  for (unsigned d = 0; d < spec.ndim; d++) {
    spec.shape[d] = region->count[d];
    if (spec.chunk[d] > spec.shape[d]) spec.chunk[d] = spec.shape[d];
  }
  widen(array, &spec);
  for (unsigned d = spec.ndim; d-- > 0;) {
    spec.shard[d] = (spec.shape[d] + spec.chunk[d] - 1) / spec.chunk[d] * spec.chunk[d];
    strides[d] = stride;
    stride *= (int64_t)spec.shape[d];
  }
  double since = seconds();
  ra_buf *out = NULL;
  int rc = ra_zarr_shard_encode(&spec, origin, cells, strides, &out, err);
  if (rc < 0) return rc;
  add(&sample->shards, ra__region_cells(region, spec.ndim), out ? (double)ra_buf_size(out) : 0,
      since);
  ra_buf_unref(out);
  return RA_OK;
}

static int sample_spill(const ra__array *array, const ra__region *region, const uint8_t *cells,
                        ra__sample *sample, ra_err *err) {
  size_t size = ra_dtype_size(array->zarr.dtype), got = 0;
  size_t bytes = ra__region_cells(region, array->zarr.ndim) * size;
  if (bytes > RA__RECORD) bytes = RA__RECORD;
  ra_codec codec = ra__spill_codec((unsigned)size);
  size_t bound = ra_codec_bound(&codec, 1, bytes);
  uint8_t *packed = malloc(bound), *back = malloc(bytes);
  double since = seconds();
  int rc = packed && back ? ra_codec_encode_into(&codec, 1, cells, bytes, packed, bound, &got, err)
                          : ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  if (rc >= 0) rc = ra_codec_decode(&codec, 1, packed, got, back, bytes, err);
  if (rc >= 0) add(&sample->spill, bytes / size, (double)got, since);
  free(packed);
  free(back);
  return rc;
}

// ---- maps

typedef struct levels {
  double bytes[3];  // of full resolution, of the first overview, of the others
} levels;

static int count_level(void *ctx, size_t level, const void *data, size_t size, ra_err *err) {
  (void)data, (void)err;
  ((levels *)ctx)->bytes[level < 2 ? level : 2] += (double)size;
  return RA_OK;
}

static int count_levels(const ra_cog_spec *spec, const uint8_t *pixels, levels *out, double *header,
                        ra_err *err) {
  ra_cog_writer *writer;
  ra_str text;
  int rc = ra_cog_writer_new(spec, count_level, out, &writer, err);
  if (rc < 0) return rc;
  ra_str_init(&text);
  rc = ra_cog_writer_rows(writer, pixels, (size_t)spec->grid.height * spec->bands, err);
  if (rc >= 0) rc = ra_cog_writer_end(writer, &text, err);
  *header = (double)text.len;
  ra_str_deinit(&text);
  ra_cog_writer_free(writer);
  return rc;
}

// What a map in pieces does not tell: the first overview, in a block that it fills, stands for all.
static int sample_overview(const ra_cog_spec *piece, const uint8_t *pixels, ra__sample *sample,
                           ra_err *err) {
  ra_cog_spec spec = *piece;
  size_t width = ((size_t)spec.grid.width + 1) / 2, height = ((size_t)spec.grid.height + 1) / 2;
  size_t side = width > height ? width : height;
  if (width < 2 || height < 2) return RA_OK;
  spec.block = side < 256 ? (unsigned)(side + 15) / 16 * 16 : 256;
  levels bytes = {.bytes = {0}};
  double header;
  int rc = count_levels(&spec, pixels, &bytes, &header, err);
  sample->overview.cells += (double)(width * height * spec.bands);
  sample->overview.bytes += bytes.bytes[1];
  return rc;
}

static int sample_map(const ra_ingest *ingest, const ra__array *array, const uint8_t *pixels,
                      size_t width, size_t height, size_t bands, ra__sample *sample, ra_err *err) {
  ra_cog_spec spec = ra__cog_spec(ingest, array);
  bool whole = (int64_t)width == spec.grid.width && (int64_t)height == spec.grid.height;
  levels bytes = {.bytes = {0}};
  double header = 0, since = seconds();
  spec.grid.width = (int64_t)width;
  spec.grid.height = (int64_t)height;
  spec.bands = (unsigned)bands;
  int rc = count_levels(&spec, pixels, &bytes, &header, err);
  if (rc < 0) return rc;
  double all = bytes.bytes[0] + (whole ? bytes.bytes[1] + bytes.bytes[2] + header : 0);
  add(&sample->maps, width * height * bands, all, since);
  return whole ? RA_OK : sample_overview(&spec, pixels, sample, err);
}

// The same moments and counts as for a conversion, for the time that they take.
static int sample_tally(const ra__array *array, const uint8_t *pixels, size_t rows, size_t width,
                        ra__tally *tally, ra_err *err) {
  size_t native = (size_t)array->cf->grid->native_width;
  return ra__tally_add(tally, 0, pixels, rows * width / native, err);
}

// Overviews of sides that are odd mix more cells, so a piece's side is odd where the map's is.
static void match_side(uint64_t native, uint64_t *side) {
  if (*side > 2 && *side % 2 != native % 2) --*side;
}

static int sample_step(const ra_ingest *ingest, const ra__array *array, const ra__view *cells,
                       uint64_t step, ra__tally *tally, ra__sample *sample, ra_err *err) {
  const ra_cf_variable *v = array->cf;
  unsigned size = (unsigned)ra_dtype_size(array->zarr.dtype), ndim = array->zarr.ndim;
  ra__region one = cells->region;
  if (v->time_dim >= 0) one.start[v->time_dim] += step;
  if (v->time_dim >= 0) one.count[v->time_dim] = 1;
  if (v->run_dim >= 0) one.count[v->run_dim] = 1;
  match_side((uint64_t)v->grid->native_width, &one.count[v->x_dim]);
  match_side((uint64_t)v->grid->native_height, &one.count[v->y_dim]);
  size_t width = one.count[v->x_dim], height = one.count[v->y_dim];
  size_t count = ra__region_cells(&one, ndim), bands = count / width / height;
  uint8_t *pixels = malloc(count * size);
  if (!pixels) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  ra__view map = {.region = one, .cells = pixels};
  int64_t stride = (int64_t)(width * height * size);
  for (unsigned e = v->extra_count; e-- > 0;) {
    map.stride[v->extra[e].dim] = stride;
    stride *= (int64_t)one.count[v->extra[e].dim];
  }
  map.stride[v->y_dim] = (int64_t)(width * size);
  map.stride[v->x_dim] = (int64_t)size;
  double since = seconds();
  ra__view_copy(cells, &map, ndim, size);
  int rc = sample_tally(array, pixels, bands * height, width, tally, err);
  sample->maps.seconds += seconds() - since;
  if (rc >= 0) rc = sample_map(ingest, array, pixels, width, height, bands, sample, err);
  free(pixels);
  return rc;
}

static int sample_maps(const ra_ingest *ingest, const ra__array *array, const ra__view *cells,
                       ra__sample *sample, ra_err *err) {
  int time = array->cf->time_dim;
  uint64_t steps = time >= 0 ? cells->region.count[time] : 1;
  uint64_t wanted = steps < STEPS ? steps : STEPS;
  ra__tally *tally;
  int rc = ra__tally_new(array, &tally, err);
  if (rc < 0) return rc;
  for (uint64_t i = 0; i < wanted && rc >= 0; i++) {
    uint64_t step = (2 * i + 1) * steps / (2 * wanted);
    rc = sample_step(ingest, array, cells, step, tally, sample, err);
  }
  ra__tally_free(tally);
  return rc;
}

int ra__sample_add(ra_ingest *ingest, const ra__array *array, const ra__region *region,
                   ra__sample *sample, ra_err *err) {
  unsigned ndim = array->zarr.ndim, size = (unsigned)ra_dtype_size(array->zarr.dtype);
  size_t count = ra__region_cells(region, ndim);
  ra_buf *buf;
  int rc = ra_buf_new(count * size, &buf, err);
  if (rc < 0) return rc;
  ra__view cells;
  ra__view_init(&cells, ndim, size, region, ra_buf_bytes(buf));
  double since = seconds();
  rc = ra_source_read(ingest->source, array->cf->source, region->start, region->count, cells.cells,
                      err);
  add(&sample->decode, count, (double)(count * size), since);
  if (rc >= 0) rc = sample_shard(array, region, cells.cells, sample, err);
  if (rc >= 0) rc = sample_spill(array, region, cells.cells, sample, err);
  if (rc >= 0 && array->cf->mappable) rc = sample_maps(ingest, array, &cells, sample, err);
  ra_buf_unref(buf);
  return rc;
}
