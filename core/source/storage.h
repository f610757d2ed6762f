// storage.h - how the cells of one variable lie in its file: found once, then read by any thread.
#pragma once
#include "format/chunk.h"
#include "source/chunks.h"
#include "source/source_private.h"

typedef enum ra__way {
  RA__WAY_CALL,    // nc_get_vara (compact layout, szip, odd number types), or the backend
  RA__WAY_HDF5,    // chunks fetched by HDF5, decoded here: an index of a kind that cannot be listed
  RA__WAY_CHUNKS,  // pread and decode
  RA__WAY_PLAIN    // pread: contiguous, classic
} ra__way;

// A stored chunk. `chunk` is its number in C order of the variable's grid; slots ascend by it.
typedef struct ra__slot {
  uint64_t chunk, offset;
  uint32_t size, mask;
} ra__slot;

typedef struct ra__storage {
  ra__way way;
  ra_chunk_format format;
  uint64_t extent[RA_SOURCE_DIMS];         // what the file holds of the variable's shape
  bool grown;                              // less than the shape
  _Alignas(8) uint8_t fill[8], beyond[8];  // a cell of a chunk that is not stored; a cell past the extent
  ra__slot *slots;                         // malloc'd
  size_t slot_count;
  uint64_t offset;                       // plain: the first record; UINT64_MAX: nothing is stored
  uint64_t record_bytes, record_stride;  // plain; a variable without records is one
  int64_t dataset;                       // RA__WAY_HDF5: an hid_t; else -1
} ra__storage;

// Found at first use, the source's. Any thread.
int ra__storage_get(ra_source *source, const ra_source_var *var, const ra__storage **out,
                    ra_err *err);
void ra__storage_free(ra__storage *storage);                                   // lock held
const ra__slot *ra__storage_slot(const ra__storage *storage, uint64_t chunk);  // NULL: not stored
// RA_E_UNSUPPORTED when the variable holds no numbers, or none that can be decoded.
int ra__source_readable(const ra_source *source, const ra_source_var *var, ra_err *err);
// Chunks along a dimension.
uint64_t ra__grid_side(const ra_source_var *var, unsigned d);

void ra__storage_close(ra__storage *storage);  // what HDF5 holds open for it; lock held
// The same of a variable of an HDF5 file, through HDF5. Lock held.
int ra__storage_hdf5(ra_source *source, const ra_source_var *var, ra__storage *storage, ra_err *err);
// Fetches a chunk's stored bytes into a thread's own memory; *data NULL: not stored. Lock held.
int ra__storage_fetch(ra_source *source, const ra_source_var *var, const ra__storage *storage,
                      const uint64_t *start, const uint8_t **data, size_t *size, uint32_t *mask,
                      ra_err *err);
// Where such a chunk lies: 1 and the slot but for its number; 0: not stored. Lock held.
int ra__storage_locate(const ra_source *source, const ra_source_var *var, const ra__storage *storage,
                       const uint64_t *start, ra__slot *slot, ra_err *err);
// Why a variable's cells are in no byte ranges that our codecs read: "it is compressed with szip (HDF5 filter 4)".
void ra__storage_explain(ra_source *source, const ra_source_var *var, char *out, size_t size);
// The chunks of a dataset whose object header stands at `header` (from the file's base address), when its index is a
// version 1 B-tree: *slots malloc'd. RA_E_UNSUPPORTED without a message when it is anything else.
int ra__btree_slots(const ra_source *source, const ra_source_var *var, uint64_t base,
                    uint64_t header, ra__slot **slots, size_t *count, ra_err *err);
// Sorts by chunk; refuses a chunk that is there twice, outside the file, larger than its cells could make it, or over
// another.
int ra__slots_check(const ra_source *source, const ra_source_var *var, const ra__storage *storage,
                    ra_err *err);
// pread of all bytes; false at the file's end or a failure, with errno (0 at the end).
bool ra__source_pread(const ra_source *source, void *dst, size_t size, uint64_t offset);
// RA_E_CONFLICT when the file is no longer what was opened.
int ra__source_unchanged(const ra_source *source, ra_err *err);
