// segment_v2.c - the consolidated metadata of a Zarr v2 store in the form of v3's, which the rest of segments reads.
#include <string.h>

#include "ingest/segment_private.h"

// The object of "path/.zarray" is the node "path"; NULL: it is of another kind.
static json_t *node_of(json_t *nodes, const char *key, const char *document) {
  size_t length = strlen(key), tail = strlen(document);
  if (length < tail || strcmp(key + length - tail, document) != 0) return NULL;
  size_t path = length > tail ? length - tail - 1 : 0;
  if (length > tail && key[path] != '/') return NULL;
  json_t *node = json_object_getn(nodes, key, path);
  if (node) return node;
  node = json_object();
  return json_object_setn_new(nodes, key, path, node) == 0 ? node : NULL;
}

static void add_array(json_t *node, const json_t *zarray) {
  json_t *own = json_deep_copy(zarray);
  json_object_update_new(node, own);
  json_object_set_new(node, "node_type", json_string("array"));
}

static void add_attributes(json_t *node, const json_t *zattrs) {
  json_t *attributes = json_deep_copy(zattrs);
  json_t *names = json_object_get(attributes, "_ARRAY_DIMENSIONS");
  if (names) json_object_set(node, "dimension_names", names);
  json_object_del(attributes, "_ARRAY_DIMENSIONS");
  json_object_set_new(node, "attributes", attributes);
}

json_t *ra__segment_from_v2(const json_t *consolidated) {
  json_t *nodes = json_object(), *root = json_object(), *metadata, *value, *node;
  const char *key;
  metadata = json_object_get(consolidated, "metadata");
  json_object_foreach(metadata, key, value) {
    if ((node = node_of(nodes, key, ".zarray"))) add_array(node, value);
    if ((node = node_of(nodes, key, ".zattrs"))) add_attributes(node, value);
    if ((node = node_of(nodes, key, ".zgroup")))
      json_object_set_new(node, "node_type", json_string("group"));
  }
  json_object_set(root, "attributes", json_object_get(json_object_get(nodes, ""), "attributes"));
  json_object_del(nodes, "");
  json_object_set_new(root, "consolidated_metadata", json_pack("{s:o}", "metadata", nodes));
  return root;
}
