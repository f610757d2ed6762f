// zip.c - see zip.h
#include "format/zip.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "codec/codec.h"

enum {
  END_SIZE = 22,
  END64_SIZE = 56,
  LOCATOR_SIZE = 20,
  ENTRY_SIZE = 46,
  LOCAL_SIZE = 30,
  COMMENT_MOST = 65535,
  STORED = 0,
  DEFLATED = 8,
};
#define DIRECTORY_MOST ((uint64_t)256 << 20)
#define INFLATED_MOST ((uint64_t)1 << 30)

typedef struct entry {
  const char *name;
  uint64_t header, packed, size;  // where its local header stands; bytes stored and decoded
  size_t place;                   // in the directory
  uint32_t crc;
  uint16_t method;
} entry;

struct ra_zip {
  ra_arena arena;
  ra_reader file;
  const char *key;
  uint64_t bytes;  // of the archive
  size_t count;
  entry *entries;  // by name
};

static uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t u32(const uint8_t *p) { return (uint32_t)u16(p) | (uint32_t)u16(p + 2) << 16; }
static uint64_t u64(const uint8_t *p) { return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32; }

static int corrupt(const ra_zip *zip, const char *what, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, zip->key, "a damaged zip archive: %s", what);
}

static int read_at(const ra_zip *zip, uint64_t offset, size_t size, uint8_t *dst, ra_err *err) {
  if (offset > zip->bytes || size > zip->bytes - offset)
    return corrupt(zip, "it ends before what its directory names", err);
  return zip->file.read(zip->file.ctx, zip->key, offset, size, dst, err);
}

typedef struct directory {
  uint64_t offset, size, count;
} directory;

// The zip64 record, where the locator in front of the end (at `end`) names one.
static int read_end64(const ra_zip *zip, uint64_t end, directory *d, ra_err *err) {
  uint8_t locator[LOCATOR_SIZE] = {0}, record[END64_SIZE] = {0};
  if (end < LOCATOR_SIZE) return corrupt(zip, "its zip64 record is missing", err);
  int rc = read_at(zip, end - LOCATOR_SIZE, sizeof locator, locator, err);
  if (rc < 0) return rc;
  if (u32(locator) != 0x07064b50) return corrupt(zip, "its zip64 record is missing", err);
  rc = read_at(zip, u64(locator + 8), sizeof record, record, err);
  if (rc < 0) return rc;
  if (u32(record) != 0x06064b50) return corrupt(zip, "its zip64 record is missing", err);
  *d = (directory){u64(record + 48), u64(record + 40), u64(record + 32)};
  return RA_OK;
}

// The end record stands last, in front of a comment.
static int find_directory(const ra_zip *zip, directory *d, ra_err *err) {
  size_t size = zip->bytes < END_SIZE + COMMENT_MOST ? (size_t)zip->bytes : END_SIZE + COMMENT_MOST;
  uint8_t *tail = size >= END_SIZE ? calloc(1, size) : NULL;
  if (!tail) return corrupt(zip, "it is too short", err);
  uint64_t begin = zip->bytes - size;
  int rc = read_at(zip, begin, size, tail, err);
  size_t at = size - END_SIZE + 1;
  bool found = false;
  while (rc == RA_OK && !found && at-- > 0) {
    found = u32(tail + at) == 0x06054b50 && at + END_SIZE + u16(tail + at + 20) == size;
  }
  if (rc == RA_OK && !found) rc = corrupt(zip, "its directory is missing", err);
  if (rc == RA_OK) {
    const uint8_t *p = tail + at;
    *d = (directory){u32(p + 16), u32(p + 12), u16(p + 10)};
    if (d->offset == UINT32_MAX || d->size == UINT32_MAX || d->count == UINT16_MAX)
      rc = read_end64(zip, begin + at, d, err);
  }
  free(tail);
  return rc;
}

// Members of 32 bits that are all ones stand in the extra field of zip64, in this order.
static bool widen(entry *e, const uint8_t *extra, size_t size) {
  bool need = e->size == UINT32_MAX || e->packed == UINT32_MAX || e->header == UINT32_MAX;
  while (need && size >= 4) {
    size_t length = u16(extra + 2);
    if (length > size - 4) return false;
    if (u16(extra) == 1) {
      const uint8_t *p = extra + 4, *end = p + length;
      uint64_t *members[] = {&e->size, &e->packed, &e->header};
      for (int i = 0; i < 3; i++) {
        if (*members[i] != UINT32_MAX) continue;
        if (end - p < 8) return false;
        *members[i] = u64(p);
        p += 8;
      }
      return true;
    }
    extra += 4 + length;
    size -= 4 + length;
  }
  return !need;
}

