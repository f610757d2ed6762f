// checksums_tiff.c - the bands of a TIFF, for checksums.c: its mask is told with its cells, of one read.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ingest/checksums_private.h"
#include "source/tiff.h"

typedef struct band {
  ra_tiff *tiff;
  unsigned index;
  char file[PATH_MAX];  // of its mask
  ra__sum_mask mask;
  uint8_t *valid;  // of the rows that were read last
  size_t room;
} band;

static int read_band(void *ctx, const uint64_t *start, const uint64_t *count, void *dst, ra_err *err) {
  band *b = ctx;
  const ra_tiff_info *info = ra_tiff_get_info(b->tiff);
  size_t cells;
  if (count[1] != info->width || !ra_size_mul(count[0], count[1], &cells))
    return ra_fail(err, RA_E_TOOBIG, "", "a row does not fit in memory; give more with --memory");
  if (cells > b->room) {
    free(b->valid);
    b->valid = malloc(cells);
    b->room = b->valid ? cells : 0;
    if (!b->valid) return ra_fail(err, RA_E_NOMEM, "", "no memory for a mask of %zu cells", cells);
  }
  int rc = ra_tiff_read(b->tiff, b->index, start[0], count[0], dst, b->valid, err);
  return rc < 0 ? rc : ra__sum_mask_add(&b->mask, b->valid, cells, err);
}

static void tell_band(void *ctx, ra_str *out) {
  const band *b = ctx;
  ra_str_addf(out, ",\"band\":%u,\"valid\":%llu", b->index + 1, (unsigned long long)b->mask.valid);
  if (!b->mask.file) return;
  ra_str_add(out, ",\"mask_npy\":");
  ra_str_add_json(out, b->mask.file);
}

static int begin_mask(band *b, const ra__sums *sums, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(b->tiff);
  b->mask = (ra__sum_mask){.width = info->width, .height = info->height};
  if (!sums->dump) return RA_OK;
  if (snprintf(b->file, sizeof b->file, "%s/mask-%u.npy", sums->dump, b->index + 1) >= PATH_MAX)
    return ra_fail(err, RA_E_INVALID, sums->dump, "--dump: the path is too long");
  b->mask.file = b->file;
  return ra__sum_mask_begin(&b->mask, err);
}

static int sum_band(ra__sums *sums, ra_tiff *tiff, unsigned index, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(tiff);
  band b = {.tiff = tiff, .index = index};
  char path[24];
  snprintf(path, sizeof path, "%u", index + 1);
  ra__sum_array a = {.path = path,
                     .type = ra__numpy_type(info->dtype),
                     .more = tell_band,
                     .valid_told = true,
                     .cell = (unsigned)ra_dtype_size(info->dtype),
                     .ndim = 2,
                     .shape = {info->height, info->width},
                     .chunk = {info->block_height, info->width},
                     .read = read_band,
                     .ctx = &b};
  int rc = begin_mask(&b, sums, err);
  if (rc == RA_OK) rc = ra__sum(sums, &a, err);
  if (ra__sum_mask_end(&b.mask, rc == RA_OK ? err : NULL) < 0 && rc == RA_OK) rc = RA_E_IO;
  free(b.valid);
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
  for (unsigned i = 0; i < info->bands && rc == RA_OK; i++) rc = sum_band(sums, tiff, i, err);
  ra_tiff_free(tiff);
  return rc;
}
