// checksums_tiff.c - the bands of a TIFF, for checksums.c: a row of blocks at a time, and the mask beside the cells.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ingest/checksums_private.h"
#include "source/tiff.h"

typedef struct band {
  ra_tiff *tiff;
  unsigned index;
  ra__sums *sums;
} band;

static int read_band(void *ctx, const uint64_t *start, const uint64_t *count, void *dst, ra_err *err) {
  const band *b = ctx;
  const ra_tiff_info *info = ra_tiff_get_info(b->tiff);
  if (start[1] != 0 || count[1] != info->width)
    return ra_fail(err, RA_E_TOOBIG, "", "a row does not fit in memory; give more with --memory");
  return ra_tiff_read(b->tiff, b->index, start[0], count[0], dst, NULL, err);
}

// How many cells are valid, and the mask as a file of booleans.
static int sum_mask(band *b, ra_str *more, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(b->tiff);
  char file[512];
  snprintf(file, sizeof file, "%s/mask-%u.npy", b->sums->dump ? b->sums->dump : "", b->index + 1);
  ra__sum_mask mask = {
      .width = info->width, .height = info->height, .file = b->sums->dump ? file : NULL};
  int rc = ra__sum_mask_begin(&mask, err);
  size_t cell = ra_dtype_size(info->dtype), cells;
  uint64_t step = info->block_height ? info->block_height : 1;
  if (rc == RA_OK && !ra_size_mul(step, info->width, &cells))
    rc = ra_fail(err, RA_E_TOOBIG, "", "a row of blocks does not fit in memory");
  uint8_t *rows = rc == RA_OK ? malloc(cells * (cell + 1)) : NULL;
  if (rc == RA_OK && !rows) rc = ra_fail(err, RA_E_NOMEM, "", "no memory for a row of blocks");
  for (uint64_t y = 0; y < info->height && rc == RA_OK; y += step) {
    uint64_t n = info->height - y < step ? info->height - y : step;
    rc = ra_tiff_read(b->tiff, b->index, y, n, rows, rows + cells * cell, err);
    if (rc == RA_OK) rc = ra__sum_mask_add(&mask, rows + cells * cell, n * info->width, err);
  }
  free(rows);
  if (rc == RA_OK) ra_str_addf(more, ",\"valid\":%llu", (unsigned long long)mask.valid);
  if (rc == RA_OK && mask.file) {
    ra_str_add(more, ",\"mask_npy\":");
    ra_str_add_json(more, file);
  }
  ra__sum_mask_end(&mask);
  return rc;
}

static int sum_band(band *b, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(b->tiff);
  char path[24];
  ra_str more;
  ra_str_init(&more);
  snprintf(path, sizeof path, "%u", b->index + 1);
  ra_str_addf(&more, ",\"band\":%u", b->index + 1);
  int rc = sum_mask(b, &more, err);
  ra__sum_array a = {.path = path,
                     .type = ra__numpy_type(info->dtype),
                     .more = more.ptr,
                     .valid_told = true,
                     .cell = (unsigned)ra_dtype_size(info->dtype),
                     .ndim = 2,
                     .shape = {info->height, info->width},
                     .chunk = {info->block_height, info->width},
                     .read = read_band,
                     .ctx = b};
  if (rc == RA_OK && more.failed) rc = ra_fail(err, RA_E_NOMEM, path, "no memory for the answer");
  if (rc == RA_OK) rc = ra__sum(b->sums, &a, err);
  ra_str_deinit(&more);
  return rc;
}

int ra__sums_tiff(ra__sums *sums, const char *path, ra_str *head, ra_err *err) {
  ra_tiff *tiff;
  int rc = ra_tiff_open(path, &tiff, err);
  if (rc < 0) return rc;
  const ra_tiff_info *info = ra_tiff_get_info(tiff);
  ra_str_addf(head, ",\"width\":%u,\"height\":%u,\"bands\":%u,\"overviews\":[", info->width,
              info->height, info->bands);
  for (size_t i = 0; i < info->overview_count; i++)
    ra_str_addf(head, i ? ",[%u,%u]" : "[%u,%u]", info->overviews[i][0], info->overviews[i][1]);
  ra_str_add_char(head, ']');
  for (unsigned i = 0; i < info->bands && rc == RA_OK; i++) {
    band b = {tiff, i, sums};
    rc = sum_band(&b, err);
  }
  ra_tiff_free(tiff);
  return rc;
}
