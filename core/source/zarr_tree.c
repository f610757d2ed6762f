// zarr_tree.c - see zarr_tree.h. A folder is walked down to its arrays, whose chunks are not listed; an archive's directory
// and a reference file have every name.
#include "source/zarr_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "format/json.h"
#include "format/zip.h"
#include "source/access.h"
#include "source/far_store.h"
#include "source/fetched.h"
#include "source/folder.h"
#include "source/references.h"

enum { NODES_MOST = 10000, DEPTH_MOST = 32, TEXT_MOST = 16 << 20, FAR_MOST = 256 << 20 };

struct ra_zarr_tree {
  ra_arena arena;
  ra_folder *folder;
  ra_zip *zip;
  ra_references *references;
  ra_far_store *far;
  ra_reader reader;
  size_t count, cap;
  ra_zarr_node *nodes;
};

static const char *const MARKS[] = {"zarr.json", ".zarray", ".zgroup"};

static int no_memory(const char *path, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, path, "no memory for a store's metadata");
}

// An object's text; NULL without an error where it is not there.
static int read_text(ra_zarr_tree *tree, const char *key, const char **out, ra_err *err) {
  uint64_t size;
  *out = NULL;
  int rc = tree->reader.size(tree->reader.ctx, key, &size, err);
  if (rc == RA_E_NOTFOUND) return RA_OK;
  if (rc < 0) return rc;
  if (size > TEXT_MOST)
    return ra_fail(err, RA_E_TOOBIG, key, "metadata of %llu bytes; at most %d are read",
                   (unsigned long long)size, TEXT_MOST);
  char *text = ra_arena_alloc(&tree->arena, size + 1);
  if (!text) return no_memory(key, err);
  rc = tree->reader.read(tree->reader.ctx, key, 0, size, (uint8_t *)text, err);
  text[size] = 0;
  if (rc == RA_OK) *out = text;
  return rc;
}

static char *join(ra_zarr_tree *tree, const char *path, const char *name) {
  return ra_arena_printf(&tree->arena, "%s%s%s", path, *path && *name ? "/" : "", name);
}

static int add_node(ra_zarr_tree *tree, const ra_zarr_node *node, ra_err *err) {
  if (tree->count == NODES_MOST)
    return ra_fail(err, RA_E_TOOBIG, node->path, "more than %d groups and arrays", NODES_MOST);
  if (tree->count == tree->cap) {
    size_t cap = tree->cap ? 2 * tree->cap : 64;
    ra_zarr_node *nodes = realloc(tree->nodes, cap * sizeof *nodes);
    if (!nodes) return no_memory(node->path, err);
    tree->nodes = nodes;
    tree->cap = cap;
  }
  tree->nodes[tree->count++] = *node;
  return RA_OK;
}

static bool is_array_v3(const char *text) {
  json_t *root = ra_json_load(text, strlen(text), NULL);
  const char *type = json_string_value(json_object_get(root, "node_type"));
  bool array = type && strcmp(type, "array") == 0;
  json_decref(root);
  return array;
}

// The node that one of the marks at `path` stands for, if it is there: 1 for an array, 0 for anything else.
static int read_mark(ra_zarr_tree *tree, const char *path, int mark, ra_err *err) {
  const char *key = join(tree, path, MARKS[mark]), *attributes = join(tree, path, ".zattrs");
  if (!key || !attributes) return no_memory(path, err);
  ra_zarr_node node = {.path = path, .format = mark == 0 ? 3 : 2, .array = mark == 1};
  int rc = read_text(tree, key, &node.metadata, err);
  if (rc < 0 || !node.metadata) return rc;
  if (mark == 0) node.array = is_array_v3(node.metadata);
  if (mark != 0) rc = read_text(tree, attributes, &node.attributes, err);
  if (rc == RA_OK) rc = add_node(tree, &node, err);
  return rc < 0 ? rc : node.array;
}

// ---- a folder

typedef struct listing {
  ra_zarr_tree *tree;
  const char *path;
  unsigned marks;  // bits of MARKS
  char **folders;
  size_t count;
  ra_err *err;
} listing;

static int note_entry(void *ctx, const char *name, bool is_folder) {
  listing *l = ctx;
  for (unsigned i = 0; !is_folder && i < 3; i++) {
    if (strcmp(name, MARKS[i]) == 0) l->marks |= 1u << i;
  }
  if (!is_folder) return RA_OK;
  if (l->count == NODES_MOST) return RA_OK;  // chunks of an array, or an error of add_node's later
  char **folders = realloc(l->folders, (l->count + 1) * sizeof *folders);
  if (!folders) return no_memory(l->path, l->err);
  l->folders = folders;
  char *path = join(l->tree, l->path, name);
  if (!path) return no_memory(l->path, l->err);
  l->folders[l->count++] = path;
  return RA_OK;
}

// NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MOST deep
static int walk(ra_zarr_tree *tree, const char *path, int depth, ra_err *err) {
  if (depth > DEPTH_MOST)
    return ra_fail(err, RA_E_TOOBIG, path, "groups more than %d deep", DEPTH_MOST);
  listing l = {.tree = tree, .path = path, .err = err};
  int rc = ra_folder_list(tree->folder, path, note_entry, &l, err);
  bool array = false;
  for (int i = 0; i < 3 && rc >= 0; i++) {
    if (!(l.marks >> i & 1)) continue;
    rc = read_mark(tree, path, i, err);
    array = array || rc == 1;
  }
  for (size_t i = 0; i < l.count && rc >= 0 && !array; i++)
    rc = walk(tree, l.folders[i], depth + 1, err);
  free(l.folders);
  return rc < 0 ? rc : RA_OK;
}

// ---- an archive, references, or a store of a server

static size_t name_count(const ra_zarr_tree *tree) {
  if (tree->far) return ra_far_store_count(tree->far);
  return tree->zip ? ra_zip_count(tree->zip)
                   : ra_kerchunk_count(ra_references_keys(tree->references));
}

static const char *name_at(const ra_zarr_tree *tree, size_t i) {
  if (tree->far) return ra_far_store_name(tree->far, i);
  return tree->zip ? ra_zip_name(tree->zip, i)
                   : ra_kerchunk_get(ra_references_keys(tree->references), i)->key;
}

static int walk_names(ra_zarr_tree *tree, ra_err *err) {
  int rc = RA_OK;
  for (size_t i = 0; i < name_count(tree) && rc >= 0; i++) {
    const char *name = name_at(tree, i), *slash = strrchr(name, '/');
    const char *last = slash ? slash + 1 : name;
    for (int mark = 0; mark < 3 && rc >= 0; mark++) {
      if (strcmp(last, MARKS[mark]) != 0) continue;
      char *path = ra_arena_strndup(&tree->arena, name, slash ? (size_t)(slash - name) : 0);
      rc = path ? read_mark(tree, path, mark, err) : no_memory(name, err);
    }
  }
  return rc < 0 ? rc : RA_OK;
}

// ---- opening

static int by_path(const void *a, const void *b) {
  const ra_zarr_node *x = a, *y = b;
  int order = strcmp(x->path, y->path);
  return order ? order : (int)x->format - (int)y->format;
}

