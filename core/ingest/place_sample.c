// place_sample.c - the stretch of maps of data that stay: from some of their chunks, spread evenly, since all of them would
// take as long as a copy. Statistics are told only where all cells were seen.
#include <stdlib.h>

#include "base/size.h"
#include "ingest/ingest_private.h"
#include "source/chunks.h"

enum { CHUNKS = 16 };
static const size_t ROOM = (size_t)32 << 20;  // bytes

static uint64_t box_cells(const uint64_t *count, unsigned ndim) {
  uint64_t cells = 1;
  for (unsigned d = 0; d < ndim; d++) cells *= count[d];
  return cells;
}

// What fits of a chunk that does not: its first rows.
static void shrink(const ra_source_var *var, uint64_t *count, uint64_t most) {
  for (unsigned d = 0; d < var->ndim && box_cells(count, var->ndim) > most; d++) {
    uint64_t rest = box_cells(count, var->ndim) / count[d];
    count[d] = rest < most ? most / rest : 1;
  }
}

static int read_chunks(ra_ingest *ingest, const ra_source_var *var, uint8_t *cells, size_t room,
                       size_t *got, ra_cancel *cancel, ra_err *err) {
  size_t size = ra_dtype_size(var->dtype);
  uint64_t chunks = ra_source_chunk_count(var), wanted = chunks < CHUNKS ? chunks : CHUNKS;
  int rc = RA_OK;
  for (uint64_t i = 0; i < wanted && rc >= 0; i++) {
    uint64_t start[RA_SOURCE_DIMS], count[RA_SOURCE_DIMS];
    ra_source_chunk_box(var, (2 * i + 1) * chunks / (2 * wanted), start, count);
    shrink(var, count, (room - *got) / size / (wanted - i));
    if (ra_cancel_is_set(cancel))
      return ra_fail(err, RA_E_CANCELLED, ra_source_name(ingest->source), "cancelled");
    rc = ra_source_read(ingest->source, var, start, count, cells + *got, err);
    *got += (size_t)box_cells(count, var->ndim) * size;
  }
  return rc;
}

static int tally(ra_ingest *ingest, ra__array *array, const uint8_t *cells, size_t bytes,
                 ra_err *err) {
  size_t width = (size_t)array->cf->grid->native_width;
  size_t rows = bytes / ra_dtype_size(array->zarr.dtype) / width;
  ra__tally *sums;
  (void)ingest;
  int rc = ra__tally_new(array, &sums, err);
  if (rc < 0) return rc;
  if (rows) rc = ra__tally_add(sums, 0, cells, rows, err);
  if (rc >= 0) ra__tally_finish(sums, array);
  array->sampled = bytes < array->raw;
  ra__tally_free(sums);
  return rc;
}

int ra__place_sample(ra_ingest *ingest, ra__array *array, ra_cancel *cancel, ra_err *err) {
  static const uint64_t origin[RA_SOURCE_DIMS] = {0};
  const ra_source_var *var = array->cf->source;
  size_t room = array->raw < ROOM ? array->raw : ROOM, got = 0;
  uint8_t *cells = malloc(room ? room : 1);
  if (!cells) return ra_fail(err, RA_E_NOMEM, var->name, "out of memory");
  bool all = array->raw <= ROOM / 4;
  int rc = all ? ra_source_read(ingest->source, var, origin, var->shape, cells, err)
               : read_chunks(ingest, var, cells, room, &got, cancel, err);
  if (rc >= 0) rc = tally(ingest, array, cells, all ? room : got, err);
  free(cells);
  return rc;
}
