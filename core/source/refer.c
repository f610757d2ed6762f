// refer.c - see refer.h. A run of plain bytes is cut into chunks whose sides divide the shape, since Zarr's chunks are all
// of one size; what a dataset of HDF5 stores as chunks stays as it is.
#include <netcdf.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/size.h"
#include "source/refer_private.h"

enum {
  INLINE_MOST =
      64 << 10,  // bytes of a variable that may stand in the references: HDF5's limit of compact ones
  TEXTS_MOST = 1 << 20,   // … of texts, which no range gives
  PIECE = 4 << 20,        // of plain bytes: what is read at once
  SLOTS_MOST = 1 << 22,   // chunks
  TEXT_MOST = 256 << 20,  // of all references: what our reader takes
};

typedef struct maker {
  ra_source *source;
  ra_str *out, metadata;  // .zmetadata as it grows
  size_t count;
  ra_err *err;
} maker;

static int refuse(const maker *m, const ra_source_var *var, const char *why) {
  return ra_fail(
      m->err, RA_E_UNSUPPORTED, m->source->name,
      "variable '%s' cannot be read where it lies: %s; ingest the file without --virtual",
      var->name, why);
}

// ---- keys

static void open_key(maker *m, const char *path, const char *name) {
  ra_str key;
  ra_str_init(&key);
  ra_str_addf(&key, "%s%s%s", path, *path ? "/" : "", name);
  if (m->count++) ra_str_add_char(m->out, ',');
  ra_str_add_char(m->out, '\n');
  ra_str_add_json(m->out, key.ptr ? key.ptr : "");
  ra_str_add_char(m->out, ':');
  if (key.failed) m->out->failed = true;
  ra_str_deinit(&key);
}

// Metadata, also for .zmetadata.
static void add_metadata(maker *m, const char *path, const char *name, const ra_str *text) {
  open_key(m, path, name);
  ra_str_add_json(m->out, text->ptr ? text->ptr : "");
  ra_str key;
  ra_str_init(&key);
  ra_str_addf(&key, "%s%s%s", path, *path ? "/" : "", name);
  if (m->metadata.len) ra_str_add_char(&m->metadata, ',');
  ra_str_add_json(&m->metadata, key.ptr ? key.ptr : "");
  ra_str_add_char(&m->metadata, ':');
  ra_str_add(&m->metadata, text->ptr ? text->ptr : "");
  if (key.failed || text->failed) m->metadata.failed = true;
  ra_str_deinit(&key);
}

// "0.1.2" of a chunk of that grid; "0" of a scalar.
static void open_chunk(maker *m, const ra__referred *r, uint64_t chunk) {
  uint64_t place[RA_SOURCE_DIMS] = {0};
  ra_str name;
  ra_str_init(&name);
  for (unsigned d = r->var->ndim; d-- > 0;) {
    uint64_t side = (r->var->shape[d] + r->chunk[d] - 1) / r->chunk[d];
    place[d] = chunk % side;
    chunk /= side;
  }
  for (unsigned d = 0; d < r->var->ndim; d++)
    ra_str_addf(&name, "%s%llu", d ? "." : "", (unsigned long long)place[d]);
  if (r->var->ndim == 0) ra_str_add_char(&name, '0');
  open_key(m, r->var->name, name.ptr ? name.ptr : "");
  if (name.failed) m->out->failed = true;
  ra_str_deinit(&name);
}

static int add_range(maker *m, const ra__referred *r, uint64_t chunk, uint64_t offset, uint64_t size) {
  open_chunk(m, r, chunk);
  ra_str_addf(m->out, "[\"{{u}}\",%llu,%llu]", (unsigned long long)offset, (unsigned long long)size);
  if (m->out->failed) return ra_fail(m->err, RA_E_NOMEM, m->source->name, "out of memory");
  if (m->out->len <= TEXT_MOST) return RA_OK;
  return ra_fail(m->err, RA_E_TOOBIG, m->source->name,
                 "has more chunks than references are made for (256 MiB of them); ingest the file "
                 "without --virtual");
}

