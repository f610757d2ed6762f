// zarr_tree.h - a Zarr store (v2 or v3, or both) in a folder, a zip archive, a kerchunk reference file, or by URL: its groups and arrays, and their
// metadata's texts. Nodes belong to the tree. Opened by one thread, read by any.
#pragma once
#include <stdbool.h>

#include "base/reader.h"
#include "base/str.h"
#include "source/references.h"

typedef struct ra_zarr_node {
  const char *path;  // "" for the root, "group/name"
  unsigned format;   // 2 or 3
  bool array;
  const char *metadata;    // text of zarr.json, .zarray or .zgroup
  const char *attributes;  // v2: text of .zattrs, or NULL; v3: inside of the metadata
} ra_zarr_node;

typedef struct ra_zarr_tree ra_zarr_tree;

// True where the path is a folder, a zip archive or JSON (nothing else that we read is one), or a URL that is taken for a
// store's or is JSON.
bool ra_zarr_tree_is(const char *path);
// RA_E_UNSUPPORTED where there is no Zarr node; RA_E_TOOBIG beyond 10,000 nodes or 32 levels.
int ra_zarr_tree_open(const char *path, ra_zarr_tree **out, ra_err *err);
// The same of references, which it takes; without any, of the path.
int ra_zarr_tree_open_references(const char *path, ra_references *references, ra_zarr_tree **out,
                                 ra_err *err);
ra_references *ra_zarr_tree_references(const ra_zarr_tree *tree);  // NULL: it is of another kind
void ra_zarr_tree_free(ra_zarr_tree *tree);
size_t ra_zarr_tree_count(const ra_zarr_tree *tree);
const ra_zarr_node *ra_zarr_tree_node(const ra_zarr_tree *tree, size_t i);  // by path
// Adds a line for each object of the store: its name, and its size and time of change, or its checksum in an archive. Two
// stores with the same lines hold the same data. *bytes: of all objects.
int ra_zarr_tree_identity(const ra_zarr_tree *tree, ra_str *out, uint64_t *bytes, ra_err *err);
// What a store in a folder or in an archive is called where it is read in place: "folder", "zip"; NULL where it cannot be, since
// it is neither, or has links, which are not followed there.
const char *ra_zarr_tree_kind(const ra_zarr_tree *tree);
// The metadata of all nodes in one document, for stores whose root has none of the kind: of v3 as the root's zarr.json, of v2 as
// its .zmetadata. *key: its name; NULL: the store has it, or no root.
int ra_zarr_tree_consolidate(const ra_zarr_tree *tree, const char **key, ra_str *out, ra_err *err);
ra_reader ra_zarr_tree_reader(const ra_zarr_tree *tree);  // of keys below the store's root
