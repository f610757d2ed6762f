// layout.c - what HDF5 says of a dataset's storage: number type, extent, filters, fill value, where its bytes lie. What
// our decoder cannot do (other number types, szip, compact layout, unfiltered edges) stays netcdf-c's.
#include <hdf5.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/storage.h"

enum { LIST_MOST = 4096 };  // chunks that HDF5 lists; it takes quadratic time

typedef struct dataset {
  ra_source *source;
  const ra_source_var *var;
  ra__storage *storage;
  char path[NC_MAX_NAME * 2 + 32];
  hid_t id, type, properties;
  ra_err *err;
} dataset;

// ---- opening

// netcdf-c has the file open; a close degree other than its own is refused, and which one it sets depends on how it was
// built.
static hid_t open_file(ra_source *source) {
  static const H5F_close_degree_t DEGREES[] = {H5F_CLOSE_DEFAULT, H5F_CLOSE_SEMI, H5F_CLOSE_WEAK};
  for (size_t i = 0; source->h5 < 0 && i < sizeof DEGREES / sizeof *DEGREES; i++) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return -1;
    H5Pset_fclose_degree(access, DEGREES[i]);
    source->h5 = H5Fopen(source->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
  }
  return source->h5;
}

// netcdf-c puts a prefix before a variable that is named like a dimension without being its coordinate.
static bool open_dataset(dataset *d) {
  hid_t file = open_file(d->source);
  if (file < 0) return false;
  const ra_source_var *var = d->var;
  snprintf(d->path, sizeof d->path, "/%s%s_nc4_non_coord_%s", var->group, *var->group ? "/" : "",
           var->base);
  if (H5Lexists(file, d->path, H5P_DEFAULT) <= 0)
    snprintf(d->path, sizeof d->path, "/%s", var->name);
  d->id = H5Dopen2(file, d->path, H5P_DEFAULT);
  if (d->id < 0) return false;
  d->type = H5Dget_type(d->id);
  d->properties = H5Dget_create_plist(d->id);
  return d->type >= 0 && d->properties >= 0;
}

static void close_dataset(dataset *d) {
  if (d->type >= 0) H5Tclose(d->type);
  if (d->properties >= 0) H5Pclose(d->properties);
  if (d->id >= 0 && d->storage->dataset != d->id) H5Dclose(d->id);
}

// ---- cells

static bool is_type(hid_t type, hid_t one, hid_t other) {
  return H5Tequal(type, one) > 0 || H5Tequal(type, other) > 0;
}

// Only cells as they lie in memory, in one of the two byte orders.
static bool read_type(dataset *d) {
  hid_t type = d->type;
  bool is_float = ra_dtype_is_float(d->var->dtype), little = false, big = false;
  switch (ra_dtype_size(d->var->dtype)) {
    case 1:
      little = is_type(type, H5T_STD_I8LE, H5T_STD_U8LE) || is_type(type, H5T_STD_I8BE, H5T_STD_U8BE);
      break;
    case 2:
      little = is_type(type, H5T_STD_I16LE, H5T_STD_U16LE);
      big = is_type(type, H5T_STD_I16BE, H5T_STD_U16BE);
      break;
    case 4:
      little = is_float ? is_type(type, H5T_IEEE_F32LE, H5T_IEEE_F32LE)
                        : is_type(type, H5T_STD_I32LE, H5T_STD_U32LE);
      big = is_float ? is_type(type, H5T_IEEE_F32BE, H5T_IEEE_F32BE)
                     : is_type(type, H5T_STD_I32BE, H5T_STD_U32BE);
      break;
    default:
      little = is_float ? is_type(type, H5T_IEEE_F64LE, H5T_IEEE_F64LE)
                        : is_type(type, H5T_STD_I64LE, H5T_STD_U64LE);
      big = is_float ? is_type(type, H5T_IEEE_F64BE, H5T_IEEE_F64BE)
                     : is_type(type, H5T_STD_I64BE, H5T_STD_U64BE);
      break;
  }
  d->storage->format.swapped = big;
  return little || big;
}

// An unlimited dimension may have grown through another variable; the rest is fill values.
static bool read_extent(dataset *d) {
  hsize_t size[H5S_MAX_RANK];
  hid_t space = H5Dget_space(d->id);
  if (space < 0) return false;
  int rank = H5Sget_simple_extent_ndims(space);
  bool good = rank == (int)d->var->ndim && H5Sget_simple_extent_dims(space, size, NULL) >= 0;
  H5Sclose(space);
  for (unsigned i = 0; good && i < d->var->ndim; i++) {
    good = size[i] <= d->var->shape[i];
    d->storage->extent[i] = size[i];
    d->storage->grown = d->storage->grown || size[i] < d->var->shape[i];
  }
  return good;
}