static void add_inline(maker *m, const ra__referred *r, const void *bytes, size_t size) {
  open_chunk(m, r, 0);
  ra_str_add(m->out, "\"base64:");
  ra_base64_add(m->out, bytes, size);
  ra_str_add_char(m->out, '"');
}

// ---- plain bytes

static uint64_t largest_divisor(uint64_t n, uint64_t most) {
  if (most >= n) return n;
  uint64_t best = 1;
  for (uint64_t d = 1; d <= most && d <= n / d; d++) {
    if (n % d) continue;
    if (n / d <= most) return n / d;
    best = d;
  }
  return best;
}

// A side whose divisors are all small is left whole where that is bearable.
static uint64_t cut_side(uint64_t side, uint64_t room) {
  uint64_t divisor = largest_divisor(side, room);
  return divisor < room / 64 && side <= 16 * room ? side : divisor;
}

// Whole rows up to PIECE bytes; of records never more than one.
static void cut_plain(ra__referred *r) {
  const ra_source_var *var = r->var;
  bool records = r->storage->record_bytes != ra_source_var_bytes(var);
  uint64_t room = PIECE / r->storage->format.cell;
  for (unsigned d = var->ndim; d-- > 0;) {
    uint64_t side = var->shape[d] ? var->shape[d] : 1;
    r->chunk[d] = room && !(records && d == 0) ? cut_side(side, room) : 1;
    room = r->chunk[d] == side ? room / side : 0;
  }
}

static int refer_plain(maker *m, const ra__referred *r) {
  const ra__storage *s = r->storage;
  uint64_t bytes = s->format.cell, all = ra_source_var_bytes(r->var);
  if (s->offset == UINT64_MAX) return RA_OK;
  for (unsigned d = 0; d < r->var->ndim; d++) bytes *= r->chunk[d];
  int rc = RA_OK;
  for (uint64_t at = 0; at < all && rc >= 0; at += bytes) {
    uint64_t record = at / s->record_bytes, inside = at % s->record_bytes;
    rc = add_range(m, r, at / bytes, s->offset + record * s->record_stride + inside, bytes);
  }
  return rc;
}

// ---- chunks of HDF5

// Chunks are of one kind in Zarr, so all have to have gone through the same filters.
static int same_filters(const maker *m, ra__referred *r, uint32_t mask, bool *first,
                        uint32_t *others) {
  uint32_t known = 0;
  for (size_t i = 0; i < r->storage->format.filters; i++)
    known |= (uint32_t)1 << r->storage->format.bit[i];
  mask &= known;
  if (!*first && mask != *others)
    return refuse(m, r->var, "a filter was left out of some of its chunks");
  *first = false;
  *others = mask;
  r->filters = ra_chunk_filters(&r->storage->format, mask, r->chain);
  return RA_OK;
}

static int check_slots(const maker *m, ra__referred *r) {
  bool first = true;
  uint32_t mask = 0;
  memcpy(r->chain, r->storage->format.chain, sizeof r->chain);
  r->filters = r->storage->format.filters;
  int rc = RA_OK;
  for (size_t i = 0; i < r->slot_count && rc >= 0; i++)
    rc = same_filters(m, r, r->slots[i].mask, &first, &mask);
  return rc;
}

