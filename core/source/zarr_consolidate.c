// zarr_consolidate.c - the metadata of a store's nodes in one document, as xarray and zarr-python make it: a reader over HTTP
// cannot list a folder. Texts of metadata are taken over as they are.
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "source/zarr_tree.h"

static json_t *load(const char *text) {
  return text ? ra_json_load(text, strlen(text), NULL) : NULL;
}

static void add_key(ra_str *out, bool *first, const char *path, const char *name) {
  ra_str key;
  ra_str_init(&key);
  ra_str_add(&key, path);
  if (*path && *name) ra_str_add_char(&key, '/');
  ra_str_add(&key, name);
  if (!*first) ra_str_add_char(out, ',');
  *first = false;
  ra_str_add_json(out, key.ptr ? key.ptr : "");
  ra_str_add_char(out, ':');
  out->failed |= key.failed;
  ra_str_deinit(&key);
}

// The nodes of one format: v2's by the names of their files, v3's by their paths, without the root.
static void add_nodes(const ra_zarr_tree *tree, unsigned format, ra_str *out) {
  bool first = true;
  for (size_t i = 0; i < ra_zarr_tree_count(tree); i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    if (node->format != format || (format == 3 && !*node->path)) continue;
    add_key(out, &first, node->path, format == 3 ? "" : node->array ? ".zarray" : ".zgroup");
    ra_str_add(out, node->metadata);
    if (!node->attributes) continue;
    add_key(out, &first, node->path, ".zattrs");
    ra_str_add(out, node->attributes);
  }
}

static bool is_there(const ra_zarr_tree *tree, const char *key) {
  ra_reader reader = ra_zarr_tree_reader(tree);
  uint64_t size;
  ra_err ignored;
  return reader.size(reader.ctx, key, &size, &ignored) == RA_OK;
}

// The root's document with one more member before its end.
static void add_root(const ra_zarr_tree *tree, const char *root, ra_str *out) {
  const char *end = strrchr(root, '}');
  ra_str_add_bytes(out, root, end ? (size_t)(end - root) : 0);
  ra_str_add(out,
             ",\"consolidated_metadata\":{\"kind\":\"inline\",\"must_understand\":false,"
             "\"metadata\":{");
  add_nodes(tree, 3, out);
  ra_str_add(out, "}}}");
}

static int consolidate_v3(const ra_zarr_tree *tree, const ra_zarr_node *root, const char **key,
                          ra_str *out, ra_err *err) {
  json_t *document = load(root->metadata);
  const json_t *own = json_object_get(document, "consolidated_metadata");
  bool has = json_is_object(own), good = json_is_object(document) && json_object_size(document) > 0;
  bool empty = own && !has;  // null: there is a member that says nothing
  if (empty) json_object_del(document, "consolidated_metadata");
  char *text = good && empty ? json_dumps(document, JSON_COMPACT) : NULL;
  json_decref(document);
  if (!good || has) return RA_OK;
  if (empty && !text) return ra_fail(err, RA_E_NOMEM, "zarr.json", "out of memory");
  *key = "zarr.json";
  add_root(tree, empty ? text : root->metadata, out);
  free(text);
  return RA_OK;
}

// As readers choose it: of v3 where there are both.
static const ra_zarr_node *root_of(const ra_zarr_tree *tree) {
  const ra_zarr_node *root = NULL;
  for (size_t i = 0; i < ra_zarr_tree_count(tree) && i < 2; i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);  // "" comes before all others
    if (!*node->path && !node->array) root = node;
  }
  return root;
}

int ra_zarr_tree_consolidate(const ra_zarr_tree *tree, const char **key, ra_str *out, ra_err *err) {
  const ra_zarr_node *root = root_of(tree);
  int rc = RA_OK;
  *key = NULL;
  if (!root) return RA_OK;
  if (root->format == 3) {
    rc = consolidate_v3(tree, root, key, out, err);
  } else if (!is_there(tree, ".zmetadata")) {
    *key = ".zmetadata";
    ra_str_add(out, "{\"zarr_consolidated_format\":1,\"metadata\":{");
    add_nodes(tree, 2, out);
    ra_str_add(out, "}}");
  }
  if (rc < 0) return rc;
  return out->failed ? ra_fail(err, RA_E_NOMEM, "metadata", "out of memory") : RA_OK;
}
