// cog_write.c - rows pass through the levels: each fills the blocks of its own level and is shrunk into a row of the next.
// Before a block stand its size, behind it its last 4 bytes again (GDAL's leader and trailer). The header comes last,
// since it tells where the blocks are.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/cog_impl.h"
#include "raster/stats.h"

static int check_spec(const ra_cog_spec *spec, ra_err *err) {
  const ra_grid *grid = &spec->grid;
  if (grid->width < 1 || grid->height < 1 || grid->width > INT32_MAX || grid->height > INT32_MAX) {
    return ra_fail(err, RA_E_INVALID, "", "an image of %lld by %lld cells", (long long)grid->width,
                   (long long)grid->height);
  }
  if (!(grid->gt[1] > 0) || !(grid->gt[5] < 0) || grid->gt[2] != 0 || grid->gt[4] != 0) {
    return ra_fail(err, RA_E_INVALID, "", "a COG's grid is north-up: gt[1] > 0, gt[5] < 0");
  }
  if (spec->bands < 1 || spec->bands > UINT16_MAX) {
    return ra_fail(err, RA_E_INVALID, "", "%u bands; from 1 to %d", spec->bands, UINT16_MAX);
  }
  if (spec->block > 4096 || spec->block % 16) {
    return ra_fail(err, RA_E_INVALID, "", "blocks of %u; a multiple of 16 up to 4096", spec->block);
  }
  return RA_OK;
}

static int check_size(ra__cog_writer *w, ra_err *err) {
  const ra_cog_spec *spec = w->spec;
  size_t bytes;
  if (!ra_size_mul((size_t)spec->grid.width, (size_t)spec->grid.height, &bytes) ||
      !ra_size_mul(bytes, w->size, &bytes) || !ra_size_mul(bytes, spec->bands, &bytes) ||
      bytes > SIZE_MAX / 8) {
    return ra_fail(err, RA_E_TOOBIG, "", "an image too large to count its bytes");
  }
  return RA_OK;
}

static void set_blocks(ra__cog_writer *w) {
  for (size_t i = 0; i < w->count; i++) {
    ra__cog_plane *plane = &w->planes[i];
    plane->across = (plane->width + w->block - 1) / w->block;
    plane->down = (plane->height + w->block - 1) / w->block;
  }
}

// BigTIFF where the blocks could pass 4 GiB if none of them shrank.
static void choose_size(ra__cog_writer *w) {
  double most = 0, block = (double)w->block * w->block * (double)w->size * 1.02 + 2048;
  for (size_t i = 0; i < w->count; i++) {
    most += (double)w->planes[i].across * w->planes[i].down * w->spec->bands * block;
  }
  w->big = most > 4.2e9;
}

static int prepare(ra__cog_writer *w, const ra_cog_spec *spec, ra_err *err) {
  int rc = check_spec(spec, err);
  if (rc < 0) return rc;
  w->spec = spec;
  w->size = ra_dtype_size(spec->dtype);
  w->block = spec->block ? spec->block : 256;
  bool is_float = ra_dtype_is_float(spec->dtype);
  w->predictor = spec->compress == RA_COG_NONE ? 1 : is_float ? 3 : 2;
  w->packing = ra_packing_none();
  if (spec->has_nodata && !isnan(spec->nodata)) {
    w->packing.missing_count = 1;
    w->packing.missing[0] = spec->nodata;
  }
  double missing = spec->has_nodata ? spec->nodata : is_float ? (double)NAN : 0;
  ra_dtype_store(spec->dtype, w->missing, 0, missing);
  w->planes[0] =
      (ra__cog_plane){.width = (uint32_t)spec->grid.width, .height = (uint32_t)spec->grid.height};
  w->count = 1;
  rc = check_size(w, err);
  if (rc >= 0) rc = ra__cog_levels(w, err);
  if (rc < 0) return rc;
  set_blocks(w);
  choose_size(w);
  return RA_OK;
}

static int find_keys(ra__cog_writer *w, ra_err *err) {
  if (!w->spec->crs) return RA_OK;
  int rc = ra_crs_geokeys(w->spec->crs, &w->keys, err);
  if (rc != RA_E_UNSUPPORTED) return rc;
  w->keys = (ra_geokeys){.directory_count = 0};  // the STAC item tells such a CRS
  return RA_OK;
}

