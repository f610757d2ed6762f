// place_references.c - what a version holds of references that stay (net/store.h): where each key lies, in the order of keys;
// the bytes that stand in them; the files that they point to, as they are now; and refs.json, for others: kerchunk's form, in
// which files of this machine are below `source/`, where the server gives them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/path.h"
#include "ingest/ingest_private.h"
#include "source/references.h"

typedef struct target {
  const char *text;  // as the references have it
  size_t number;     // from 1 on
  ra_str name;       // what refs.json says
} target;

typedef struct writing {
  ra__output *output;
  ra_references *references;
  target *targets;  // in the order of their texts
  size_t count;
  ra_str list, inlined, files, refs;
  ra_err *err;
} writing;

static int no_memory(const writing *w) {
  return ra_fail(w->err, RA_E_NOMEM, ra_source_name(w->output->ingest->source), "out of memory");
}

// ---- targets

static int by_text(const void *a, const void *b) {
  return strcmp(((const target *)a)->text, ((const target *)b)->text);
}

static target *find_target(const writing *w, const char *text) {
  const target wanted = {.text = text};
  return w->count ? bsearch(&wanted, w->targets, w->count, sizeof wanted, by_text) : NULL;
}

// The distinct ones.
static int list_targets(writing *w) {
  const ra_kerchunk *keys = ra_references_keys(w->references);
  const char *last = NULL;
  size_t all = ra_kerchunk_count(keys), n = 0;
  w->targets = calloc(all + 1, sizeof *w->targets);
  if (!w->targets) return no_memory(w);
  for (size_t i = 0; i < all; i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(keys, i);
    if (ref->bytes || (last && strcmp(last, ref->target) == 0)) continue;
    last = ref->target;
    w->targets[n++].text = last;
  }
  if (n) qsort(w->targets, n, sizeof *w->targets, by_text);
  for (size_t i = 0; i < n; i++) {
    if (w->count && strcmp(w->targets[w->count - 1].text, w->targets[i].text) == 0) continue;
    w->targets[w->count++] = w->targets[i];
  }
  return RA_OK;
}

static int file_line(writing *w, target *t, const char *path) {
  int64_t changed;
  uint64_t size;
  int rc = ra_store_file_state(path, &size, &changed, w->err);
  if (rc < 0) return rc;
  const char *slash = strrchr(path, '/');
  ra_str_addf(&t->name, "files/%zu/", t->number);
  ra_key_escape(&t->name, slash ? slash + 1 : path, true);
  if (strchr(path, '\n'))
    return ra_fail(w->err, RA_E_UNSUPPORTED, path, "has a path that cannot be kept");
  ra_str_addf(&w->files, "%s\tfile %llu %lld %s\n", t->name.ptr ? t->name.ptr : "",
              (unsigned long long)size, (long long)changed, path);
  return RA_OK;
}

static int far_line(writing *w, target *t, const ra_references_place *place) {
  const char *url = place->path.ptr;
  if (!place->state.tag[0])
    return ra_fail(w->err, RA_E_UNSUPPORTED, url,
                   "its server tells neither ETag nor Last-Modified, so that nobody would notice a "
                   "change; ingest it without --virtual");
  if (strpbrk(url, " \t\n"))
    return ra_fail(w->err, RA_E_UNSUPPORTED, url, "has a URL that cannot be kept");
  ra_str_add(&t->name, url);
  ra_str_addf(&w->files, "\thttp %llu %s %s\n", (unsigned long long)place->state.size, url,
              place->state.tag);
  return RA_OK;
}

static int add_target(writing *w, target *t, const ra_kerchunk_ref *ref) {
  ra_references_place place;
  int rc = ra_references_place_of(w->references, ref, &place, w->err);
  if (rc < 0) return rc;
  rc = place.far ? far_line(w, t, &place) : file_line(w, t, place.path.ptr);
  ra_str_deinit(&place.path);
  return rc;
}

// In the order in which they are first met.
static int add_targets(writing *w) {
  const ra_kerchunk *keys = ra_references_keys(w->references);
  size_t next = 0;
  int rc = RA_OK;
  for (size_t i = 0; i < ra_kerchunk_count(keys) && rc >= 0; i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(keys, i);
    target *t = ref->bytes ? NULL : find_target(w, ref->target);
    if (!t || t->number) continue;
    t->number = ++next;
    rc = add_target(w, t, ref);
  }
  return rc;
}

// ---- keys

static bool is_utf8(const char *text, size_t size) {
  for (size_t at = 0; at < size;) {
    size_t n = ra_utf8_length((const unsigned char *)text + at, size - at);
    if (!n) return false;
    at += n;
  }
  return true;
}