// Of an index that HDF5 alone can read: chunk by chunk.
static int list_slots(const maker *m, ra__referred *r) {
  uint64_t chunks = ra_source_chunk_count(r->var);
  if (chunks > SLOTS_MOST) return refuse(m, r->var, "it has more than 4 million chunks");
  ra__storage listed = *r->storage;
  listed.slots = r->listed = calloc(chunks + 1, sizeof *r->listed);
  if (!r->listed) return ra_fail(m->err, RA_E_NOMEM, m->source->name, "out of memory");
  int rc = RA_OK;
  ra__source_lock();
  for (uint64_t chunk = 0; chunk < chunks && rc >= 0; chunk++) {
    uint64_t start[RA_SOURCE_DIMS], count[RA_SOURCE_DIMS];
    ra_source_chunk_box(r->var, chunk, start, count);
    rc = ra__storage_locate(m->source, r->var, r->storage, start, &listed.slots[listed.slot_count],
                            m->err);
    listed.slots[listed.slot_count].chunk = chunk;
    if (rc > 0) listed.slot_count++;
  }
  ra__source_unlock();
  r->slots = r->listed;
  r->slot_count = listed.slot_count;
  return rc < 0 ? rc : ra__slots_check(m->source, r->var, &listed, m->err);
}

static int refer_slots(maker *m, const ra__referred *r) {
  int rc = RA_OK;
  for (size_t i = 0; i < r->slot_count && rc >= 0; i++) {
    const ra__slot *slot = &r->slots[i];
    rc = add_range(m, r, slot->chunk, slot->offset, slot->size);
  }
  return rc;
}

// ---- what is not stored

static bool same_cell(const ra_source_var *var, const uint8_t *a, const uint8_t *b) {
  if (memcmp(a, b, ra_dtype_size(var->dtype)) == 0) return true;
  if (!ra_dtype_is_float(var->dtype)) return false;
  double x = ra_dtype_load(var->dtype, a, 0), y = ra_dtype_load(var->dtype, b, 0);
  return x != x && y != y;
}

// Whether a stored chunk reaches past the dataset's own end, where others have to see what was never written.
static bool reaches_past(const ra__referred *r) {
  for (unsigned d = 0; d < r->var->ndim; d++) {
    uint64_t extent = r->storage->extent[d];
    if (extent < r->var->shape[d] && extent % r->chunk[d]) return true;
  }
  return false;
}

static void whole_chunk(ra__referred *r) {
  for (unsigned d = 0; d < r->var->ndim; d++) r->chunk[d] = r->var->shape[d] ? r->var->shape[d] : 1;
}

static void become_inline(ra__referred *r) {
  whole_chunk(r);
  r->storage = NULL;
  r->filters = 0;
  r->big_endian = false;
}

// A reader takes fill_value for what has no chunk and, as xarray does, for what is missing: both have to be one.
static int choose_fill(const maker *m, ra__referred *r) {
  static const uint8_t zero[8] = {0};
  const ra__storage *s = r->storage;
  r->has_fill = ra__referred_fill(r->var, r->fill);
  uint64_t chunks = ra_source_chunk_count(r->var);
  bool absent = s->way == RA__WAY_PLAIN ? s->offset == UINT64_MAX : r->slot_count < chunks;
  if (s->grown && reaches_past(r))
    return refuse(m, r->var, "it ends inside a chunk, before its dimension does");
  if (!absent) return RA_OK;
  if (!r->has_fill && ra_source_var_bytes(r->var) <= INLINE_MOST) {
    become_inline(r);  // then nobody takes its cells for missing
    return RA_OK;
  }
  const uint8_t *cell = s->grown ? s->beyond : s->fill;
  bool one = !s->grown || r->slot_count == 0 || same_cell(r->var, s->fill, s->beyond);
  if (!one || (r->has_fill && !same_cell(r->var, cell, r->fill)))
    return refuse(m, r->var, "cells that were never written have another value than _FillValue");
  if (memcmp(cell, zero, sizeof zero) != 0) r->has_fill = true;  // without one they are zeros
  if (r->has_fill) memcpy(r->fill, cell, sizeof r->fill);
  return RA_OK;
}

// ---- cells that stand in the references

static int read_inline(const maker *m, const ra_source_var *var, void *cells) {
  static const uint64_t origin[RA_SOURCE_DIMS] = {0};
  return ra_source_read(m->source, var, origin, var->shape, cells, m->err);
}