// What netcdf-c gives past a dataset's extent: the variable's fill value, else that of its type.
static bool read_beyond(const ra_source_var *var, uint8_t *cell) {
  static const struct {
    nc_type type;
    ra_dtype dtype;
    double fill;
  } DEFAULTS[] = {
      {NC_BYTE, RA_DTYPE_I8, NC_FILL_BYTE},
      {NC_UBYTE, RA_DTYPE_U8, NC_FILL_UBYTE},
      {NC_SHORT, RA_DTYPE_I16, NC_FILL_SHORT},
      {NC_USHORT, RA_DTYPE_U16, NC_FILL_USHORT},
      {NC_INT, RA_DTYPE_I32, NC_FILL_INT},
      {NC_UINT, RA_DTYPE_U32, NC_FILL_UINT},
      {NC_INT64, RA_DTYPE_I64, 0},
      {NC_UINT64, RA_DTYPE_U64, 0},
      {NC_FLOAT, RA_DTYPE_F32, NC_FILL_FLOAT},
      {NC_DOUBLE, RA_DTYPE_F64, NC_FILL_DOUBLE},
  };
  static const long long fill_int64 = NC_FILL_INT64;
  static const unsigned long long fill_uint64 = NC_FILL_UINT64;
  int unfilled = 0;
  nc_type type;
  if (nc_inq_var_fill(var->ncid, var->varid, &unfilled, cell) != NC_NOERR) return false;
  if (!unfilled) return true;
  if (nc_inq_vartype(var->ncid, var->varid, &type) != NC_NOERR) return false;
  for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++) {
    if (DEFAULTS[i].type == type) ra_dtype_store(DEFAULTS[i].dtype, cell, 0, DEFAULTS[i].fill);
  }
  if (type == NC_INT64) memcpy(cell, &fill_int64, sizeof fill_int64);
  if (type == NC_UINT64) memcpy(cell, &fill_uint64, sizeof fill_uint64);
  return true;
}

static bool read_fill(dataset *d) {
  ra__storage *s = d->storage;
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  hid_t native = H5Tget_native_type(d->type, H5T_DIR_DEFAULT);
  bool good = native >= 0 && H5Tget_size(native) == s->format.cell &&
              H5Pfill_value_defined(d->properties, &defined) >= 0;
  if (good && defined != H5D_FILL_VALUE_UNDEFINED)
    good = H5Pget_fill_value(d->properties, native, s->fill) >= 0;
  if (native >= 0) H5Tclose(native);
  return good && (!s->grown || read_beyond(d->var, s->beyond));
}

static bool read_filters(dataset *d) {
  ra_chunk_format *format = &d->storage->format;
  int count = H5Pget_nfilters(d->properties);
  if (count < 0 || count > RA_CHUNK_FILTERS) return false;
  for (int i = 0; i < count; i++) {
    ra_codec *codec = &format->chain[format->filters];
    int known = ra__filter_codec(d->properties, (unsigned)i, codec);
    if (known < 0) return false;
    if (known) format->bit[format->filters++] = (uint8_t)i;
  }
  return true;
}

int ra__filter_codec(int64_t properties, unsigned i, ra_codec *codec) {
  unsigned flags, config, values[32];
  size_t count = sizeof values / sizeof *values;
  H5Z_filter_t id = H5Pget_filter2(properties, i, &flags, &count, values, 0, NULL, &config);
  if (id < 0) return -1;
  if (count > sizeof values / sizeof *values) count = sizeof values / sizeof *values;
  return ra_codec_of_hdf5((unsigned)id, values, count, codec);
}

// ---- places

static uint64_t base_address(const ra_source *source) {
  hsize_t block = 0;
  hid_t created = H5Fget_create_plist(source->h5);
  if (created >= 0) {
    H5Pget_userblock(created, &block);
    H5Pclose(created);
  }
  return block;
}

static bool wide_addresses(const dataset *d) {
  size_t address = 0, length = 0;
  hid_t created = H5Fget_create_plist(d->source->h5);
  if (created < 0) return false;
  herr_t got = H5Pget_sizes(created, &address, &length);
  H5Pclose(created);
  return got >= 0 && address == 8 && length == 8;
}