static ra_codec codec_of(const ra__cog_writer *w) {
  return (ra_codec){.id = w->spec->compress == RA_COG_DEFLATE ? RA_CODEC_DEFLATE : RA_CODEC_ZSTD,
                    .level = w->spec->level};
}

static size_t chain_of(const ra__cog_writer *w) { return w->spec->compress == RA_COG_NONE ? 0 : 1; }

static bool make_plane(ra__cog_writer *w, size_t level) {
  ra__cog_plane *plane = &w->planes[level];
  size_t blocks = (size_t)plane->across * plane->down * w->spec->bands;
  uint32_t rows = plane->height < w->block ? plane->height : w->block;
  plane->strip = malloc((size_t)rows * plane->width * w->size);
  plane->offsets = calloc(blocks, sizeof *plane->offsets);
  plane->counts = calloc(blocks, sizeof *plane->counts);
  if (!plane->strip || !plane->offsets || !plane->counts) return false;
  for (int k = 0; k < RA__COG_SPAN; k++) {
    plane->values[k] = malloc(plane->width * sizeof(double));
    if (!plane->values[k]) return false;
  }
  return level + 1 == w->count || ra__cog_overview_init(w, level);
}

static int allocate(ra__cog_writer *w, ra_err *err) {
  ra_codec codec = codec_of(w);
  size_t raw = (size_t)w->block * w->block * w->size;
  w->packed_cap = ra_codec_bound(&codec, chain_of(w), raw);
  w->cells = malloc(raw);
  w->packed = malloc(w->packed_cap + 8);
  w->stats = malloc(w->spec->bands * sizeof *w->stats);
  bool ok = w->cells && w->packed && w->stats;
  for (size_t level = 0; level < w->count && ok; level++) ok = make_plane(w, level);
  if (!ok) return ra_fail(err, RA_E_NOMEM, "", "no memory for a COG's blocks");
  for (unsigned band = 0; band < w->spec->bands; band++) ra_stats_init(&w->stats[band]);
  return RA_OK;
}

int ra_cog_writer_new(const ra_cog_spec *spec, ra_cog_put *put, void *ctx, ra_cog_writer **out,
                      ra_err *err) {
  ra_cog_writer *w = calloc(1, sizeof *w);
  if (!w) return ra_fail(err, RA_E_NOMEM, "", "no memory for a COG");
  w->put = put;
  w->ctx = ctx;
  int rc = prepare(w, spec, err);
  if (rc >= 0) rc = find_keys(w, err);
  if (rc >= 0) rc = allocate(w, err);
  if (rc < 0) {
    ra_cog_writer_free(w);
    return rc;
  }
  *out = w;
  return RA_OK;
}

void ra_cog_writer_free(ra_cog_writer *w) {
  if (!w) return;
  for (size_t level = 0; level < w->count; level++) {
    ra__cog_plane *plane = &w->planes[level];
    for (int k = 0; k < RA__COG_SPAN; k++) free(plane->values[k]);
    free(plane->strip);
    free(plane->offsets);
    free(plane->counts);
    free(plane->columns);
    free(plane->sum);
    free(plane->share);
    free(plane->mean);
    free(plane->cells);
  }
  free(w->stats);
  free(w->cells);
  free(w->packed);
  free(w);
}

size_t ra_cog_writer_levels(const ra_cog_writer *w) { return w->count; }

size_t ra_cog_writer_memory(const ra_cog_spec *spec) {
  ra__cog_writer w = {0};
  ra_err ignored;
  if (prepare(&w, spec, &ignored) < 0) return SIZE_MAX;
  double bytes = 3.0 * w.block * w.block * (double)w.size;
  for (size_t i = 0; i < w.count; i++) {
    const ra__cog_plane *plane = &w.planes[i];
    // The strip, rows as numbers, and 12 bytes a block here, up to 24 more in the header as it is made.
    bytes += plane->width * ((double)w.block * (double)w.size + 80);
    bytes += 36.0 * plane->across * plane->down * spec->bands;
  }
  return bytes < (double)(SIZE_MAX / 2) ? (size_t)bytes : SIZE_MAX;
}

