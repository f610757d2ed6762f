// storage.c - how a variable's cells lie in the file: its table of chunks, checked before it is believed; see storage.h
#include "source/storage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool ra__source_pread(const ra_source *source, void *dst, size_t size, uint64_t offset) {
  errno = 0;
  for (size_t done = 0; done < size;) {
    if (offset + done > INT64_MAX) return false;
    ssize_t n = pread(source->fd, (char *)dst + done, size - done, (off_t)(offset + done));
    if (n == 0 || (n < 0 && errno != EINTR)) return false;
    if (n > 0) done += (size_t)n;
  }
  return true;
}

int ra__source_unchanged(const ra_source *source, ra_err *err) {
  struct stat now;
  if (source->identity || source->fetched) return RA_OK;  // no one time of change; or our own
  if (fstat(source->fd, &now) < 0)
    return ra_fail_errno(err, errno, source->name, "cannot be examined");
  if ((uint64_t)now.st_size == source->bytes && now.st_mtim.tv_sec == source->modified.tv_sec &&
      now.st_mtim.tv_nsec == source->modified.tv_nsec) {
    return RA_OK;
  }
  return ra_fail(err, RA_E_CONFLICT, source->name,
                 "was changed while it was being read: %llu bytes when it was opened, %lld now; "
                 "ingest it again when it is complete",
                 (unsigned long long)source->bytes, (long long)now.st_size);
}

int ra_source_raw(const ra_source *source, uint64_t offset, void *dst, size_t size, size_t *got,
                  ra_err *err) {
  if (source->identity) {
    size_t rest = offset < source->identity_size ? source->identity_size - (size_t)offset : 0;
    *got = rest < size ? rest : size;
    memcpy(dst, source->identity + source->identity_size - rest, *got);
    return RA_OK;
  }
  uint64_t left = offset < source->bytes ? source->bytes - offset : 0;
  *got = left < size ? left : size;
  bool whole = ra__source_pread(source, dst, *got, offset);
  if (!whole && errno) return ra_fail_errno(err, errno, source->name, "cannot be read");
  int rc = ra__source_unchanged(source, err);
  if (rc < 0 || whole) return rc;
  return ra_fail(err, RA_E_CORRUPT, source->name, "ends before its size");
}

// ---- chunks

static int by_chunk(const void *a, const void *b) {
  uint64_t x = ((const ra__slot *)a)->chunk, y = ((const ra__slot *)b)->chunk;
  return x < y ? -1 : x > y;
}

static int by_offset(const void *a, const void *b) {
  uint64_t x = ((const ra__slot *)a)->offset, y = ((const ra__slot *)b)->offset;
  return x < y ? -1 : x > y;
}

static int bad_chunk(const ra_source *source, const ra_source_var *var, const ra__slot *slot,
                     const char *what, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, source->name,
                 "chunk %llu of variable '%s' (%u bytes at %llu) %s", (unsigned long long)slot->chunk,
                 var->name, slot->size, (unsigned long long)slot->offset, what);
}

static bool sorted(const ra__slot *slots, size_t count, int (*order)(const void *, const void *)) {
  for (size_t i = 1; i < count; i++) {
    if (order(&slots[i - 1], &slots[i]) > 0) return false;
  }
  return true;
}

static int check_overlaps(const ra_source *source, const ra_source_var *var, const ra__slot *slots,
                          size_t count, ra_err *err) {
  for (size_t i = 1; i < count; i++) {
    if (slots[i].offset - slots[i - 1].offset < slots[i - 1].size)
      return bad_chunk(source, var, &slots[i], "lies over another", err);
  }
  return RA_OK;
}

static int check_places(const ra_source *source, const ra_source_var *var,
                        const ra__storage *storage, ra_err *err) {
  if (storage->slot_count < 2) return RA_OK;
  if (sorted(storage->slots, storage->slot_count, by_offset))
    return check_overlaps(source, var, storage->slots, storage->slot_count, err);
  ra__slot *copy = calloc(storage->slot_count, sizeof *copy);
  if (!copy) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  memcpy(copy, storage->slots, storage->slot_count * sizeof *copy);
  qsort(copy, storage->slot_count, sizeof *copy, by_offset);
  int rc = check_overlaps(source, var, copy, storage->slot_count, err);
  free(copy);
  return rc;
}

