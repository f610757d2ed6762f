// multiscales.c - see multiscales.h
#include "source/multiscales.h"

#include <stdlib.h>
#include <string.h>

#include "format/json.h"

enum { ARRAYS = 64 };  // of a level that are looked at for their sizes

typedef struct level {
  const char *name;
  double cells;  // of its largest array
  size_t order;  // as listed
} level;

typedef struct list {
  const ra_zarr_tree *tree;
  const ra_zarr_node *group;
  ra_arena *arena;
  size_t count;
  level levels[RA_MULTISCALES];
  bool failed;
} list;

static json_t *load(const char *text) {
  return text ? ra_json_load(text, strlen(text), NULL) : NULL;
}

static bool is_below(const char *path, const char *group) {
  size_t n = strlen(group);
  return strncmp(path, group, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static double cells_of(const ra_zarr_node *node) {
  json_t *root = load(node->metadata);
  const json_t *shape = json_object_get(root, "shape");
  double cells = 1;
  size_t i;
  const json_t *side;
  json_array_foreach(shape, i, side) cells *= json_number_value(side);
  json_decref(root);
  return cells;
}

// The largest of the first arrays at a path or below; -1: there is none.
static double largest(const ra_zarr_tree *tree, const char *path) {
  double most = -1;
  int looked = 0;
  for (size_t i = 0; i < ra_zarr_tree_count(tree) && looked < ARRAYS; i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    if (!node->array || !is_below(node->path, path)) continue;
    double cells = cells_of(node);
    if (cells > most) most = cells;
    looked++;
  }
  return most;
}

static const char *join(list *l, const char *name) {
  const char *group = l->group->path;
  const char *path = ra_arena_printf(l->arena, "%s%s%s", group, *group ? "/" : "", name);
  if (!path) l->failed = true;
  return path;
}

static void add(list *l, const char *name) {
  if (!name || l->count == RA_MULTISCALES) return;
  if (strncmp(name, "./", 2) == 0) name += 2;
  if (!*name || *name == '.') return;
  const char *copy = ra_arena_strdup(l->arena, name), *path = join(l, name);
  if (!copy || !path) {
    l->failed = true;
    return;
  }
  double cells = largest(l->tree, path);
  if (cells < 0) return;
  l->levels[l->count] = (level){.name = copy, .cells = cells, .order = l->count};
  l->count++;
}

static const char *text_of(const json_t *object, const char *const *keys, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *text = json_string_value(json_object_get(object, keys[i]));
    if (text) return text;
  }
  return NULL;
}

static void add_list(list *l, const json_t *levels) {
  static const char *const keys[] = {"asset", "path", "group"};
  size_t i;
  const json_t *entry;
  json_array_foreach(levels, i, entry) add(l, text_of(entry, keys, 3));
}

static void add_matrices(list *l, const json_t *scales) {
  const json_t *matrices =
      json_object_get(json_object_get(scales, "tile_matrix_set"), "tileMatrices");
  size_t i;
  const json_t *matrix;
  json_array_foreach(matrices, i, matrix) add(l, json_string_value(json_object_get(matrix, "id")));
  if (l->count) return;
  const char *id;
  json_t *limits;
  json_object_foreach(json_object_get(scales, "tile_matrix_set_limits"), id, limits) add(l, id);
}

static int by_cells(const void *a, const void *b) {
  const level *x = a, *y = b;
  if (x->cells != y->cells) return x->cells > y->cells ? -1 : 1;
  return (x->order > y->order) - (x->order < y->order);
}

int ra_multiscales_names(const ra_zarr_tree *tree, const ra_zarr_node *group, ra_arena *arena,
                         const char *names[RA_MULTISCALES]) {
  list l = {.tree = tree, .group = group, .arena = arena};
  json_t *root = load(group->format == 2 ? group->attributes : group->metadata);
  const json_t *attributes = group->format == 2 ? root : json_object_get(root, "attributes");
  const json_t *scales = json_object_get(attributes, "multiscales");
  if (json_is_array(scales)) {
    add_list(&l, json_object_get(json_array_get(scales, 0), "datasets"));
  } else if (scales) {
    add_list(&l, json_object_get(scales, "layout"));
    if (!l.count) add_matrices(&l, scales);
  }
  json_decref(root);
  if (l.count) qsort(l.levels, l.count, sizeof *l.levels, by_cells);
  for (size_t i = 0; i < l.count; i++) names[i] = l.levels[i].name;
  return l.failed ? -1 : (int)l.count;
}

// ---- of an array

// The array at a path: of v3 where it is there in both forms, as it is read.
static const ra_zarr_node *find(const ra_zarr_tree *tree, const char *path) {
  const ra_zarr_node *found = NULL;
  for (size_t i = 0; i < ra_zarr_tree_count(tree); i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    if (node->array && strcmp(node->path, path) == 0) found = node;
  }
  return found;
}

// What follows the first level's name in the array's path; NULL: it is not in that level.
static const char *rest_of(list *l, const char *path, const char *first) {
  const char *at = join(l, first);
  return at && is_below(path, at) ? path + strlen(at) : NULL;
}

int ra_multiscales_of(const ra_zarr_tree *tree, const char *path, ra_arena *arena,
                      const ra_zarr_node *levels[RA_MULTISCALES]) {
  int found = 0;
  for (size_t i = 0; i < ra_zarr_tree_count(tree) && !found; i++) {
    const ra_zarr_node *group = ra_zarr_tree_node(tree, i);
    const char *names[RA_MULTISCALES];
    if (group->array || (*group->path && !is_below(path, group->path))) continue;
    int count = ra_multiscales_names(tree, group, arena, names);
    list l = {.tree = tree, .group = group, .arena = arena};
    const char *rest = count > 0 ? rest_of(&l, path, names[0]) : NULL;
    for (int k = 1; k < count && rest; k++) {
      const char *coarse = join(&l, names[k]);
      if (coarse) coarse = ra_arena_printf(arena, "%s%s", coarse, rest);
      if (!coarse) return -1;
      levels[found] = find(tree, coarse);
      if (levels[found]) found++;
    }
    if (count < 0 || l.failed) return -1;
  }
  return found;
}
