// metadata.c - zarr.json of every array and group, and the root's consolidated copy of them all.
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"

typedef struct documents {
  size_t count, cap;
  const char **paths;
  const char **texts;
} documents;

static int add_document(ra__output *output, documents *docs, const char *path, ra_str *text,
                        ra_err *err) {
  ra_arena *arena = &output->ingest->arena;
  const char *copy = text->failed || docs->count == docs->cap
                         ? NULL
                         : ra_arena_strndup(arena, text->ptr, text->len);
  if (!copy) return ra_fail(err, RA_E_NOMEM, path, "out of memory");
  docs->paths[docs->count] = path;
  docs->texts[docs->count++] = copy;
  return ra__output_put_array(output, path, "/zarr.json", copy, text->len, err);
}

static int write_array(ra__output *output, documents *docs, const ra__array *array, ra_err *err) {
  ra_str attributes, text;
  ra_str_init(&attributes);
  ra_str_init(&text);
  ra__attributes(output->ingest, array, &attributes);
  ra_zarr_spec spec = array->zarr;
  spec.attributes = attributes.ptr ? attributes.ptr : "";
  int rc = attributes.failed ? ra_fail(err, RA_E_NOMEM, spec.name, "out of memory")
                             : ra_zarr_array_json(&spec, &text, err);
  if (rc >= 0) rc = add_document(output, docs, spec.name, &text, err);
  ra_str_deinit(&attributes);
  ra_str_deinit(&text);
  return rc;
}

static bool known(const documents *docs, const char *path) {
  for (size_t i = 0; i < docs->count; i++) {
    if (!strcmp(docs->paths[i], path)) return true;
  }
  return false;
}

static int write_group(ra__output *output, documents *docs, const char *path, ra_err *err) {
  ra_str text;
  ra_str_init(&text);
  int rc = ra_zarr_group_json("", NULL, NULL, 0, &text, err);
  if (rc >= 0) rc = add_document(output, docs, path, &text, err);
  ra_str_deinit(&text);
  return rc;
}

// The groups above an array, outermost first.
static int write_groups(ra__output *output, documents *docs, const char *name, ra_err *err) {
  for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
    const char *path = ra_arena_strndup(&output->ingest->arena, name, (size_t)(slash - name));
    if (!path) return ra_fail(err, RA_E_NOMEM, name, "out of memory");
    if (known(docs, path)) continue;
    int rc = write_group(output, docs, path, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int write_root(ra__output *output, const documents *docs, ra_err *err) {
  ra_str attributes, text;
  ra_str_init(&attributes);
  ra_str_init(&text);
  ra__attributes(output->ingest, NULL, &attributes);
  int rc = attributes.failed ? ra_fail(err, RA_E_NOMEM, "", "out of memory")
                             : ra_zarr_group_json(attributes.ptr ? attributes.ptr : "", docs->paths,
                                                  docs->texts, docs->count, &text, err);
  if (rc >= 0) rc = ra__output_put_array(output, "", "/zarr.json", text.ptr, text.len, err);
  ra_str_deinit(&attributes);
  ra_str_deinit(&text);
  return rc;
}

int ra__metadata_write(ra__output *output, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  documents docs = {.cap = ingest->count * 8 + 64};
  docs.paths = ra_arena_calloc(&ingest->arena, docs.cap, sizeof *docs.paths);
  docs.texts = ra_arena_calloc(&ingest->arena, docs.cap, sizeof *docs.texts);
  if (!docs.paths || !docs.texts) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  for (size_t i = 0; i < ingest->count; i++) {
    int rc = write_groups(output, &docs, ingest->arrays[i].zarr.name, err);
    if (rc >= 0) rc = write_array(output, &docs, &ingest->arrays[i], err);
    if (rc < 0) return rc;
  }
  return write_root(output, &docs, err);
}