int ra__slots_check(const ra_source *source, const ra_source_var *var, const ra__storage *storage,
                    ra_err *err) {
  ra__slot *slots = storage->slots;
  size_t most =
      2 * ra_codec_bound(storage->format.chain, storage->format.filters, storage->format.bytes) +
      65536;
  if (!sorted(slots, storage->slot_count, by_chunk))
    qsort(slots, storage->slot_count, sizeof *slots, by_chunk);
  for (size_t i = 0; i < storage->slot_count; i++) {
    if (i && slots[i].chunk == slots[i - 1].chunk)
      return bad_chunk(source, var, &slots[i], "is there twice", err);
    if (slots[i].offset > source->bytes || slots[i].size > source->bytes - slots[i].offset)
      return bad_chunk(source, var, &slots[i], "lies outside the file", err);
    if (slots[i].size > most)
      return bad_chunk(source, var, &slots[i], "is larger than its cells can make it", err);
  }
  return check_places(source, var, storage, err);
}

const ra__slot *ra__storage_slot(const ra__storage *storage, uint64_t chunk) {
  const ra__slot key = {.chunk = chunk};
  return storage->slot_count
             ? bsearch(&key, storage->slots, storage->slot_count, sizeof *storage->slots, by_chunk)
             : NULL;
}

// ---- classic

static void storage_classic(const ra_source *source, const ra_source_var *var, ra__storage *storage) {
  if ((size_t)var->varid >= source->plain_count) return;
  const ra__plain *plain = &source->plain[var->varid];
  uint64_t records = plain->record && var->ndim ? var->shape[0] : 1, cells = 1, last, end;
  for (unsigned d = plain->record ? 1 : 0; d < var->ndim; d++) {
    if (__builtin_mul_overflow(cells, var->shape[d], &cells)) return;
  }
  uint64_t stride = plain->record ? source->record_stride : plain->bytes;
  bool fits = cells == plain->bytes / storage->format.cell && records > 0 &&
              !__builtin_mul_overflow(stride, records - 1, &last) &&
              !__builtin_add_overflow(last, plain->offset, &end) &&
              !__builtin_add_overflow(end, plain->bytes, &end) && end <= source->bytes;
  if (!fits) return;
  storage->way = RA__WAY_PLAIN;
  storage->offset = plain->offset;
  storage->record_bytes = plain->bytes;
  storage->record_stride = stride;
  storage->format.swapped = true;
}

// ---- first use

void ra__storage_free(ra__storage *storage) {
  if (!storage) return;
  ra__storage_close(storage);
  free(storage->slots);
  free(storage);
}

static int find(ra_source *source, const ra_source_var *var, ra__storage **out, ra_err *err) {
  ra__storage *storage = calloc(1, sizeof *storage);
  if (!storage) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  storage->dataset = -1;
  storage->format.cell = ra_dtype_size(var->dtype);
  storage->format.bytes = ra_source_chunk_bytes(var);
  memcpy(storage->extent, var->shape, sizeof storage->extent);
  int rc = RA_OK;
  if (source->hdf5) {
    rc = ra__storage_hdf5(source, var, storage, err);
  } else {
    storage_classic(source, var, storage);
  }
  if (rc < 0) {
    ra__storage_free(storage);
    return rc;
  }
  *out = storage;
  return RA_OK;
}

int ra__storage_get(ra_source *source, const ra_source_var *var, const ra__storage **out,
                    ra_err *err) {
  static const ra__storage backend = {.way = RA__WAY_CALL, .dataset = -1};
  *out = source->backend ? &backend : atomic_load(&source->storages[var->index]);
  if (*out) return RA_OK;
  int rc = RA_OK;
  ra__source_lock();
  ra__storage *storage = atomic_load(&source->storages[var->index]);
  if (!storage) rc = find(source, var, &storage, err);
  if (rc >= 0) atomic_store(&source->storages[var->index], storage);
  ra__source_unlock();
  *out = storage;
  return rc;
}
