// source_private.h - what the files of source/ share: the model's struct and the lock round netcdf-c and HDF5.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/arena.h"
#include "codec/codec.h"
#include "source/references.h"
#include "source/source.h"

// A variable of a classic file, in the order of its header.
typedef struct ra__plain {
  uint64_t offset, bytes;  // of the first record; of one record, or of all where there are none
  bool record;
} ra__plain;

// What reads cells of a source that is no NetCDF file. `read`: a box of a chunk, C order, native byte order; any thread.
typedef struct ra__backend {
  int (*read)(ra_source *source, const ra_source_var *var, const uint64_t *start,
              const uint64_t *count, void *dst, ra_err *err);
  void (*close)(ra_source *source);
} ra__backend;

struct ra_source {
  const ra__backend *backend;  // NULL: NetCDF
  void *backend_state;
  const char *identity;  // of a folder: what stands for its bytes, `identity_size` of it; else NULL
  size_t identity_size;
  bool servable;
  bool skewed;  // rows run along no axis of the CRS: `affine` counts, not the values of x and y
  double affine[6];
  const char *tagged;  // a TIFF's DateTime tag; NULL: none
  ra_arena arena;
  const char *path, *name, *format;
  const char *url;             // NULL: a file of this machine
  struct ra_fetched *fetched;  // what `path` is then; NULL: nothing was
  int fd;                      // -1: not open
  uint64_t bytes;
  struct timespec modified;
  bool hdf5;
  int ncid;  // -1: not open
  unsigned dim_count, var_count;
  ra_source_dim *dims;
  int *dim_ids;  // netcdf-c's id of each dim
  ra_source_var **vars;
  size_t attr_count;
  const ra_source_attr *attrs;
  size_t plain_count;  // classic files
  ra__plain *plain;
  uint64_t record_stride;
  int64_t h5;                               // an hid_t, at first use; -1: not open
  _Atomic(struct ra__storage *) *storages;  // of each variable, at first use
  struct ra__filter *filters;               // what the HDF5 scan found that cannot be decoded
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

// Opens the file. What its first bytes say: sets fd, format, hdf5, bytes; refuses anything but NetCDF and HDF5, naming what it is.
int ra__source_magic(ra_source *source, ra_err *err);
// Walks an HDF5 file: refuses what leads out of it, notes filters without a decoder. Lock held.
int ra__source_scan(ra_source *source, ra_err *err);
// Refuses a classic file that ends before its data do; notes where they lie.
int ra__source_classic(ra_source *source, ra_err *err);
// NUG: signed cells that an attribute declares to be unsigned.
void ra__source_apply_unsigned(ra_source_var *var);
// The models of what is no NetCDF file.
int ra__source_open_zarr(ra_source *source, ra_references *references, ra_err *err);
// A source in the place of `origin`, of references, which it takes.
int ra__source_open_references(const ra_source *origin, ra_references *references, ra_source **out,
                               ra_err *err);
int ra__source_zarr_unchanged(ra_source *source, ra_err *err);
int ra__source_open_tiff(ra_source *source, ra_err *err);
// Building blocks of a model. Names are copied. A dimension of group and name is made once; NULL: out of memory, or
// *another* size under the same name.
const ra_source_dim *ra__model_dim(ra_source *source, const char *group, const char *name,
                                   uint64_t size, unsigned *index);
ra_source_var *ra__model_var(ra_source *source, const char *group, const char *name);
bool ra__model_text(ra_source *source, ra_source_var *var, const char *name, const char *text);
bool ra__model_number(ra_source *source, ra_source_var *var, const char *name, ra_dtype dtype,
                      double number, int64_t integer);
bool ra__model_attr(ra_source *source, const ra_source_attr **attrs, size_t *count,
                    const ra_source_attr *attr);
// Fills the model from an open ncid. Lock held.
int ra__source_inquire(ra_source *source, ra_err *err);
// Chooses var->block from the shape and the chunk.
void ra__source_block(ra_source_var *var);
// The codec that undoes the i-th filter of a dataset's properties (an hid_t), as ra_codec_of_hdf5. Lock held.
int ra__filter_codec(int64_t properties, unsigned i, ra_codec *codec);
void ra__source_close_hdf5(ra_source *source);  // lock held
// Attributes of a variable (NC_GLOBAL: of the group). Lock held.
int ra__source_attrs(ra_source *source, int ncid, int varid, const ra_source_attr **attrs,
                     size_t *count, ra_err *err);
// An enumeration's type of numbers; other types as they are (nc_type). Lock held.
int ra__source_plain_type(int ncid, int type);
// flag_values and flag_meanings of a variable of an enumerated type, where it has none. Lock held.
int ra__source_enum_flags(ra_source *source, ra_source_var *var, int type, ra_err *err);
// RA_E_CORRUPT, RA_E_IO or RA_E_UNSUPPORTED with netcdf-c's own words.
int ra__source_fail(const ra_source *source, int status, const char *what, ra_err *err);