static int read_chars(const maker *m, const ra_source_var *var, void *cells) {
  ra__source_lock();
  int status = nc_get_var_text(var->ncid, var->varid, cells);
  ra__source_unlock();
  return status ? ra__source_fail(m->source, status, var->name, m->err) : RA_OK;
}

static int inline_cells(maker *m, const ra__referred *r) {
  bool numbers = r->var->kind == RA_SOURCE_NUMBERS;
  size_t bytes = numbers ? ra_source_var_bytes(r->var) : (size_t)ra_source_var_cells(r->var);
  if (bytes == 0) return RA_OK;
  void *cells = malloc(bytes);
  if (!cells) return ra_fail(m->err, RA_E_NOMEM, m->source->name, "out of memory");
  int rc = numbers ? read_inline(m, r->var, cells) : read_chars(m, r->var, cells);
  if (rc >= 0) add_inline(m, r, cells, bytes);
  free(cells);
  return rc;
}

static void add_u32(ra_str *out, size_t value) {
  const uint8_t raw[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                          (uint8_t)(value >> 24)};
  ra_str_add_bytes(out, raw, sizeof raw);
}

// numcodecs' vlen-utf8: how many, then each behind its length.
static int inline_texts(maker *m, const ra__referred *r) {
  size_t count = (size_t)ra_source_var_cells(r->var);
  if (count == 0) return RA_OK;
  char **texts = calloc(count, sizeof *texts);
  if (!texts) return ra_fail(m->err, RA_E_NOMEM, m->source->name, "out of memory");
  ra__source_lock();
  int status = nc_get_var_string(r->var->ncid, r->var->varid, texts);
  ra_str bytes;
  ra_str_init(&bytes);
  add_u32(&bytes, count);
  for (size_t i = 0; i < count && !status; i++) {
    size_t length = texts[i] ? strlen(texts[i]) : 0;
    add_u32(&bytes, length);
    ra_str_add_bytes(&bytes, texts[i] ? texts[i] : "", length);
  }
  if (!status) nc_free_string(count, texts);
  ra__source_unlock();
  free((void *)texts);
  if (!status) add_inline(m, r, bytes.ptr, bytes.len);
  if (bytes.failed) m->out->failed = true;
  ra_str_deinit(&bytes);
  return status ? ra__source_fail(m->source, status, r->var->name, m->err) : RA_OK;
}

// ---- a variable

static int not_listed(const maker *m, const ra_source_var *var) {
  char why[200];
  ra__storage_explain(m->source, var, why, sizeof why);
  return refuse(m, var, why);
}

// How its numbers are referred to.
static int choose(maker *m, ra__referred *r) {
  const ra_source_var *var = r->var;
  const ra__storage *storage;
  int rc = ra__source_readable(m->source, var, m->err);
  if (rc >= 0) rc = ra__storage_get(m->source, var, &storage, m->err);
  if (rc < 0) return rc;
  bool ranges = storage->way != RA__WAY_CALL;
  if (!ranges && ra_source_var_bytes(var) > INLINE_MOST) return not_listed(m, var);
  whole_chunk(r);
  if (!ranges) {
    r->has_fill = ra__referred_fill(var, r->fill);
    return RA_OK;
  }
  r->storage = storage;
  r->big_endian = storage->format.swapped;
  if (storage->way == RA__WAY_PLAIN) {
    cut_plain(r);
  } else {
    memcpy(r->chunk, var->chunk, sizeof r->chunk);
    r->slots = storage->slots;
    r->slot_count = storage->slot_count;
    if (storage->way == RA__WAY_HDF5) rc = list_slots(m, r);
    if (rc >= 0) rc = check_slots(m, r);
  }
  return rc < 0 ? rc : choose_fill(m, r);
}

static int refer_cells(maker *m, const ra__referred *r) {
  if (r->var->kind == RA_SOURCE_STRINGS) return inline_texts(m, r);
  if (!r->storage) return inline_cells(m, r);
  return r->storage->way == RA__WAY_PLAIN ? refer_plain(m, r) : refer_slots(m, r);
}

