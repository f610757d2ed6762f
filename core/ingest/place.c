// place.c - what stays where it is: a COG that can be served as it lies, where that is asked for; a Zarr store in a folder or
// an archive, unless a copy is asked for or its reading would be unreasonable. Below `<version>/source/` the store then
// reads it (net/store_source), and of a Zarr store the version holds what helps: the list of its files, metadata in one
// document, and the maps, unless those are made of a pyramid (place_levels.c).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/size.h"
#include "ingest/ingest_private.h"
#include "source/zarr_tree.h"

static const size_t CHUNK_MOST = (size_t)64 << 20;  // bytes that a value of a series may cost

// The map layout is north-up and begins at -180; an image that lies otherwise is converted, unless it is askew.
static bool image_stays(const ra_ingest *ingest) {
  bool stays = ra_source_is_servable(ingest->source);
  for (const ra_cf_grid *grid = ingest->cf->grids; grid; grid = grid->next) {
    if (grid->x_reversed || grid->y_reversed || grid->roll || grid->layout != RA_CF_EVEN)
      stays = false;
  }
  return stays;
}

// ---- a Zarr store

static const ra_zarr_node *node_of(const ra_zarr_tree *tree, const char *path) {
  const ra_zarr_node *found = NULL;
  for (size_t i = 0; i < ra_zarr_tree_count(tree); i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    if (node->array && strcmp(node->path, path) == 0) found = node;
  }
  return found;
}

static size_t chunk_bytes(const ra_source_var *var) {
  size_t bytes = ra_dtype_size(var->dtype);
  for (unsigned d = 0; d < var->ndim; d++) {
    if (!ra_size_mul(bytes, (size_t)var->chunk[d], &bytes)) return SIZE_MAX;
  }
  return bytes;
}

// Why an array cannot be read where it lies; NULL: it can.
static const char *array_copied(const ra_ingest *ingest, const ra_zarr_tree *tree,
                                const ra_cf_variable *variable) {
  const ra_source_var *var = variable->source;
  if (!node_of(tree, var->name) || !ra_key_valid(var->name) || strlen(var->name) > 500)
    return "the name of an array is no key of an object (letters, digits, '.', '_', '=', '-')";
  if (ingest->options.by_reference && variable->grid->layout != RA_CF_EVEN)
    return "the cells of a grid that is uneven or curvilinear are no map: one has to be made";
  if (!ingest->options.by_reference && chunk_bytes(var) > CHUNK_MOST)
    return "its chunks have more than 64 MiB, all of which one value would cost";
  return NULL;
}

static const char *store_copied(const ra_ingest *ingest, const ra_zarr_tree *tree) {
  bool references = ra_zarr_tree_references(tree) != NULL;
  if (ingest->options.copy) return "a copy was asked for";
  if (references && !ingest->options.by_reference)
    return "references are served as they are with --virtual only";
  if (!references && ra_source_url(ingest->source)) return "it is on another machine";
  if (!ra_zarr_tree_kind(tree)) return "it is no archive and no folder without links";
  if (strchr(ra_source_path(ingest->source), '\n')) return "its path cannot be kept";
  for (size_t i = 0; i < ingest->cf->count; i++) {
    const ra_cf_variable *variable = &ingest->cf->variables[i];
    const char *why = variable->mappable ? array_copied(ingest, tree, variable) : NULL;
    if (why) return why;
  }
  return NULL;
}

unsigned ra__place_format(const ra_ingest *ingest, const char *path) {
  const ra_zarr_tree *tree = ra_source_tree(ingest->source);
  const ra_zarr_node *node = node_of(tree, path);
  for (size_t i = 0; !node && i < ra_zarr_tree_count(tree); i++) {
    if (strcmp(ra_zarr_tree_node(tree, i)->path, path) == 0) node = ra_zarr_tree_node(tree, i);
  }
  return node ? node->format : 3;
}

int ra__place_refer(ra_ingest *ingest, ra_err *err) {
  ra_source *referred;
  const char *name = ra_source_name(ingest->source);
  const ra_zarr_tree *tree = ra_source_tree(ingest->source);
  if (!ingest->options.by_reference) return RA_OK;
  if (ingest->options.copy || ingest->options.in_place)
    return ra_fail(err, RA_E_INVALID, "virtual", "is one of --virtual, --in-place and --copy");
  if (tree && ra_zarr_tree_references(tree)) return RA_OK;
  if (tree || strcmp(ra_source_format(ingest->source), "tiff") == 0)
    return ra_fail(err, RA_E_UNSUPPORTED, name,
                   "is neither a NetCDF file nor references: --virtual is for these; Zarr stores "
                   "stay where they are without it, TIFFs with --in-place");
  int rc = ra_source_refer(ingest->source, &referred, err);
  if (rc < 0) return rc;
  ra_source_free(ingest->source);
  ingest->source = referred;
  return RA_OK;
}

