// chunks.h - a variable as the chunks that its file stores, each decoded on its own, once, by any thread: pread and our
// own codecs without a lock; netcdf-c, one thread at a time, for what those do not know. Chunks are numbered in C order
// of their grid. What a contiguous or classic variable is read in is whole rows or records of at most 4 MiB.
#pragma once
#include "source/source.h"

// The chunk's shape in cells; it may be larger than the variable.
void ra_source_chunk_shape(const ra_source_var *var, uint64_t *shape);
size_t ra_source_chunk_bytes(const ra_source_var *var);  // of a decoded chunk; SIZE_MAX: does not fit
uint64_t ra_source_chunk_count(const ra_source_var *var);  // 0 when one dimension is empty
// Where a chunk lies: its first cell, and how many of its cells are the variable's.
void ra_source_chunk_box(const ra_source_var *var, uint64_t chunk, uint64_t *start, uint64_t *count);
// All cells of one chunk in C order of the chunk's shape (not of its box), native byte order. Cells past the
// variable's edge are whatever the file has. `dst` takes ra_source_chunk_bytes. Any thread, many at once.
int ra_source_chunk_decode(ra_source *source, const ra_source_var *var, uint64_t chunk, void *dst,
                           ra_err *err);
