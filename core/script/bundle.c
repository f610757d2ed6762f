// bundle.c - see bundle.h: the block of entries, its index, and its way through a shared file.
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "script/bundle_private.h"

enum { ENTRIES_MOST = 20000 };
#define BLOCK_MOST ((size_t)256 << 20)

// An entry: this, its name and its text, each with a zero byte; then the next at a multiple of 8.
typedef struct head {
  uint32_t name_size, failed;
  uint64_t text_size;
} head;

typedef struct file_head {
  char magic[8];
  uint32_t generation, unused;
  uint64_t size, digest;
} file_head;

static const char MAGIC[8] = "RABUNDL1";

struct ra_bundle {
  atomic_uint refs;
  char *block;
  size_t size, count;
  ra_bundle_entry *entries;
  uint64_t digest;
};

static size_t padded(size_t size) { return (size + 7) & ~(size_t)7; }

void ra__bundle_add(ra_str *block, const char *name, bool failed, const char *text, size_t size) {
  static const char zeros[8] = {0};
  const head h = {.name_size = (uint32_t)strlen(name), .failed = failed, .text_size = size};
  ra_str_add_bytes(block, &h, sizeof h);
  ra_str_add_bytes(block, name, h.name_size + 1);
  ra_str_add_bytes(block, text, size);
  ra_str_add_bytes(block, zeros, 1);
  ra_str_add_bytes(block, zeros, padded(block->len) - block->len);
}

static uint64_t digest(const char *bytes, size_t n, uint64_t hash) {  // FNV-1a
  for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash;
}

// The entry at `at`, which moves behind it; false where the block is no sequence of entries.
static bool next_entry(const ra_bundle *b, size_t *at, ra_bundle_entry *out) {
  head h;
  size_t room = b->size - *at;
  if (room < sizeof h) return false;
  memcpy(&h, b->block + *at, sizeof h);
  room -= sizeof h;
  if (h.text_size > room || h.name_size > room - h.text_size || room - h.text_size - h.name_size < 2)
    return false;
  const char *name = b->block + *at + sizeof h, *text = name + h.name_size + 1;
  *out = (ra_bundle_entry){.name = name, .text = text, .size = h.text_size, .failed = h.failed};
  if (name[h.name_size] || text[h.text_size] || strlen(name) != h.name_size) return false;
  *at = padded(*at + sizeof h + h.name_size + 1 + h.text_size + 1);
  return *at <= b->size;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const ra_bundle_entry *)a)->name, ((const ra_bundle_entry *)b)->name);
}

static bool fill_index(ra_bundle *b) {
  ra_bundle_entry entry;
  for (size_t at = 0; at < b->size; b->count++) {
    if (b->count == ENTRIES_MOST || !next_entry(b, &at, &entry)) return false;
  }
  b->entries = calloc(b->count ? b->count : 1, sizeof *b->entries);
  if (!b->entries) return false;
  size_t at = 0;
  for (size_t i = 0; i < b->count; i++) next_entry(b, &at, &b->entries[i]);
  qsort(b->entries, b->count, sizeof *b->entries, by_name);
  b->digest = 0xcbf29ce484222325u;
  for (size_t i = 0; i < b->count; i++) {
    const ra_bundle_entry *e = &b->entries[i];
    b->digest = digest(e->name, strlen(e->name) + 1, b->digest);
    b->digest = digest(e->text, e->size + 1, b->digest);
  }
  return true;
}

int ra__bundle_index(ra_str *block, ra_bundle **out, ra_err *err) {
  ra_bundle *b = block->failed || block->len > BLOCK_MOST ? NULL : calloc(1, sizeof *b);
  if (!b) {
    ra_str_deinit(block);
    return ra_fail(err, RA_E_NOMEM, "plugins",
                   "no memory to read the folders (at most %zu MiB in %d files)", BLOCK_MOST >> 20,
                   ENTRIES_MOST);
  }
  atomic_init(&b->refs, 1);
  b->block = block->ptr;
  b->size = block->len;
  ra_str_init(block);
  if (fill_index(b)) {
    *out = b;
    return RA_OK;
  }
  ra_bundle_unref(b);
  return ra_fail(err, RA_E_TOOBIG, "plugins", "the folders hold more than %d files, or no memory",
                 ENTRIES_MOST);
}

ra_bundle *ra_bundle_ref(ra_bundle *bundle) {
  if (bundle) atomic_fetch_add_explicit(&bundle->refs, 1, memory_order_relaxed);
  return bundle;
}

void ra_bundle_unref(ra_bundle *bundle) {
  if (!bundle || atomic_fetch_sub_explicit(&bundle->refs, 1, memory_order_acq_rel) > 1) return;
  free(bundle->entries);
  free(bundle->block);
  free(bundle);
}

size_t ra_bundle_count(const ra_bundle *bundle) { return bundle->count; }
uint64_t ra_bundle_digest(const ra_bundle *bundle) { return bundle->digest; }

const ra_bundle_entry *ra_bundle_at(const ra_bundle *bundle, size_t i) {
  return &bundle->entries[i];
}

size_t ra_bundle_first(const ra_bundle *bundle, const char *prefix) {
  size_t low = 0, high = bundle->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (strcmp(bundle->entries[middle].name, prefix) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

const ra_bundle_entry *ra_bundle_find(const ra_bundle *bundle, const char *name) {
  size_t i = ra_bundle_first(bundle, name);
  bool found = i < bundle->count && strcmp(bundle->entries[i].name, name) == 0;
  return found ? &bundle->entries[i] : NULL;
}

// ---- through a file

static int write_all(int fd, const void *bytes, size_t size, size_t at, ra_err *err) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pwrite(fd, (const char *)bytes + done, size - done, (off_t)(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ra_fail_errno(err, errno, "plugins", "cannot hand them to the workers");
    done += (size_t)n;
  }
  return RA_OK;
}

static bool read_all(int fd, void *bytes, size_t size, size_t at) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, (char *)bytes + done, size - done, (off_t)(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

int ra_bundle_save(const ra_bundle *bundle, int fd, uint32_t generation, ra_err *err) {
  file_head h = {.generation = generation, .size = bundle->size, .digest = bundle->digest};
  memcpy(h.magic, MAGIC, sizeof h.magic);
  if (ftruncate(fd, 0) != 0)
    return ra_fail_errno(err, errno, "plugins", "cannot hand them to the workers");
  int rc = write_all(fd, bundle->block, bundle->size, sizeof h, err);
  return rc < 0 ? rc : write_all(fd, &h, sizeof h, 0, err);
}

static int torn(ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, "plugins", "what the supervisor handed over is incomplete");
}

int ra_bundle_restore(int fd, uint32_t *generation, ra_bundle **out, ra_err *err) {
  file_head h;
  if (!read_all(fd, &h, sizeof h, 0) || memcmp(h.magic, MAGIC, sizeof MAGIC) != 0 ||
      h.size > BLOCK_MOST)
    return torn(err);
  ra_str block;
  ra_str_init(&block);
  char *room = ra_str_room(&block, h.size);
  if (!room) return ra_fail(err, RA_E_NOMEM, "plugins", "no memory to read them");
  if (!read_all(fd, room, h.size, sizeof h)) {
    ra_str_deinit(&block);
    return torn(err);
  }
  ra_str_wrote(&block, h.size);
  *generation = h.generation;
  int rc = ra__bundle_index(&block, out, err);
  if (rc < 0 || (*out)->digest == h.digest) return rc;
  ra_bundle_unref(*out);
  *out = NULL;
  return torn(err);
}