// A block's cells; past the image's edge its last column and row are repeated, which packs best.
static void gather(const ra__cog_writer *w, const ra__cog_plane *plane, uint32_t column,
                   uint32_t height) {
  size_t side = w->block, size = w->size, line = side * size, pitch = plane->width * size;
  size_t x = column * side, width = plane->width - x < side ? plane->width - x : side;
  const uint8_t *from = plane->strip + x * size;
  for (size_t r = 0; r < height; r++) {
    uint8_t *to = w->cells + r * line;
    memcpy(to, from + r * pitch, width * size);
    for (size_t c = width; c < side; c++) memcpy(to + c * size, to + (width - 1) * size, size);
  }
  for (size_t r = height; r < side; r++)
    memcpy(w->cells + r * line, w->cells + (r - 1) * line, line);
}

static int put_block(ra__cog_writer *w, size_t level, ra_err *err) {
  ra__cog_plane *plane = &w->planes[level];
  ra_codec codec = codec_of(w);
  size_t raw = (size_t)w->block * w->block * w->size, got = 0;
  int rc = ra_predictor_encode(w->predictor, w->cells, w->block, w->block, 1, (unsigned)w->size, err);
  if (rc < 0) return rc;
  rc = ra_codec_encode_into(&codec, chain_of(w), w->cells, raw, w->packed + 4, w->packed_cap, &got,
                            err);
  if (rc < 0) return rc;
  uint32_t size = (uint32_t)got;
  memcpy(w->packed, &size, 4);
  memcpy(w->packed + 4 + got, w->packed + got, 4);  // a block has at least 4 bytes
  plane->offsets[plane->block_count] = plane->len + 4;
  plane->counts[plane->block_count++] = size;
  plane->len += got + 8;
  return w->put(w->ctx, level, w->packed, got + 8, err);
}

static int put_strip(ra__cog_writer *w, size_t level, ra_err *err) {
  const ra__cog_plane *plane = &w->planes[level];
  uint32_t rest = plane->row % w->block, height = rest ? rest : w->block;
  int rc = RA_OK;
  for (uint32_t column = 0; column < plane->across && rc >= 0; column++) {
    gather(w, plane, column, height);
    rc = put_block(w, level, err);
  }
  return rc;
}

static int take_row(ra__cog_writer *w, size_t level, const uint8_t *cells, ra_err *err);

