// source.h - a NetCDF file as a plain model: dimensions, variables, attributes, and windows of stored cells. Opening
// checks what the file is, and through HDF5 that it leads nowhere else, before netcdf-c sees it (safety.md). All texts
// and tables belong to the source's arena. Any thread may read: cells come by pread and our own codecs, without a lock;
// what those cannot do goes through netcdf-c, which takes one lock for the process. Ingest process only.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "raster/dtype.h"

enum { RA_SOURCE_DIMS = 16 };  // more dimensions than this and a variable is left out

typedef struct ra_source_attr {
  const char *name;
  size_t count;              // numbers, or texts
  ra_dtype dtype;            // of numbers
  const double *numbers;     // NULL for text; 64-bit integers beyond 2^53 round
  const int64_t *integers;   // exact, for integer types (uint64 wraps); else NULL
  const char *const *texts;  // NULL for numbers
} ra_source_attr;

typedef struct ra_source_dim {
  const char *name;  // "lat", "group/lat"
  const char *base;  // "lat"
  uint64_t size;
  bool unlimited;
} ra_source_dim;

typedef enum ra_source_kind {
  RA_SOURCE_NUMBERS,
  RA_SOURCE_CHARS,
  RA_SOURCE_STRINGS,
  RA_SOURCE_OTHER  // compound, enum, opaque, variable length
} ra_source_kind;

typedef struct ra_source_var {
  const char *name;   // "t2m", "group/t2m"
  const char *base;   // "t2m"
  const char *group;  // "", "group"
  ra_source_kind kind;
  ra_dtype dtype;    // unsigned where _Unsigned says so
  bool as_unsigned;  // stored as signed, said to be unsigned
  unsigned ndim;
  unsigned dims[RA_SOURCE_DIMS];  // indexes into the source's dims
  uint64_t shape[RA_SOURCE_DIMS];
  uint64_t chunk[RA_SOURCE_DIMS];  // of the file; the shape itself when not chunked
  bool chunked;
  uint64_t block[RA_SOURCE_DIMS];  // what is read at once: the chunk, else whole rows (chunks.h)
  const char *filter;  // a filter that cannot be decoded here ("zstd (HDF5 filter 32015)"), or NULL
  bool filter_is_reason;  // filter is a sentence of its own
  size_t attr_count;
  const ra_source_attr *attrs;
  int ncid, varid;
  unsigned index;  // among the source's variables
  ra_buf *cells;   // kept by ra_source_cells
} ra_source_var;

typedef struct ra_source ra_source;

// path: a regular file, a Zarr store's folder, or a URL of one of these (access.h). RA_E_UNSUPPORTED or RA_E_CORRUPT with the reason when it is not a file that we read.
int ra_source_open(const char *path, ra_source **out, ra_err *err);
void ra_source_free(ra_source *source);
bool ra_source_is_tiff(const char *path);  // by its first bytes

const char *ra_source_path(const ra_source *source);  // absolute; or the URL
const char *ra_source_url(const ra_source *source);   // NULL: it is of this machine
const char *ra_source_name(const ra_source *source);  // last part of the path
const char *ra_source_format(
    const ra_source *source);  // "classic", "64-bit-offset", "cdf5", "netcdf4", "netcdf4-classic"
uint64_t ra_source_bytes(const ra_source *source);
// A TIFF that can be served where it lies: our own reader knows all of it, and blocks are no larger than a server wants.
bool ra_source_is_servable(const ra_source *source);
// The affine of a TIFF whose rows do not run along an axis of its CRS, in GDAL's order (grid.h); NULL: they do.
const double *ra_source_affine(const ra_source *source);
// The time that the option --datetime gives the source: itself; by a pattern of strptime, its name's; by "tag", its DateTime
// tag's. NULL stays NULL.
int ra_source_datetime(ra_source *source, const char *option, const char **out, ra_err *err);
size_t ra_source_dim_count(const ra_source *source);
const ra_source_dim *ra_source_get_dim(const ra_source *source, size_t i);
size_t ra_source_var_count(const ra_source *source);
ra_source_var *ra_source_get_var(const ra_source *source, size_t i);
// Global attributes of the root group.
size_t ra_source_attr_count(const ra_source *source);
const ra_source_attr *ra_source_attrs(const ra_source *source);

// The variable that `name` means inside `group`: there, then in each group above. NULL: none.
ra_source_var *ra_source_find(const ra_source *source, const char *group, const char *name);
const ra_source_attr *ra_source_attr_find(const ra_source_attr *attrs, size_t count,
                                          const char *name);
const ra_source_attr *ra_source_var_attr(const ra_source_var *var, const char *name);
// The first text of an attribute; NULL when it is absent or a number.
const char *ra_source_var_text(const ra_source_var *var, const char *name);
// The first number (or a text that is one); false when there is none.
bool ra_source_var_number(const ra_source_var *var, const char *name, double *out);
uint64_t ra_source_var_cells(const ra_source_var *var);  // 0 when one dimension is empty; saturates
size_t ra_source_var_bytes(const ra_source_var *var);    // SIZE_MAX when it does not fit

// Reads [start, start + count) as stored cells of var->dtype, C order, native byte order. A chunk that lies partly
// inside is decoded whole: windows of whole chunks decode each once. RA_E_CONFLICT when the file has changed since it
// was opened.
int ra_source_read(ra_source *source, const ra_source_var *var, const uint64_t *start,
                   const uint64_t *count, void *dst, ra_err *err);
// The file's own bytes from `offset`, of the file that was opened whatever its path names now: *got of at most `size`,
// 0 at its end. RA_E_CONFLICT when it has changed since it was opened.
int ra_source_raw(const ra_source *source, uint64_t offset, void *dst, size_t size, size_t *got,
                  ra_err *err);
// RA_E_CONFLICT when the source has changed since it was opened: for the end of a reading, since a change of a folder is not
// noticed by each read.
int ra_source_check(ra_source *source, ra_err *err);
// A NetCDF file as references to its own chunks (refer.h): another source of the same path and name, whose variables are what
// a reader of those sees. RA_E_UNSUPPORTED with the reason where that cannot be.
int ra_source_refer(ra_source *source, ra_source **out, ra_err *err);
// The Zarr store that it is (zarr_tree.h); NULL: none.
typedef struct ra_zarr_tree ra_zarr_tree;
const ra_zarr_tree *ra_source_tree(const ra_source *source);
const char *ra_source_identity(const ra_source *source);  // of it: ra_zarr_tree_identity at opening
// How many threads a read may use; 1 until it is set.
void ra_source_set_threads(ra_source *source, unsigned threads);
// All cells of a small variable, read once and kept by the source (at most 64 MiB).
int ra_source_cells(ra_source *source, ra_source_var *var, const void **cells, ra_err *err);
// How many source chunks (chunks.h) have been decoded so far.
uint64_t ra_source_chunks_read(const ra_source *source);
// Appends "netCDF 4.9.0, HDF5 1.10.8".
void ra_source_versions(ra_str *out);
