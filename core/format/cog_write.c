// cog_write.c - the whole file: overviews, header, then blocks, the smallest overview first. Before a block stand its
// size, behind it its last 4 bytes again (GDAL's leader and trailer).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/cog_impl.h"

typedef struct output {
  uint8_t *bytes;
  size_t len, cap;
} output;

static int reserve(output *out, size_t more, ra_err *err) {
  size_t want;
  if (!ra_size_add(out->len, more, &want)) return ra_fail(err, RA_E_TOOBIG, "", "a COG too large");
  if (want <= out->cap) return RA_OK;
  size_t cap = out->cap + out->cap / 2 > want ? out->cap + out->cap / 2 : want;
  uint8_t *bytes = realloc(out->bytes, cap);
  if (!bytes) return ra_fail(err, RA_E_NOMEM, "", "no memory for a COG of %zu bytes", want);
  out->bytes = bytes;
  out->cap = cap;
  return RA_OK;
}

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

static int prepare(ra__cog_writer *w, const ra_cog_spec *spec, const void *pixels, ra_err *err) {
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
  w->planes[0] = (ra__cog_plane){
      .width = (uint32_t)spec->grid.width, .height = (uint32_t)spec->grid.height, .cells = pixels};
  w->count = 1;
  rc = check_size(w, err);
  if (rc < 0 || !spec->crs) return rc;
  rc = ra_crs_geokeys(spec->crs, &w->keys, err);
  if (rc == RA_E_UNSUPPORTED) {  // the STAC item tells such a CRS
    w->keys = (ra_geokeys){.directory_count = 0};
    rc = RA_OK;
  }
  return rc;
}

// A block's cells; past the image's edge its last column and row are repeated, which packs best.
static void gather(const ra__cog_writer *w, const ra__cog_plane *plane, unsigned band,
                   uint32_t column, uint32_t row, uint8_t *block) {
  size_t side = w->block, size = w->size, line = side * size, pitch = plane->width * size;
  size_t x = column * side, y = row * side;
  size_t width = plane->width - x < side ? plane->width - x : side;
  size_t height = plane->height - y < side ? plane->height - y : side;
  const uint8_t *from = plane->cells + ((size_t)band * plane->height + y) * pitch + x * size;
  for (size_t r = 0; r < height; r++) {
    uint8_t *to = block + r * line;
    memcpy(to, from + r * pitch, width * size);
    for (size_t c = width; c < side; c++) memcpy(to + c * size, to + (width - 1) * size, size);
  }
  for (size_t r = height; r < side; r++) memcpy(block + r * line, block + (r - 1) * line, line);
}

static int append_block(const ra__cog_writer *w, uint8_t *block, output *out, uint64_t *offset,
                        uint32_t *size, ra_err *err) {
  const ra_cog_spec *spec = w->spec;
  ra_codec codec = {.id = spec->compress == RA_COG_DEFLATE ? RA_CODEC_DEFLATE : RA_CODEC_ZSTD,
                    .level = spec->level};
  size_t chain = spec->compress == RA_COG_NONE ? 0 : 1, raw = (size_t)w->block * w->block * w->size;
  int rc = ra_predictor_encode(w->predictor, block, w->block, w->block, 1, (unsigned)w->size, err);
  if (rc < 0) return rc;
  size_t bound = ra_codec_bound(&codec, chain, raw), got = 0;
  rc = reserve(out, bound + 8, err);
  if (rc < 0) return rc;
  uint8_t *to = out->bytes + out->len;
  rc = ra_codec_encode_into(&codec, chain, block, raw, to + 4, bound, &got, err);
  if (rc < 0) return rc;
  *offset = out->len + 4;
  *size = (uint32_t)got;
  memcpy(to, size, 4);
  memcpy(to + 4 + got, to + got, 4);  // a block has at least 4 bytes
  out->len += got + 8;
  return RA_OK;
}

static int append_plane(const ra__cog_writer *w, const ra__cog_plane *plane, uint8_t *block,
                        output *out, ra_err *err) {
  size_t word = w->big ? 8 : 4, n = 0;
  for (unsigned band = 0; band < w->spec->bands; band++) {
    for (uint32_t row = 0; row < plane->down; row++) {
      for (uint32_t column = 0; column < plane->across; column++, n++) {
        uint64_t offset;
        uint32_t size;
        gather(w, plane, band, column, row, block);
        int rc = append_block(w, block, out, &offset, &size, err);
        if (rc < 0) return rc;
        if (!w->big && offset + size > UINT32_MAX) {
          return ra_fail(err, RA_E_INTERNAL, "", "a classic TIFF over 4 GiB");
        }
        memcpy(out->bytes + plane->offsets_field + n * word, &offset, word);
        memcpy(out->bytes + plane->counts_field + n * 4, &size, 4);
      }
    }
  }
  return RA_OK;
}

static int append_planes(const ra__cog_writer *w, output *out, ra_err *err) {
  uint8_t *block = malloc((size_t)w->block * w->block * w->size);
  if (!block) return ra_fail(err, RA_E_NOMEM, "", "no memory for a block");
  int rc = RA_OK;
  for (size_t i = w->count; i-- > 0 && rc == RA_OK;) {
    rc = append_plane(w, &w->planes[i], block, out, err);
  }
  free(block);
  return rc;
}

static int assemble(ra__cog_writer *w, output *out, ra_err *err) {
  ra_str header;
  ra_str_init(&header);
  set_blocks(w);
  choose_size(w);
  int rc = ra__cog_header(w, &header, err);
  if (rc == RA_OK) rc = reserve(out, header.len, err);
  if (rc == RA_OK && out->bytes) {
    memcpy(out->bytes, header.ptr, header.len);
    out->len = header.len;
    rc = append_planes(w, out, err);
  }
  ra_str_deinit(&header);
  return rc;
}

int ra_cog_write(const ra_cog_spec *spec, const void *pixels, ra_buf **out, ra_err *err) {
  ra__cog_writer w = {0};
  output file = {0};
  int rc = prepare(&w, spec, pixels, err);
  if (rc == RA_OK) rc = ra__cog_overviews(&w, err);
  if (rc == RA_OK) rc = assemble(&w, &file, err);
  if (rc == RA_OK && file.len) {
    uint8_t *fitting = realloc(file.bytes, file.len);
    if (fitting) file.bytes = fitting;
    rc = ra_buf_adopt(file.bytes, file.len, out, err);
  }
  if (rc < 0) free(file.bytes);
  for (size_t i = 1; i < RA__COG_LEVELS; i++) free(w.planes[i].owned);
  return rc;
}
