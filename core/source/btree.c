// btree.c - the chunk index that nearly all NetCDF-4 files have, read by ourselves: HDF5 1.10 lists chunks in quadratic
// time (a million: hours). From the dataset's object header to its layout message, to the version 1 B-tree of its
// chunks (HDF5 File Format Specification 3.0, IV.A.1, IV.A.2.i and III.A.1). Little-endian, addresses from the base.
// What the bytes say is not believed: levels fall by one, chunks ascend, everything lies inside the file.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/storage.h"

enum {
  CONTINUATION = 0x10,
  LAYOUT = 8,
  HEADER_MOST = 1 << 20,  // bytes of an object header's block
  BLOCKS_MOST = 4096,     // of one object header
  NODE_HEAD = 24,
  SLOTS_MOST = 1 << 22  // 100 MB of index; beyond it chunks are fetched through HDF5
};
static const uint64_t NOWHERE = UINT64_MAX;

typedef struct tree {
  const ra_source *source;
  const ra_source_var *var;
  uint64_t base;
  uint64_t root;  // of the B-tree
  bool found;     // a layout message of ours
  ra__slot *slots;
  size_t count, cap;
  uint64_t last[RA_SOURCE_DIMS];  // the chunk before, also one that was left out
  bool any;
  unsigned blocks;  // of the object header so far
  ra_err *err;
} tree;

static uint64_t load(const uint8_t *p, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)p[i] << 8 * i;
  return value;
}

static bool fetch(const tree *t, void *dst, size_t size, uint64_t address) {
  uint64_t at;
  return !__builtin_add_overflow(t->base, address, &at) && ra__source_pread(t->source, dst, size, at);
}

static int damaged(const tree *t, const char *what) {
  return ra_fail(t->err, RA_E_CORRUPT, t->source->name,
                 "the chunk index of variable '%s' is damaged: %s", t->var->name, what);
}

static int other_kind(void) { return RA_E_UNSUPPORTED; }

// ---- object header

// Versions 1 and 2: rank at 1, class at 2, address at 8; version 3: class at 1, rank at 2, address at 3.
static void read_layout(tree *t, const uint8_t *p, size_t size) {
  enum { CHUNKED = 2 };
  unsigned rank = t->var->ndim + 1;
  if (size < 1) return;
  bool old = p[0] == 1 || p[0] == 2;
  size_t address = old ? 8 : 3, dims = address + 8;
  if ((!old && p[0] != 3) || size < dims + 4 * rank) return;
  if (p[old ? 2 : 1] != CHUNKED || p[old ? 1 : 2] != rank) return;
  for (unsigned d = 0; d < t->var->ndim; d++) {
    if (load(p + dims + 4 * d, 4) != t->var->chunk[d]) return;
  }
  t->root = load(p + address, 8);
  t->found = true;
}

static int read_block(tree *t, uint64_t address, uint64_t size, int version, unsigned extra);

// The messages of one block: version 1 has heads of 8 bytes, version 2 of 4 + extra.
static int read_messages(tree *t, const uint8_t *p, size_t size, int version, unsigned extra) {
  size_t head = version == 1 ? 8 : 4 + extra;
  for (size_t at = 0; at + head <= size && !t->found;) {
    unsigned type = version == 1 ? (unsigned)load(p + at, 2) : p[at];
    size_t length = load(p + at + (version == 1 ? 2 : 1), 2);
    const uint8_t *body = p + at + head;
    if (length > size - at - head) return other_kind();
    if (type == LAYOUT) read_layout(t, body, length);
    if (type == CONTINUATION && length >= 16) {
      int rc = read_block(t, load(body, 8), load(body + 8, 8), version, extra);
      if (rc < 0) return rc;
    }
    at += head + length;
  }
  return RA_OK;
}

static int read_block(tree *t, uint64_t address, uint64_t size, int version, unsigned extra) {
  enum { SIGNATURE = 4, CHECKSUM = 4 };
  if (size > HEADER_MOST || size < 8 || t->blocks++ > BLOCKS_MOST) return other_kind();
  uint8_t *p = malloc(size);
  if (!p) return ra_fail(t->err, RA_E_NOMEM, t->source->name, "out of memory");
  int rc = RA_OK;
  if (!fetch(t, p, size, address)) {
    rc = other_kind();
  } else if (version == 1) {
    rc = read_messages(t, p, size, version, extra);
  } else if (memcmp(p, "OCHK", SIGNATURE) != 0) {
    rc = other_kind();
  } else {
    rc = read_messages(t, p + SIGNATURE, size - SIGNATURE - CHECKSUM, version, extra);
  }
  free(p);
  return rc;
}

// Version 2: signature, version, flags, times and attribute limits by flag, the size of the first block.
static int read_header2(tree *t, const uint8_t *p, uint64_t address) {
  unsigned flags = p[5], size_bytes = 1u << (flags & 3), extra = flags & 4 ? 2 : 0;
  size_t at = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  uint64_t size = load(p + at, size_bytes);
  at += size_bytes;
  if (p[4] != 2 || size > HEADER_MOST) return other_kind();
  uint8_t *messages = malloc(size + 1);
  if (!messages) return ra_fail(t->err, RA_E_NOMEM, t->source->name, "out of memory");
  bool whole = fetch(t, messages, size, address + at);
  int rc = whole ? read_messages(t, messages, size, 2, extra) : other_kind();
  free(messages);
  return rc;
}