int ra__place_decide(ra_ingest *ingest, ra_err *err) {
  const ra_source *source = ingest->source;
  const ra_zarr_tree *tree = ra_source_tree(source);
  bool stays = ingest->options.in_place || ingest->options.by_reference;
  const char *wanted = stays ? ra_source_name(source) : NULL;
  if (tree) {
    ingest->copied = store_copied(ingest, tree);
    if (!ingest->copied) ingest->kept = ra_zarr_tree_kind(tree);
    if (!ingest->copied || !wanted) return RA_OK;
    return ra_fail(err, RA_E_UNSUPPORTED, wanted, "cannot be served where it is: %s", ingest->copied);
  }
  if (ra_source_affine(source) && !(wanted && image_stays(ingest)))
    return ra_fail(err, RA_E_UNSUPPORTED, ra_source_name(source),
                   "its rows do not run along an axis of its CRS: it is served where it lies "
                   "(--in-place) where we read all of it, or after a warp, as with gdalwarp");
  if (!wanted) return RA_OK;
  if (ra_source_url(source))
    return ra_fail(err, RA_E_UNSUPPORTED, wanted,
                   "is on another machine: --in-place is for files of this one");
  if (strcmp(ra_source_format(source), "tiff") != 0)
    return ra_fail(err, RA_E_UNSUPPORTED, wanted,
                   "is neither a TIFF nor a Zarr store: --in-place is for these");
  ingest->in_place = image_stays(ingest);
  return RA_OK;
}

bool ra__place_reads(const ra_ingest *ingest, const ra__array *array) {
  return !ingest->kept || array->steps > 0;
}

// ---- what the version holds of it

static int by_name(const void *a, const void *b) {
  const char *x = *(const char *const *)a, *y = *(const char *const *)b;
  size_t n = strcspn(x, " "), m = strcspn(y, " ");
  int order = memcmp(x, y, n < m ? n : m);
  return order ? order : (n > m) - (n < m);
}

// The lines of the store's files whose names are keys, since no others can be asked for.
static int write_list(ra__output *output, const char *identity, ra_err *err) {
  size_t count = 0, lines = 0;
  for (const char *p = identity; *p; p++) lines += *p == '\n';
  char *text = strdup(identity);
  const char **names = calloc(lines + 1, sizeof *names);
  ra_str list;
  ra_str_init(&list);
  for (char *p = text, *end; names && p && (end = strchr(p, '\n')); p = end + 1) {
    *end = 0;
    char *space = strchr(p, ' ');
    if (!space || count == lines) continue;
    *space = 0;
    if (ra_key_valid(p)) names[count++] = p;
    *space = ' ';
  }
  if (names && count) qsort(names, count, sizeof *names, by_name);
  for (size_t i = 0; names && i < count; i++) {
    ra_str_add(&list, names[i]);
    ra_str_add_char(&list, '\n');
  }
  char key[760];
  snprintf(key, sizeof key, "%s/" RA_STORE_LIST, output->prefix);
  int rc = text && names && !list.failed
               ? ra__output_put(output, key, list.ptr ? list.ptr : "", list.len, err)
               : ra_fail(err, RA_E_NOMEM, key, "out of memory");
  ra_str_deinit(&list);
  free(names);
  free(text);
  return rc;
}

static int write_consolidated(ra__output *output, const ra_zarr_tree *tree, ra_err *err) {
  char key[800];
  const char *name;
  ra_str text;
  ra_str_init(&text);
  int rc = ra_zarr_tree_consolidate(tree, &name, &text, err);
  if (rc >= 0 && name) {
    snprintf(key, sizeof key, "%s/source/%s", output->prefix, name);
    rc = ra__output_put(output, key, text.ptr, text.len, err);
  }
  ra_str_deinit(&text);
  return rc;
}

int ra__place_write(ra__output *output, ra_err *err) {
  const ra_ingest *ingest = output->ingest;
  const ra_source *source = ingest->source;
  int rc = RA_OK;
  if (!ingest->kept && !ingest->in_place) return RA_OK;
  if (ingest->kept && strcmp(ingest->kept, "folder") == 0)
    rc = write_list(output, ra_source_identity(source), err);
  if (rc >= 0 && ingest->options.by_reference) rc = ra__place_references(output, err);
  if (rc >= 0 && ingest->kept) rc = write_consolidated(output, ra_source_tree(source), err);
  if (rc < 0) return rc;
  return ra_store_put_pointer(output->store, output->prefix, ingest->kept ? ingest->kept : "file",
                              ra_source_path(source), err);
}
