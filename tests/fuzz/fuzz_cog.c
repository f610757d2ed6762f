// Any bytes as a TIFF: the header, then a few blocks of every level.
#include <stdlib.h>

#include "format/cog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CELLS_MOST = 1 << 22 };

static void decode_blocks(const ra_cog *cog, const uint8_t *data, size_t level) {
  const ra_cog_info *info = ra_cog_get_info(cog);
  const ra_cog_level *l = ra_cog_get_level(cog, level);
  size_t bytes = (size_t)l->block_width * l->block_height * ra_dtype_size(info->dtype) *
                 (info->planar ? 1 : info->bands);
  if (bytes > CELLS_MOST) return;
  void *cells = malloc(bytes);
  for (uint32_t n = 0; cells && n < 4; n++) {
    uint64_t offset, packed;
    uint32_t column = n % l->across, row = (l->down - 1) * (n / 2);
    if (row >= l->down) break;
    if (ra_cog_block_range(cog, level, info->bands - 1, column, row, &offset, &packed, NULL) < 0)
      break;
    (void)ra_cog_block_decode(cog, level, packed ? data + offset : NULL, packed, cells, NULL);
  }
  free(cells);
}

static void decode_mask(const ra_cog *cog, const uint8_t *data, size_t level) {
  const ra_cog_info *info = ra_cog_get_info(cog);
  const ra_cog_level *l = ra_cog_get_level(cog, level);
  size_t n = (size_t)l->block_width * l->block_height;
  bool separate =
      info->masking == RA_COG_MASK_IMAGE || (info->masking == RA_COG_MASK_ALPHA && info->planar);
  uint64_t offset, packed;
  if (!separate || n > CELLS_MOST || ra_cog_mask_range(cog, level, 0, 0, &offset, &packed, NULL) < 0)
    return;
  uint8_t *valid = malloc(n);
  (void)ra_cog_mask_decode(cog, level, packed ? data + offset : NULL, packed, valid, NULL);
  free(valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_cog *cog = NULL;
  size_t need = size < 512 ? size : 512, given = 0;
  while (!cog) {  // as a server does: a first piece, then what is asked for
    if (given && (need <= given || need > size)) abort();
    given = need;
    if (ra_cog_parse(data, given, size, &cog, &need, NULL) < 0) return 0;
  }
  for (size_t level = 0; level < ra_cog_level_count(cog); level++) {
    decode_blocks(cog, data, level);
    decode_mask(cog, data, level);
  }
  ra_cog_unref(cog);
  return 0;
}