static bool contiguous(dataset *d) {
  ra__storage *s = d->storage;
  size_t bytes = ra_source_var_bytes(d->var);
  haddr_t offset = H5Dget_offset(d->id);
  s->offset = offset == HADDR_UNDEF ? UINT64_MAX : offset;
  s->record_bytes = s->record_stride = bytes;
  return !s->grown && !s->format.filters &&
         (s->offset == UINT64_MAX ||
          (offset <= d->source->bytes && bytes <= d->source->bytes - offset));
}

static bool same_chunks(const dataset *d) {
  hsize_t chunk[H5S_MAX_RANK];
  unsigned options = 0;
  if (H5Pget_chunk(d->properties, H5S_MAX_RANK, chunk) != (int)d->var->ndim) return false;
  for (unsigned i = 0; i < d->var->ndim; i++) {
    if (chunk[i] != d->var->block[i]) return false;
  }
  return H5Pget_chunk_opts(d->properties, &options) >= 0 && options == 0;
}

// The list that we read ourselves has to add up to what HDF5 says; else it is read another way.
static int own_list(dataset *d) {
  H5G_stat_t stat;
  ra__storage *s = d->storage;
  if (!wide_addresses(d) || H5Gget_objinfo(d->source->h5, d->path, 1, &stat) < 0)
    return RA_E_UNSUPPORTED;
  ra_err err = {0};
  int rc = ra__btree_slots(d->source, d->var, base_address(d->source), stat.objno[0], &s->slots,
                           &s->slot_count, &err);
  uint64_t sum = 0;
  for (size_t i = 0; rc >= 0 && i < s->slot_count; i++) sum += s->slots[i].size;
  if (rc >= 0 && sum != H5Dget_storage_size(d->id)) {
    free(s->slots);
    s->slots = NULL;
    s->slot_count = 0;
    return RA_E_UNSUPPORTED;
  }
  if (rc < 0 && rc != RA_E_UNSUPPORTED && d->err) *d->err = err;
  return rc;
}

// A chunk that is there becomes *slot.
static int list_one(const dataset *d, hid_t space, hsize_t i, ra__slot *slot) {
  hsize_t first[H5S_MAX_RANK], size;
  haddr_t address;
  if (H5Dget_chunk_info(d->id, space, i, first, &slot->mask, &address, &size) < 0 ||
      size > UINT32_MAX) {
    return ra_fail(d->err, RA_E_CORRUPT, d->source->name,
                   "the chunk index of variable '%s' cannot be read", d->var->name);
  }
  slot->chunk = 0;
  for (unsigned k = 0; k < d->var->ndim; k++) {
    if (first[k] >= d->var->shape[k]) return RA_OK;
    slot->chunk = slot->chunk * ra__grid_side(d->var, k) + first[k] / d->var->block[k];
  }
  slot->size = (uint32_t)size;
  if (address == HADDR_UNDEF || size == 0) return RA_OK;
  if (__builtin_add_overflow(address, base_address(d->source), &slot->offset))
    slot->offset = UINT64_MAX;
  d->storage->slot_count++;
  return RA_OK;
}

static int list_all(dataset *d, hid_t space) {
  hsize_t count = 0;
  if (H5Dget_num_chunks(d->id, space, &count) < 0 || count > LIST_MOST) return RA_E_UNSUPPORTED;
  if (count == 0) return RA_OK;
  ra__slot *slots = calloc(count, sizeof *slots);
  if (!slots) return ra_fail(d->err, RA_E_NOMEM, d->source->name, "out of memory");
  d->storage->slots = slots;
  int rc = RA_OK;
  for (hsize_t i = 0; i < count && rc >= 0; i++)
    rc = list_one(d, space, i, &slots[d->storage->slot_count]);
  return rc;
}

static int listed_by_hdf5(dataset *d) {
  hid_t space = H5Dget_space(d->id);
  int rc = space >= 0 ? list_all(d, space) : RA_E_UNSUPPORTED;
  if (space >= 0) H5Sclose(space);
  return rc;
}

static int chunked(dataset *d) {
  ra__storage *s = d->storage;
  int rc = own_list(d);
  if (rc == RA_E_UNSUPPORTED) rc = listed_by_hdf5(d);
  if (rc == RA_E_UNSUPPORTED) {
    s->way = RA__WAY_HDF5;
    s->dataset = d->id;
    return RA_OK;
  }
  s->way = RA__WAY_CHUNKS;
  return rc < 0 ? rc : ra__slots_check(d->source, d->var, s, d->err);
}

