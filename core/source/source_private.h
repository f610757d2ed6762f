// source_private.h - what the files of source/ share: the model's struct and the lock round netcdf-c and HDF5.
#pragma once
#include <pthread.h>

#include "base/arena.h"
#include "source/source.h"

struct ra_source {
  ra_arena arena;
  const char *path, *name, *format;
  uint64_t bytes;
  bool hdf5;
  int ncid;  // -1: not open
  unsigned dim_count, var_count;
  ra_source_dim *dims;
  int *dim_ids;  // netcdf-c's id of each dim
  ra_source_var **vars;
  size_t attr_count;
  const ra_source_attr *attrs;
  struct ra__filter *filters;  // what the HDF5 scan found that cannot be decoded
  unsigned threads;
  _Atomic uint64_t chunks_read;
};

// A dataset whose filter has no decoder here.
typedef struct ra__filter {
  const char *path;  // "/group/name"
  const char *what;
  struct ra__filter *next;
} ra__filter;

void ra__source_lock(void);
void ra__source_unlock(void);

// What the file's first bytes say: sets format, hdf5, bytes; refuses anything but NetCDF and HDF5, naming what it is.
int ra__source_magic(ra_source *source, ra_err *err);
// Walks an HDF5 file: refuses what leads out of it, notes filters without a decoder. Lock held.
int ra__source_scan(ra_source *source, ra_err *err);
// Refuses a classic file that ends before its data do.
int ra__source_classic(ra_source *source, ra_err *err);
// Fills the model from an open ncid. Lock held.
int ra__source_inquire(ra_source *source, ra_err *err);
// Chooses var->block from the shape and the chunk.
void ra__source_block(ra_source_var *var);
// Attributes of a variable (NC_GLOBAL: of the group). Lock held.
int ra__source_attrs(ra_source *source, int ncid, int varid, const ra_source_attr **attrs,
                     size_t *count, ra_err *err);
// RA_E_CORRUPT, RA_E_IO or RA_E_UNSUPPORTED with netcdf-c's own words.
int ra__source_fail(const ra_source *source, int status, const char *what, ra_err *err);