// Structures, and texts of many cells, are in no layout: an ingest leaves them out as well.
static bool is_left_out(const ra_source_var *var) {
  if (var->kind == RA_SOURCE_NUMBERS) return false;
  return var->kind == RA_SOURCE_OTHER || ra_source_var_cells(var) > TEXTS_MOST;
}

static void refer_metadata(maker *m, const ra__referred *r) {
  ra_str text;
  ra_str_init(&text);
  ra__referred_array(r, &text);
  add_metadata(m, r->var->name, ".zarray", &text);
  text.len = 0;
  ra__referred_attributes(m->source, r, &text);
  add_metadata(m, r->var->name, ".zattrs", &text);
  ra_str_deinit(&text);
}

static int refer_variable(maker *m, const ra_source_var *var) {
  ra__referred r = {.var = var};
  if (is_left_out(var)) return RA_OK;
  int rc = RA_OK;
  if (var->kind == RA_SOURCE_NUMBERS) {
    rc = choose(m, &r);
  } else {
    whole_chunk(&r);
  }
  if (rc >= 0) {
    refer_metadata(m, &r);
    rc = refer_cells(m, &r);
  }
  free(r.listed);
  return rc;
}

// ---- the file

// A group is there once, before its variables, also one that holds groups only.
static void refer_groups(maker *m, const char *group, const char *before) {
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"zarr_format\":2}");
  for (size_t n = 1; n <= strlen(group); n++) {
    if (group[n] && group[n] != '/') continue;
    if (strncmp(group, before, n) == 0 && (before[n] == '/' || !before[n])) continue;
    char *part = strndup(group, n);
    add_metadata(m, part ? part : "", ".zgroup", &text);
    if (!part) m->out->failed = true;
    free(part);
  }
  ra_str_deinit(&text);
}

static void refer_root(maker *m) {
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"zarr_format\":2}");
  add_metadata(m, "", ".zgroup", &text);
  text.len = 0;
  ra__referred_globals(m->source, &text);
  add_metadata(m, "", ".zattrs", &text);
  ra_str_deinit(&text);
}

static void refer_consolidated(maker *m) {
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"zarr_consolidated_format\":1,\"metadata\":{");
  ra_str_add_bytes(&text, m->metadata.ptr ? m->metadata.ptr : "", m->metadata.len);
  ra_str_add(&text, "}}");
  open_key(m, "", ".zmetadata");
  ra_str_add_json(m->out, text.ptr ? text.ptr : "");
  if (text.failed || m->metadata.failed) m->out->failed = true;
  ra_str_deinit(&text);
}

static int refer_all(maker *m) {
  const char *group = "";
  int rc = RA_OK;
  refer_root(m);
  for (size_t i = 0; i < m->source->var_count && rc >= 0; i++) {
    const ra_source_var *var = m->source->vars[i];
    refer_groups(m, var->group, group);
    group = var->group;
    rc = refer_variable(m, var);
  }
  return rc;
}

int ra_refer(ra_source *source, const char *target, ra_str *out, ra_err *err) {
  maker m = {.source = source, .out = out, .err = err};
  if (source->backend)
    return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                   "is no NetCDF file: references are made to those");
  ra_str_init(&m.metadata);
  ra_str_add(out, "{\"version\":1,\"templates\":{\"u\":");
  ra_str_add_json(out, target);
  ra_str_add(out, "},\"refs\":{");
  int rc = refer_all(&m);
  if (rc >= 0) refer_consolidated(&m);
  ra_str_add(out, "\n}}\n");
  ra_str_deinit(&m.metadata);
  if (rc >= 0) rc = ra_source_check(source, err);
  return rc >= 0 && out->failed ? ra_fail(err, RA_E_NOMEM, source->name, "out of memory") : rc;
}