int ra__storage_hdf5(ra_source *source, const ra_source_var *var, ra__storage *storage, ra_err *err) {
  dataset d = {.source = source, .var = var, .storage = storage, .err = err};
  d.id = d.type = d.properties = -1;
  int rc = RA_OK;
  if (open_dataset(&d) && read_type(&d) && read_extent(&d) && read_fill(&d) && read_filters(&d)) {
    H5D_layout_t layout = H5Pget_layout(d.properties);
    if (layout == H5D_CONTIGUOUS && contiguous(&d)) storage->way = RA__WAY_PLAIN;
    if (layout == H5D_CHUNKED && var->chunked && same_chunks(&d)) rc = chunked(&d);
  }
  close_dataset(&d);
  return rc;
}

int ra__storage_fetch(ra_source *source, const ra_source_var *var, const ra__storage *storage,
                      const uint64_t *start, const uint8_t **data, size_t *size, uint32_t *mask,
                      ra_err *err) {
  hsize_t first[H5S_MAX_RANK], bytes = UINT64_MAX;
  for (unsigned i = 0; i < var->ndim; i++) first[i] = start[i];
  *data = NULL;
  // A chunk that is not stored has no bytes, and fails in some versions of HDF5.
  herr_t got = H5Dget_chunk_storage_size(storage->dataset, first, &bytes);
  if (bytes == 0) return RA_OK;
  bool good = got >= 0 && bytes <= source->bytes;
  uint8_t *packed = good ? ra_codec_packed(bytes) : NULL;
  if (good && !packed) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  if (!good || H5Dread_chunk(storage->dataset, H5P_DEFAULT, first, mask, packed) < 0) {
    return ra_fail(err, RA_E_CORRUPT, source->name, "a chunk of variable '%s' cannot be read",
                   var->name);
  }
  *data = packed;
  *size = bytes;
  return RA_OK;
}

int ra__storage_locate(const ra_source *source, const ra_source_var *var, const ra__storage *storage,
                       const uint64_t *start, ra__slot *slot, ra_err *err) {
  hsize_t first[H5S_MAX_RANK], bytes = 0;
  haddr_t address = HADDR_UNDEF;
  for (unsigned i = 0; i < var->ndim; i++) first[i] = start[i];
  if (H5Dget_chunk_info_by_coord(storage->dataset, first, &slot->mask, &address, &bytes) < 0 ||
      bytes > UINT32_MAX) {
    return ra_fail(err, RA_E_CORRUPT, source->name,
                   "the chunk index of variable '%s' cannot be read", var->name);
  }
  if (address == HADDR_UNDEF || bytes == 0) return 0;
  slot->size = (uint32_t)bytes;
  if (__builtin_add_overflow(address, base_address(source), &slot->offset))
    slot->offset = UINT64_MAX;
  return 1;
}

// The first filter that is none of ours; false: none.
static bool explain_filter(const dataset *d, char *out, size_t size) {
  int count = H5Pget_nfilters(d->properties);
  for (int i = 0; i < count; i++) {
    ra_codec codec;
    unsigned flags, config;
    size_t values = 0;
    if (ra__filter_codec(d->properties, (unsigned)i, &codec) >= 0) continue;
    H5Z_filter_t id =
        H5Pget_filter2(d->properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
    snprintf(out, size, "it is compressed with %s (HDF5 filter %d)",
             ra_codec_hdf5_name((unsigned)id), id);
    return true;
  }
  return false;
}

void ra__storage_explain(ra_source *source, const ra_source_var *var, char *out, size_t size) {
  ra__storage none = {.dataset = -1, .format.cell = ra_dtype_size(var->dtype)};
  dataset d = {
      .source = source, .var = var, .storage = &none, .id = -1, .type = -1, .properties = -1};
  snprintf(out, size, "its cells are in no byte ranges of the file");
  if (!source->hdf5) return;
  ra__source_lock();
  if (open_dataset(&d) && !explain_filter(&d, out, size) && !read_type(&d))
    snprintf(out, size, "its number type is none of Zarr's");
  close_dataset(&d);
  ra__source_unlock();
}

void ra__storage_close(ra__storage *storage) {
  if (storage->dataset >= 0) H5Dclose(storage->dataset);
}

void ra__source_close_hdf5(ra_source *source) {
  if (source->h5 >= 0) H5Fclose(source->h5);
}
