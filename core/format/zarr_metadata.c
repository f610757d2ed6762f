// zarr_metadata.c - the documents of a store: zarr.json of each node (v3), or .zarray, .zgroup and .zattrs (v2, with the
// names of dimensions as xarray has them), and the consolidated copy at the root.
#include "base/path.h"
#include "format/zarr.h"

void ra_zarr_metadata_init(ra_zarr_metadata *self, unsigned format, ra_zarr_put *put, void *ctx) {
  *self = (ra_zarr_metadata){.format = format, .put = put, .ctx = ctx};
  ra_str_init(&self->all);
}

void ra_zarr_metadata_deinit(ra_zarr_metadata *self) { ra_str_deinit(&self->all); }

static int no_memory(const char *path, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, path, "no memory for the metadata of a store");
}

// Puts a document, and notes it under `key` (of several parts) for the copy.
static int put(ra_zarr_metadata *self, const char *path, const char *name, const ra_str *text,
               ra_err *err) {
  ra_str key;
  if (text->failed) return no_memory(path, err);
  ra_str_init(&key);
  ra_key_add_path(&key, path);
  if (self->format == 2) {
    if (*path) ra_str_add_char(&key, '/');
    ra_str_add(&key, name);
  }
  if (self->all.len) ra_str_add_char(&self->all, ',');
  ra_str_add_json(&self->all, key.ptr ? key.ptr : "");
  ra_str_add_char(&self->all, ':');
  ra_str_add_bytes(&self->all, text->ptr, text->len);
  bool failed = key.failed || self->all.failed;
  ra_str_deinit(&key);
  return failed ? no_memory(path, err) : self->put(self->ctx, path, name, text, err);
}

static void add_dimensions(const ra_zarr_spec *spec, ra_str *out) {
  ra_str_add(out, "\"_ARRAY_DIMENSIONS\":[");
  for (unsigned i = 0; i < spec->ndim; i++) {
    if (i) ra_str_add_char(out, ',');
    if (spec->dimension_names[i]) {
      ra_str_add_json(out, spec->dimension_names[i]);
    } else {
      ra_str_addf(out, "\"dim_%u\"", i);
    }
  }
  ra_str_add_char(out, ']');
}

static int put_attributes(ra_zarr_metadata *self, const char *path, const ra_zarr_spec *spec,
                          const char *attributes, ra_err *err) {
  ra_str text;
  ra_str_init(&text);
  ra_str_add_char(&text, '{');
  if (spec) add_dimensions(spec, &text);
  if (spec && attributes && *attributes) ra_str_add_char(&text, ',');
  if (attributes) ra_str_add(&text, attributes);
  ra_str_add_char(&text, '}');
  int rc = put(self, path, ".zattrs", &text, err);
  ra_str_deinit(&text);
  return rc;
}

int ra_zarr_metadata_array(ra_zarr_metadata *self, const ra_zarr_spec *spec, ra_err *err) {
  bool v2 = self->format == 2;
  ra_str text;
  ra_str_init(&text);
  int rc = ra_zarr_array_json(spec, &text, err);
  if (rc >= 0) rc = put(self, spec->name, v2 ? ".zarray" : "zarr.json", &text, err);
  if (rc >= 0 && v2) rc = put_attributes(self, spec->name, spec, spec->attributes, err);
  ra_str_deinit(&text);
  return rc;
}

static int group_v2(ra_zarr_metadata *self, const char *path, const char *attributes, ra_err *err) {
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"zarr_format\":2}");
  int rc = put(self, path, ".zgroup", &text, err);
  if (rc >= 0) rc = put_attributes(self, path, NULL, attributes, err);
  ra_str_deinit(&text);
  return rc;
}

static void group_v3(const char *attributes, ra_str *out) {
  ra_str_add(out, "{\"zarr_format\":3,\"node_type\":\"group\",\"attributes\":{");
  if (attributes) ra_str_add(out, attributes);
  ra_str_add_char(out, '}');
}

int ra_zarr_metadata_group(ra_zarr_metadata *self, const char *path, const char *attributes,
                           ra_err *err) {
  if (self->format == 2) return group_v2(self, path, attributes, err);
  ra_str text;
  ra_str_init(&text);
  group_v3(attributes, &text);
  ra_str_add_char(&text, '}');
  int rc = put(self, path, "zarr.json", &text, err);
  ra_str_deinit(&text);
  return rc;
}

static void add_all(const ra_zarr_metadata *self, ra_str *out) {
  if (self->all.len) ra_str_add_bytes(out, self->all.ptr, self->all.len);
}

int ra_zarr_metadata_root(ra_zarr_metadata *self, const char *attributes, ra_err *err) {
  bool v2 = self->format == 2;
  ra_str text;
  int rc = v2 ? group_v2(self, "", attributes, err) : RA_OK;
  if (rc < 0) return rc;
  ra_str_init(&text);
  if (v2) {
    ra_str_add(&text, "{\"zarr_consolidated_format\":1,\"metadata\":{");
    add_all(self, &text);
    ra_str_add(&text, "}}");
  } else {
    group_v3(attributes, &text);
    ra_str_add(&text,
               ",\"consolidated_metadata\":{\"kind\":\"inline\",\"must_understand\":false,"
               "\"metadata\":{");
    add_all(self, &text);
    ra_str_add(&text, "}}}");
  }
  rc = text.failed ? no_memory("", err)
                   : self->put(self->ctx, "", v2 ? ".zmetadata" : "zarr.json", &text, err);
  ra_str_deinit(&text);
  return rc;
}
