// chunk.c - see chunk.h
#include "format/chunk.h"

#include "raster/dtype.h"

size_t ra_chunk_filters(const ra_chunk_format *format, uint32_t mask, ra_codec *chain) {
  size_t count = 0;
  for (size_t i = 0; i < format->filters; i++) {
    if (!(mask >> format->bit[i] & 1)) chain[count++] = format->chain[i];
  }
  return count;
}

int ra_chunk_decode(const ra_chunk_format *format, uint32_t mask, const uint8_t *src, size_t size,
                    void *dst, ra_err *err) {
  ra_codec chain[RA_CHUNK_FILTERS];
  size_t count = ra_chunk_filters(format, mask, chain);
  if (count || dst != src) {
    int rc = ra_codec_decode(chain, count, src, size, dst, format->bytes, err);
    if (rc < 0) return rc;
  } else if (size != format->bytes) {
    return ra_fail(err, RA_E_CORRUPT, "", "a chunk of %zu bytes where %zu were expected", size,
                   format->bytes);
  }
  if (format->swapped) ra_cells_swap(dst, format->bytes / format->cell, format->cell);
  return RA_OK;
}