// The row as numbers, for the statistics of the image and the rows of the next level that can be made now.
static int pass_on(ra__cog_writer *w, size_t level, const uint8_t *cells, uint32_t row, ra_err *err) {
  ra__cog_plane *plane = &w->planes[level];
  double *values = plane->values[row % RA__COG_SPAN];
  if (level > 0 && level + 1 == w->count) return RA_OK;
  ra_unpack_f64(w->spec->dtype, cells, plane->width, &w->packing, false, values);
  if (level == 0) ra_stats_add_f64(&w->stats[w->band], values, plane->width);
  while (ra__cog_overview_row(w, level)) {
    plane->made++;
    int rc = take_row(w, level + 1, plane->cells, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

// One row of a level and with it what becomes complete in the levels above.
// NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels
static int take_row(ra__cog_writer *w, size_t level, const uint8_t *cells, ra_err *err) {
  ra__cog_plane *plane = &w->planes[level];
  size_t bytes = plane->width * w->size;
  uint32_t row = plane->row++;
  memcpy(plane->strip + row % w->block * bytes, cells, bytes);
  int rc = RA_OK;
  if (plane->row % w->block == 0 || plane->row == plane->height) rc = put_strip(w, level, err);
  if (rc >= 0) rc = pass_on(w, level, cells, row, err);
  if (plane->row == plane->height) plane->row = plane->made = 0;
  return rc;
}

int ra_cog_writer_rows(ra_cog_writer *w, const void *rows, size_t count, ra_err *err) {
  const uint8_t *cells = rows;
  size_t bytes = w->planes[0].width * w->size;
  for (size_t i = 0; i < count; i++) {
    if (w->band == w->spec->bands) return ra_fail(err, RA_E_INTERNAL, "", "a row past the image");
    int rc = take_row(w, 0, cells + i * bytes, err);
    if (rc < 0) return rc;
    if (w->planes[0].row == 0) w->band++;
  }
  return RA_OK;
}

static int fill_places(ra__cog_writer *w, char *header, size_t size, ra_err *err) {
  size_t word = w->big ? 8 : 4;
  uint64_t base = size;
  for (size_t level = w->count; level-- > 0;) {
    const ra__cog_plane *plane = &w->planes[level];
    for (size_t i = 0; i < plane->block_count; i++) {
      uint64_t offset = base + plane->offsets[i];
      if (!w->big && offset + plane->counts[i] > UINT32_MAX)
        return ra_fail(err, RA_E_INTERNAL, "", "a classic TIFF over 4 GiB");
      memcpy(header + plane->offsets_field + i * word, &offset, word);
      memcpy(header + plane->counts_field + i * 4, &plane->counts[i], 4);
    }
    base += plane->len;
  }
  return RA_OK;
}

int ra_cog_writer_end(ra_cog_writer *w, ra_str *header, ra_err *err) {
  if (w->band != w->spec->bands) return ra_fail(err, RA_E_INTERNAL, "", "an image without its end");
  ra_str text;
  ra_str_init(&text);
  int rc = ra__cog_header(w, &text, err);
  if (rc >= 0) rc = fill_places(w, text.ptr, text.len, err);
  if (rc >= 0) ra_str_add_bytes(header, text.ptr, text.len);
  ra_str_deinit(&text);
  return rc < 0 || !header->failed ? rc
                                   : ra_fail(err, RA_E_NOMEM, "", "no memory for a COG's header");
}

// ---- whole files

typedef struct pile {
  uint8_t *bytes;
  size_t len, cap;
} pile;

static int put_pile(void *ctx, size_t level, const void *data, size_t size, ra_err *err) {
  pile *p = &((pile *)ctx)[level];
  size_t want;
  if (!ra_size_add(p->len, size, &want)) return ra_fail(err, RA_E_TOOBIG, "", "a COG too large");
  if (want > p->cap) {
    size_t cap = p->cap + p->cap / 2 > want ? p->cap + p->cap / 2 : want;
    uint8_t *bytes = realloc(p->bytes, cap);
    if (!bytes) return ra_fail(err, RA_E_NOMEM, "", "no memory for a COG of %zu bytes", want);
    p->bytes = bytes;
    p->cap = cap;
  }
  memcpy(p->bytes + p->len, data, size);
  p->len = want;
  return RA_OK;
}

static int join(const pile *piles, size_t count, const ra_str *header, ra_buf **out, ra_err *err) {
  size_t size = header->len;
  for (size_t i = 0; i < count; i++) size += piles[i].len;
  int rc = ra_buf_new(size, out, err);
  if (rc < 0) return rc;
  uint8_t *to = ra_buf_bytes(*out);
  memcpy(to, header->ptr, header->len);
  to += header->len;
  for (size_t i = count; i-- > 0;) {
    if (piles[i].len) memcpy(to, piles[i].bytes, piles[i].len);
    to += piles[i].len;
  }
  return RA_OK;
}

int ra_cog_write(const ra_cog_spec *spec, const void *pixels, ra_buf **out, ra_err *err) {
  pile piles[RA__COG_LEVELS] = {{0}};
  ra_str header;
  ra_cog_writer *w = NULL;
  int rc = ra_cog_writer_new(spec, put_pile, piles, &w, err);
  if (rc < 0 || !w) return rc;
  ra_str_init(&header);
  rc = ra_cog_writer_rows(w, pixels, (size_t)spec->grid.height * spec->bands, err);
  if (rc >= 0) rc = ra_cog_writer_end(w, &header, err);
  if (rc >= 0) rc = join(piles, w->count, &header, out, err);
  ra_str_deinit(&header);
  ra_cog_writer_free(w);
  for (size_t i = 0; i < RA__COG_LEVELS; i++) free(piles[i].bytes);
  return rc;
}
