// cell_index.h - which native cell of a curvilinear grid is nearest to a place: an object that is written once beside the
// stores and read in part. Cells are sorted into bands of latitude, and within a band into bins of longitude; only the
// bins round the place are read. Distances are those of great circles.
//
//   "RACELLS1" | header: sizes, extent | bands | where each bin begins | cells (longitude, latitude, number, reach)
#pragma once
#include "base/reader.h"
#include "geo/lattice.h"

typedef struct ra_cell_writer ra_cell_writer;
int ra_cell_writer_new(const ra_lattice *lattice, ra_cell_writer **out, ra_err *err);
void ra_cell_writer_free(ra_cell_writer *writer);  // NULL is fine
// The object's next bytes, valid until the next call; *size 0 after the last.
int ra_cell_writer_next(void *writer, const void **data, size_t *size, ra_err *err);
// Bytes that a writer holds beside the lattice, at most.
size_t ra_cell_writer_memory(const ra_lattice *lattice);

typedef struct ra_cell_index ra_cell_index;  // its tables: immutable, any thread
int ra_cell_index_open(const ra_reader *reader, const char *key, ra_cell_index **out, ra_err *err);
void ra_cell_index_free(ra_cell_index *index);
size_t ra_cell_index_memory(const ra_cell_index *index);

typedef struct ra_cell {
  uint32_t number;  // row * width + column
  double lon, lat;
  double distance;  // degrees of arc
} ra_cell;
// The nearest cell; of several the one with the lowest number. *found false: the place lies outside the grid, further than
// half a cell from any. Blocking reads; a pool job.
int ra_cell_index_find(const ra_cell_index *index, const ra_reader *reader, const char *key,
                       double lon, double lat, ra_cell *out, bool *found, ra_err *err);