static void add_inline(writing *w, const ra_kerchunk_ref *ref) {
  size_t size = (size_t)ref->size;
  ra_str_addf(&w->list, "0 %zu %zu\n", w->inlined.len, size);
  ra_str_add_bytes(&w->inlined, ref->bytes, size);
  if (is_utf8(ref->bytes, size) && strncmp(ref->bytes, "base64:", 7) != 0) {
    ra_str_add_json_bytes(&w->refs, ref->bytes, size);
    return;
  }
  ra_str_add(&w->refs, "\"base64:");
  ra_base64_add(&w->refs, ref->bytes, size);
  ra_str_add_char(&w->refs, '"');
}

static void add_range(writing *w, const ra_kerchunk_ref *ref, const target *t, bool far) {
  bool whole = ref->size == UINT64_MAX;
  ra_str_addf(&w->list, "%zu %llu ", t->number, (unsigned long long)ref->offset);
  ra_str_add(&w->refs, far ? "[\"" : "[\"{{source}}/");
  ra_str_add(&w->refs, t->name.ptr);
  if (whole) {
    ra_str_add(&w->list, "-\n");
    ra_str_add(&w->refs, "\"]");
  } else {
    ra_str_addf(&w->list, "%llu\n", (unsigned long long)ref->size);
    ra_str_addf(&w->refs, "\",%llu,%llu]", (unsigned long long)ref->offset,
                (unsigned long long)ref->size);
  }
}

// What is no key of an object can be asked for by nobody.
static void add_keys(writing *w) {
  const ra_kerchunk *keys = ra_references_keys(w->references);
  bool first = true;
  ra_str_add(&w->refs, "{\"version\":1,\"templates\":{\"source\":\"source\"},\"refs\":{");
  for (size_t i = 0; i < ra_kerchunk_count(keys); i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(keys, i);
    if (!ra_key_valid(ref->key)) continue;
    ra_str_add(&w->refs, first ? "\n" : ",\n");
    first = false;
    ra_str_add_json(&w->refs, ref->key);
    ra_str_add_char(&w->refs, ':');
    ra_str_addf(&w->list, "%s\t", ref->key);
    if (ref->bytes) {
      add_inline(w, ref);
    } else {
      const target *t = find_target(w, ref->target);
      add_range(w, ref, t, strncmp(t->name.ptr, "files/", 6) != 0);
    }
  }
  ra_str_add(&w->refs, "\n}}\n");
}

// ---- objects

static int put(writing *w, const char *name, const ra_str *text) {
  char key[760];
  if (text->failed) return no_memory(w);
  snprintf(key, sizeof key, "%s/%s", w->output->prefix, name);
  return ra__output_put(w->output, key, text->ptr ? text->ptr : "", text->len, w->err);
}

static int put_all(writing *w) {
  int rc = put(w, RA_STORE_LIST, &w->list);
  if (rc >= 0) rc = put(w, RA_STORE_INLINE, &w->inlined);
  if (rc >= 0) rc = put(w, RA_STORE_TARGETS, &w->files);
  return rc < 0 ? rc : put(w, "refs.json", &w->refs);
}

int ra__place_references(ra__output *output, ra_err *err) {
  writing w = {.output = output, .err = err};
  w.references = ra_zarr_tree_references(ra_source_tree(output->ingest->source));
  int rc = list_targets(&w);
  if (rc >= 0) rc = add_targets(&w);
  if (rc >= 0) add_keys(&w);
  if (rc >= 0) rc = put_all(&w);
  for (size_t i = 0; i < w.count; i++) ra_str_deinit(&w.targets[i].name);
  free(w.targets);
  ra_str_deinit(&w.list);
  ra_str_deinit(&w.inlined);
  ra_str_deinit(&w.files);
  ra_str_deinit(&w.refs);
  return rc;
}

bool ra__place_is_far(const ra_ingest *ingest) {
  ra_references *references = ra_zarr_tree_references(ra_source_tree(ingest->source));
  const ra_kerchunk *keys = references ? ra_references_keys(references) : NULL;
  const char *last = NULL;
  for (size_t i = 0; keys && i < ra_kerchunk_count(keys); i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(keys, i);
    ra_references_place place;
    if (ref->bytes || (last && strcmp(last, ref->target) == 0)) continue;
    last = ref->target;
    if (ra_references_place_of(references, ref, &place, NULL) < 0) continue;
    ra_str_deinit(&place.path);
    if (place.far) return true;
  }
  return false;
}
