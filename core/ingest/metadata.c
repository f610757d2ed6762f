// metadata.c - the documents of every array and group, and the root's consolidated copy of them all.
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"

typedef struct writing {
  ra__output *output;
  ra_zarr_metadata documents;
  const char **groups;  // written ones
  size_t count, room;
} writing;

static int put(void *ctx, const char *path, const char *name, const ra_str *text, ra_err *err) {
  return ra__output_put_array(ctx, path, name, text->ptr, text->len, err);
}

static int write_array(writing *w, const ra__array *array, ra_err *err) {
  ra_str attributes;
  ra_str_init(&attributes);
  ra__attributes(w->output->ingest, array, &attributes);
  ra_zarr_spec spec = array->zarr;
  spec.attributes = attributes.ptr ? attributes.ptr : "";
  int rc = attributes.failed ? ra_fail(err, RA_E_NOMEM, spec.name, "out of memory")
                             : ra_zarr_metadata_array(&w->documents, &spec, err);
  ra_str_deinit(&attributes);
  return rc;
}

static bool known(const writing *w, const char *path) {
  for (size_t i = 0; i < w->count; i++) {
    if (!strcmp(w->groups[i], path)) return true;
  }
  return false;
}

// The groups above an array, outermost first.
static int write_groups(writing *w, const char *name, ra_err *err) {
  for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
    const char *path = ra_arena_strndup(&w->output->ingest->arena, name, (size_t)(slash - name));
    if (!path) return ra_fail(err, RA_E_NOMEM, name, "out of memory");
    if (known(w, path)) continue;
    if (w->count == w->room) return ra_fail(err, RA_E_TOOBIG, name, "lies in too many groups");
    w->groups[w->count++] = path;
    int rc = ra_zarr_metadata_group(&w->documents, path, "", err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int write_root(writing *w, ra_err *err) {
  ra_str attributes;
  ra_str_init(&attributes);
  ra__attributes(w->output->ingest, NULL, &attributes);
  int rc = attributes.failed ? ra_fail(err, RA_E_NOMEM, "", "out of memory")
                             : ra_zarr_metadata_root(&w->documents, attributes.ptr, err);
  ra_str_deinit(&attributes);
  return rc;
}

static int write_all(writing *w, ra_err *err) {
  const ra_ingest *ingest = w->output->ingest;
  for (size_t i = 0; i < ingest->count; i++) {
    int rc = write_groups(w, ingest->arrays[i].zarr.name, err);
    if (rc >= 0) rc = write_array(w, &ingest->arrays[i], err);
    if (rc < 0) return rc;
  }
  return write_root(w, err);
}

int ra__metadata_write(ra__output *output, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  writing w = {.output = output, .room = ingest->count * 8 + 64};
  w.groups = ra_arena_calloc(&ingest->arena, w.room, sizeof *w.groups);
  if (!w.groups) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  ra_zarr_metadata_init(&w.documents, ingest->options.zarr_format, put, output);
  int rc = write_all(&w, err);
  ra_zarr_metadata_deinit(&w.documents);
  return rc;
}