static bool is_folder_path(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_json(const char magic[4]) {
  return magic[0] == '{' && strchr(" \t\r\n\"", magic[1]);
}

static int take_references(ra_zarr_tree *tree, ra_references *references, ra_err *err) {
  tree->references = references;
  tree->reader = ra_references_reader(references);
  return walk_names(tree, err);
}

static int open_references(ra_zarr_tree *tree, const char *path, ra_err *err) {
  ra_references *references;
  int rc = ra_references_open(path, &references, err);
  return rc < 0 ? rc : take_references(tree, references, err);
}

static int open_far_store(ra_zarr_tree *tree, const char *url, ra_err *err) {
  int rc = ra_far_store_open(url, &tree->far, err);
  if (rc < 0) return rc;
  tree->reader = ra_far_store_reader(tree->far);
  return walk_names(tree, err);
}

static int open_far_references(ra_zarr_tree *tree, const char *url, ra_err *err) {
  ra_references *references = NULL;
  ra_remote_state state;
  ra_str text;
  ra_str_init(&text);
  int rc = ra_remote_text(ra_source_get_access()->remote, url, FAR_MOST, NULL, &text, &state, err);
  if (rc >= 0)
    rc = ra_references_open_text(url, text.ptr ? text.ptr : "", text.len, &references, err);
  ra_str_deinit(&text);
  return rc < 0 ? rc : take_references(tree, references, err);
}

static int open_archive(ra_zarr_tree *tree, ra_err *err) {
  int rc = ra_zip_open(&tree->reader, "archive", &tree->zip, err);
  if (rc < 0) return rc;
  tree->reader = ra_zip_reader(tree->zip);
  return walk_names(tree, err);
}

// A server's file that begins as JSON. What cannot be asked is none: whoever fetches it says why.
static bool is_far_json(const char *url) {
  ra_remote *remote = ra_source_get_access()->remote;
  ra_remote_state state;
  char magic[4];
  return remote && ra_remote_look(remote, url, NULL, &state, NULL) >= 0 && state.size >= 4 &&
         ra_remote_read(remote, url, &state, 0, 4, (uint8_t *)magic, NULL, NULL) >= 0 &&
         is_json(magic);
}

bool ra_zarr_tree_is(const char *path) {
  if (ra_is_url(path)) return ra_far_store_is(path) || is_far_json(path);
  if (is_folder_path(path)) return true;
  char magic[4];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;
  bool read = pread(fd, magic, 4, 0) == 4;
  close(fd);
  return read && (!memcmp(magic, "PK\003\004", 4) || is_json(magic));
}

static int open_local(ra_zarr_tree *tree, const char *path, ra_err *err) {
  int rc = ra_folder_open(path, &tree->folder, err);
  if (rc < 0) return rc;
  tree->reader = ra_folder_reader(tree->folder);
  if (is_folder_path(path)) {
    return walk(tree, "", 0, err);
  }
  char first = 0;
  rc = tree->reader.read(tree->reader.ctx, "file", 0, 1, (uint8_t *)&first, err);
  if (rc < 0) return rc;
  return first == '{' ? open_references(tree, path, err) : open_archive(tree, err);
}

// Consolidated metadata of v2 alone, without the arrays' own.
static bool is_parquet(const ra_zarr_tree *tree) {
  uint64_t size;
  return tree->reader.size && tree->reader.size(tree->reader.ctx, ".zmetadata", &size, NULL) == RA_OK;
}

static int open_tree(ra_zarr_tree *tree, const char *path, ra_references *references, ra_err *err) {
  int rc = references              ? take_references(tree, references, err)
           : !ra_is_url(path)      ? open_local(tree, path, err)
           : ra_far_store_is(path) ? open_far_store(tree, path, err)
                                   : open_far_references(tree, path, err);
  if (rc == RA_OK && tree->count == 0)
    return ra_fail(err, RA_E_UNSUPPORTED, path,
                   is_parquet(tree) ? "holds kerchunk's references as Parquet, which are not read; "
                                      "write them as JSON"
                                    : "holds no Zarr array or group");
  if (tree->count) qsort(tree->nodes, tree->count, sizeof *tree->nodes, by_path);
  return rc;
}

int ra_zarr_tree_open(const char *path, ra_zarr_tree **out, ra_err *err) {
  return ra_zarr_tree_open_references(path, NULL, out, err);
}

int ra_zarr_tree_open_references(const char *path, ra_references *references, ra_zarr_tree **out,
                                 ra_err *err) {
  ra_zarr_tree *tree = calloc(1, sizeof *tree);
  if (!tree) {
    ra_references_free(references);
    return no_memory(path, err);
  }
  int rc = open_tree(tree, path, references, err);
  if (rc < 0) {
    ra_zarr_tree_free(tree);
    return rc;
  }
  *out = tree;
  return RA_OK;
}

void ra_zarr_tree_free(ra_zarr_tree *tree) {
  if (!tree) return;
  ra_zip_free(tree->zip);
  ra_references_free(tree->references);
  ra_far_store_free(tree->far);
  ra_folder_free(tree->folder);
  ra_arena_deinit(&tree->arena);
  free(tree->nodes);
  free(tree);
}

// ---- identity

typedef struct sum {
  const ra_zarr_tree *tree;
  const char *path;
  int depth;
  ra_str *out;
  uint64_t *bytes;
  ra_err *err;
} sum;

// NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MOST deep
static int add_objects(const sum *s);

// NOLINTNEXTLINE(misc-no-recursion): as above
static int add_object(void *ctx, const char *name, bool is_folder) {
  const sum *s = ctx;
  char path[4096];
  int n = snprintf(path, sizeof path, "%s%s%s", s->path, *s->path ? "/" : "", name);
  if (n >= (int)sizeof path || s->depth > DEPTH_MOST)
    return ra_fail(s->err, RA_E_TOOBIG, s->path, "paths longer than %zu bytes", sizeof path);
  if (is_folder) {
    sum below = *s;
    below.path = path;
    below.depth++;
    return add_objects(&below);
  }
  uint64_t size = 0;
  int64_t changed = 0;
  int rc = ra_folder_stat(s->tree->folder, path, &size, &changed, s->err);
  if (rc < 0) return rc;
  ra_str_addf(s->out, "%s %llu %lld\n", path, (unsigned long long)size, (long long)changed);
  *s->bytes += size;
  return RA_OK;
}

// NOLINTNEXTLINE(misc-no-recursion): as above
static int add_objects(const sum *s) {
  return ra_folder_list(s->tree->folder, s->path, add_object, (void *)s, s->err);
}

int ra_zarr_tree_identity(const ra_zarr_tree *tree, ra_str *out, uint64_t *bytes, ra_err *err) {
  const sum s = {.tree = tree, .path = "", .out = out, .bytes = bytes, .err = err};
  *bytes = 0;
  if (tree->references) return ra_references_identity(tree->references, out, bytes, err);
  if (tree->far) ra_far_store_identity(tree->far, out);
  if (tree->far) return RA_OK;
  if (!tree->zip) return add_objects(&s);
  for (size_t i = 0; i < ra_zip_count(tree->zip); i++) {
    uint64_t size;
    uint32_t crc = ra_zip_checksum(tree->zip, i, &size);
    ra_str_addf(out, "%s %llu %u\n", ra_zip_name(tree->zip, i), (unsigned long long)size, crc);
    *bytes += size;
  }
  return RA_OK;
}

ra_references *ra_zarr_tree_references(const ra_zarr_tree *tree) { return tree->references; }

const char *ra_zarr_tree_kind(const ra_zarr_tree *tree) {
  if (tree->references) return "references";
  if (tree->far) return NULL;
  if (tree->zip) return "zip";
  return ra_folder_has_links(tree->folder) ? NULL : "folder";
}

size_t ra_zarr_tree_count(const ra_zarr_tree *tree) { return tree->count; }

const ra_zarr_node *ra_zarr_tree_node(const ra_zarr_tree *tree, size_t i) {
  return &tree->nodes[i];
}

ra_reader ra_zarr_tree_reader(const ra_zarr_tree *tree) { return tree->reader; }