static int read_header(tree *t, uint64_t address) {
  uint8_t p[40];  // the longest head
  if (!fetch(t, p, sizeof p, address)) return other_kind();
  int rc = other_kind();
  if (!memcmp(p, "OHDR", 4)) {
    rc = read_header2(t, p, address);
  } else if (p[0] == 1) {
    rc = read_block(t, address + 16, load(p + 8, 4), 1, 0);
  }
  return rc < 0 || t->found ? rc : other_kind();
}

// ---- B-tree

static int add_slot(tree *t, ra__slot slot) {
  if (t->count == SLOTS_MOST) return other_kind();
  if (t->count == t->cap) {
    size_t cap = t->cap ? t->cap * 2 : 64;
    ra__slot *bigger = realloc(t->slots, cap * sizeof *bigger);
    if (!bigger) return ra_fail(t->err, RA_E_NOMEM, t->source->name, "out of memory");
    t->slots = bigger;
    t->cap = cap;
  }
  t->slots[t->count++] = slot;
  return RA_OK;
}

// Does this chunk come behind the one before? Then no node is visited twice, however the tree is tied.
static bool ascends(tree *t, const uint64_t *first) {
  int order = t->any ? 0 : 1;
  for (unsigned d = 0; d < t->var->ndim && order == 0; d++) {
    order = first[d] > t->last[d] ? 1 : first[d] < t->last[d] ? -1 : 0;
  }
  memcpy(t->last, first, t->var->ndim * sizeof *first);
  t->any = true;
  return order > 0;
}

// A key: stored bytes, filter mask, the chunk's first cell and a zero. Chunks past the variable's shape are left out.
static int read_leaf(tree *t, const uint8_t *key, uint64_t address) {
  const ra_source_var *var = t->var;
  ra__slot slot = {0, t->base, (uint32_t)load(key, 4), (uint32_t)load(key + 4, 4)};
  uint64_t first[RA_SOURCE_DIMS];
  bool inside = true;
  for (unsigned d = 0; d < var->ndim; d++) {
    first[d] = load(key + 8 + 8 * d, 8);
    if (first[d] % var->chunk[d]) return damaged(t, "a chunk lies beside the grid");
    inside = inside && first[d] < var->shape[d];
    slot.chunk = slot.chunk * ra__grid_side(var, d) + first[d] / var->chunk[d];
  }
  if (!ascends(t, first)) return damaged(t, "its chunks do not ascend");
  if (!inside || address == NOWHERE) return RA_OK;
  if (__builtin_add_overflow(slot.offset, address, &slot.offset)) slot.offset = NOWHERE;
  return add_slot(t, slot);
}

static int read_node(tree *t, uint64_t address, int level);

static int read_entries(tree *t, const uint8_t *p, size_t entries, size_t key, int level) {
  for (size_t i = 0; i < entries; i++) {
    const uint8_t *at = p + i * (key + 8);
    uint64_t child = load(at + key, 8);
    int rc = level == 0 ? read_leaf(t, at, child) : read_node(t, child, level - 1);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

// level -1: the root, whose own level is believed.
static int read_node(tree *t, uint64_t address, int level) {
  uint8_t head[NODE_HEAD];
  if (!fetch(t, head, sizeof head, address)) return damaged(t, "a node lies outside the file");
  if (memcmp(head, "TREE", 4) != 0 || head[4] != 1) return damaged(t, "a node is none");
  if (level >= 0 && head[5] != level) return damaged(t, "a node is on the wrong level");
  size_t entries = load(head + 6, 2), key = 8 + 8 * ((size_t)t->var->ndim + 1);
  if (entries == 0 && level >= 0) return damaged(t, "a node is empty");
  size_t size = entries * (key + 8);
  uint8_t *p = malloc(size + 1);
  if (!p) return ra_fail(t->err, RA_E_NOMEM, t->source->name, "out of memory");
  bool whole = fetch(t, p, size, address + NODE_HEAD);
  int rc = whole ? read_entries(t, p, entries, key, head[5])
                 : damaged(t, "a node ends outside the file");
  free(p);
  return rc;
}

int ra__btree_slots(const ra_source *source, const ra_source_var *var, uint64_t base,
                    uint64_t header, ra__slot **slots, size_t *count, ra_err *err) {
  tree t = {.source = source, .var = var, .base = base, .err = err};
  int rc = read_header(&t, header);
  if (rc >= 0 && t.root != NOWHERE) rc = read_node(&t, t.root, -1);
  if (rc < 0) {
    free(t.slots);
    t.slots = NULL;
    t.count = 0;
  }
  *slots = t.slots;
  *count = t.count;
  return rc;
}