// Relative, and no part of it leads up.
static bool climbs(const char *name) {
  if (*name == '/' || strchr(name, '\\')) return true;
  for (const char *part = name; part; part = strchr(part, '/')) {
    if (*part == '/') part++;
    size_t n = strcspn(part, "/");
    if ((n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.')) return true;
  }
  return false;
}

static int add_entry(ra_zip *zip, const uint8_t *p, size_t left, size_t *used, ra_err *err) {
  if (left < ENTRY_SIZE || u32(p) != 0x02014b50) return corrupt(zip, "its directory", err);
  size_t name = u16(p + 28), extra = u16(p + 30);
  *used = ENTRY_SIZE + name + extra + u16(p + 32);
  if (*used > left) return corrupt(zip, "its directory", err);
  entry e = {.header = u32(p + 42),
             .packed = u32(p + 20),
             .size = u32(p + 24),
             .crc = u32(p + 16),
             .method = u16(p + 10)};
  e.name = ra_arena_strndup(&zip->arena, (const char *)p + ENTRY_SIZE, name);
  if (!e.name) return ra_fail(err, RA_E_NOMEM, zip->key, "no memory for a zip directory");
  if (!widen(&e, p + ENTRY_SIZE + name, extra)) return corrupt(zip, "a size is missing", err);
  if (strlen(e.name) != name || climbs(e.name))
    return ra_fail(err, RA_E_UNSUPPORTED, zip->key, "its entry '%.80s' leads out of it", e.name);
  if (name == 0 || e.name[name - 1] == '/') return RA_OK;  // a folder
  if (u16(p + 8) & 1)
    return ra_fail(err, RA_E_UNSUPPORTED, zip->key, "its entry '%.80s' is encrypted", e.name);
  if (e.method != STORED && e.method != DEFLATED)
    return ra_fail(err, RA_E_UNSUPPORTED, zip->key,
                   "its entry '%.80s' is compressed by method %u; store it, or deflate it", e.name,
                   (unsigned)e.method);
  if (e.method == STORED && e.packed != e.size) return corrupt(zip, "the size of an entry", err);
  e.place = zip->count;
  zip->entries[zip->count++] = e;
  return RA_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static int by_name_and_place(const void *a, const void *b) {
  size_t x = ((const entry *)a)->place, y = ((const entry *)b)->place;
  int order = by_name(a, b);
  return order ? order : (x > y) - (x < y);
}

// Of entries of one name the last counts, as for every unzip: zarr-python adds a text again where it has changed.
static void sort_entries(ra_zip *zip) {
  size_t kept = 0;
  if (zip->count) qsort(zip->entries, zip->count, sizeof *zip->entries, by_name_and_place);
  for (size_t i = 0; i < zip->count; i++) {
    bool again = kept && strcmp(zip->entries[kept - 1].name, zip->entries[i].name) == 0;
    zip->entries[again ? kept - 1 : kept++] = zip->entries[i];
  }
  zip->count = kept;
}

static int read_directory(ra_zip *zip, ra_err *err) {
  directory d = {0};
  int rc = find_directory(zip, &d, err);
  if (rc < 0) return rc;
  if (d.size > DIRECTORY_MOST || d.count > d.size / ENTRY_SIZE)
    return corrupt(zip, "its directory is larger than its entries can be", err);
  uint8_t *bytes = calloc(1, d.size + 1);
  zip->entries = ra_arena_calloc(&zip->arena, (size_t)d.count + 1, sizeof *zip->entries);
  if (!bytes || !zip->entries) {
    free(bytes);
    return ra_fail(err, RA_E_NOMEM, zip->key, "no memory for a zip directory");
  }
  rc = read_at(zip, d.offset, d.size, bytes, err);
  size_t at = 0, used = 0;
  for (uint64_t i = 0; i < d.count && rc == RA_OK; i++, at += used)
    rc = add_entry(zip, bytes + at, d.size - at, &used, err);
  free(bytes);
  if (rc < 0) return rc;
  sort_entries(zip);
  return RA_OK;
}

int ra_zip_open(const ra_reader *file, const char *key, ra_zip **out, ra_err *err) {
  ra_zip *zip = calloc(1, sizeof *zip);
  if (!zip) return ra_fail(err, RA_E_NOMEM, key, "no memory for a zip archive");
  zip->file = *file;
  zip->key = ra_arena_strdup(&zip->arena, key);
  int rc = zip->key ? file->size(file->ctx, key, &zip->bytes, err)
                    : ra_fail(err, RA_E_NOMEM, key, "no memory for a zip archive");
  if (rc == RA_OK) rc = read_directory(zip, err);
  if (rc < 0) {
    ra_zip_free(zip);
    return rc;
  }
  *out = zip;
  return RA_OK;
}

void ra_zip_free(ra_zip *zip) {
  if (!zip) return;
  ra_arena_deinit(&zip->arena);
  free(zip);
}

size_t ra_zip_count(const ra_zip *zip) { return zip->count; }

const char *ra_zip_name(const ra_zip *zip, size_t i) { return zip->entries[i].name; }

uint32_t ra_zip_checksum(const ra_zip *zip, size_t i, uint64_t *size) {
  *size = zip->entries[i].size;
  return zip->entries[i].crc;
}

// ---- entries

static const entry *find(const ra_zip *zip, const char *name) {
  const entry wanted = {.name = name};
  return zip->count ? bsearch(&wanted, zip->entries, zip->count, sizeof wanted, by_name) : NULL;
}

static int missing(const char *name, ra_err *err) {
  return ra_fail(err, RA_E_NOTFOUND, name, "there is no such entry");
}

static int entry_size(void *ctx, const char *name, uint64_t *out, ra_err *err) {
  const entry *e = find(ctx, name);
  if (!e) return missing(name, err);
  *out = e->size;
  return RA_OK;
}

// Where the entry's bytes begin: its local header has a name and an extra field of its own.
static int data_at(const ra_zip *zip, const entry *e, uint64_t *out, ra_err *err) {
  uint8_t header[LOCAL_SIZE] = {0};
  int rc = read_at(zip, e->header, sizeof header, header, err);
  if (rc < 0) return rc;
  if (u32(header) != 0x04034b50) return corrupt(zip, "an entry is not where it should be", err);
  *out = e->header + LOCAL_SIZE + u16(header + 26) + u16(header + 28);
  return RA_OK;
}

static int inflate(const ra_zip *zip, const entry *e, uint64_t at, uint8_t *dst, ra_err *err) {
  static const ra_codec codec = {.id = RA_CODEC_INFLATE};
  uint8_t *packed = malloc(e->packed ? e->packed : 1);
  if (!packed) return ra_fail(err, RA_E_NOMEM, e->name, "no memory for an entry");
  int rc = read_at(zip, at, e->packed, packed, err);
  if (rc == RA_OK) rc = ra_codec_decode(&codec, 1, packed, e->packed, dst, e->size, err);
  free(packed);
  if (rc == RA_OK && libdeflate_crc32(0, dst, e->size) != e->crc)
    rc = ra_fail(err, RA_E_CORRUPT, e->name, "its checksum does not match");
  return rc;
}

// Deflate cannot give more than 1,032 bytes for one.
static int check_deflated(const ra_zip *zip, const entry *e, ra_err *err) {
  if (e->size <= INFLATED_MOST && e->packed <= zip->bytes && e->size / 1040 <= e->packed)
    return RA_OK;
  return ra_fail(err, RA_E_CORRUPT, e->name, "a deflated entry of %llu bytes from %llu",
                 (unsigned long long)e->size, (unsigned long long)e->packed);
}

static int read_deflated(const ra_zip *zip, const entry *e, uint64_t at, uint64_t offset,
                         size_t size, uint8_t *dst, ra_err *err) {
  int rc = check_deflated(zip, e, err);
  if (rc < 0) return rc;
  if (offset == 0 && size == e->size) return inflate(zip, e, at, dst, err);
  uint8_t *whole = malloc(e->size ? e->size : 1);
  if (!whole) return ra_fail(err, RA_E_NOMEM, e->name, "no memory for an entry");
  rc = inflate(zip, e, at, whole, err);
  if (rc == RA_OK) memcpy(dst, whole + offset, size);
  free(whole);
  return rc;
}

static int entry_read(void *ctx, const char *name, uint64_t offset, size_t size, uint8_t *dst,
                      ra_err *err) {
  const ra_zip *zip = ctx;
  const entry *e = find(zip, name);
  if (!e) return missing(name, err);
  if (offset > e->size || size > e->size - offset)
    return ra_fail(err, RA_E_CORRUPT, name, "ends before byte %llu",
                   (unsigned long long)offset + size);
  uint64_t at = 0;
  int rc = data_at(zip, e, &at, err);
  if (rc < 0) return rc;
  return e->method == STORED ? read_at(zip, at + offset, size, dst, err)
                             : read_deflated(zip, e, at, offset, size, dst, err);
}

int ra_zip_place(const ra_zip *zip, const char *name, bool *stored, uint64_t *offset,
                 uint64_t *size, ra_err *err) {
  const entry *e = find(zip, name);
  if (!e) return missing(name, err);
  *stored = e->method == STORED;
  *size = e->size;
  *offset = 0;
  if (!*stored) return check_deflated(zip, e, err);
  int rc = data_at(zip, e, offset, err);
  if (rc < 0) return rc;
  if (*offset > zip->bytes || *size > zip->bytes - *offset)
    return corrupt(zip, "it ends before what its directory names", err);
  return RA_OK;
}

ra_reader ra_zip_reader(ra_zip *zip) { return (ra_reader){entry_read, entry_size, zip}; }
