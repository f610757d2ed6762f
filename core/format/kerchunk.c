// kerchunk.c - see kerchunk.h
#include "format/kerchunk.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"

struct ra_kerchunk {
  ra_arena arena;
  size_t count;
  ra_kerchunk_ref *refs;
  const char *last;  // target: most references of a file have the same
};

enum { TARGET_MOST = 8192 };
#define REFS_MOST ((size_t)10 << 20)

static int no_memory(ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, "", "no memory for references");
}

static int bad(const char *key, const char *what, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, "", "the reference of '%.80s' is %s", key, what);
}

// ---- inline values

static int inline_base64(ra_kerchunk *k, const char *key, const char *text, ra_kerchunk_ref *ref,
                         ra_err *err) {
  size_t length = strlen(text), got = 0;
  char *bytes = ra_arena_alloc(&k->arena, length + 1);
  if (!bytes) return no_memory(err);
  if (!ra_base64_decode(text, length, bytes, length, &got)) return bad(key, "no base64", err);
  ref->bytes = bytes;
  ref->size = got;
  return RA_OK;
}

// A text; "base64:…"; or, as kerchunk also writes metadata, an object.
static int inline_value(ra_kerchunk *k, const char *key, const json_t *value, ra_kerchunk_ref *ref,
                        ra_err *err) {
  if (json_is_object(value)) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    ref->bytes = text ? ra_arena_strdup(&k->arena, text) : NULL;
    ref->size = text ? strlen(text) : 0;
    free(text);
    return ref->bytes ? RA_OK : no_memory(err);
  }
  const char *text = json_string_value(value);
  size_t length = json_string_length(value);
  if (length >= 7 && strncmp(text, "base64:", 7) == 0)
    return inline_base64(k, key, text + 7, ref, err);
  ref->bytes = ra_arena_strndup(&k->arena, text, length);
  ref->size = length;
  return ref->bytes ? RA_OK : no_memory(err);
}

// ---- targets

// The name between "{{" and "}}" at `text`; *after: behind it.
static const char *template_of(const json_t *templates, const char *text, const char **after) {
  char name[64];
  const char *end = strstr(text, "}}");
  if (!end) return NULL;
  text += strspn(text, " ");
  size_t n = (size_t)(end - text);
  while (n && text[n - 1] == ' ') n--;
  if (n == 0 || n >= sizeof name) return NULL;
  memcpy(name, text, n);
  name[n] = 0;
  *after = end + 2;
  return json_string_value(json_object_get(templates, name));
}

// A few templates, named often enough, say gigabytes.
static int target_too_long(const char *key, ra_err *err) {
  return ra_fail(err, RA_E_TOOBIG, "",
                 "the reference of '%.80s' has a target of more than %d bytes", key, TARGET_MOST);
}

static int fill_target(ra_kerchunk *k, const char *key, const char *text, const json_t *templates,
                       ra_kerchunk_ref *ref, ra_err *err) {
  ra_str out;
  ra_str_init(&out);
  for (const char *open; (open = strstr(text, "{{"));) {
    const char *after, *value = template_of(templates, open + 2, &after);
    if (!value) {
      ra_str_deinit(&out);
      return ra_fail(
          err, RA_E_UNSUPPORTED, "",
          "the reference of '%.80s' has a template that is not among \"templates\" or takes "
          "arguments",
          key);
    }
    ra_str_add_bytes(&out, text, (size_t)(open - text));
    ra_str_add(&out, value);
    text = after;
    if (out.len > TARGET_MOST) break;
  }
  if (out.len <= TARGET_MOST) ra_str_add(&out, text);
  if (out.len > TARGET_MOST) {
    ra_str_deinit(&out);
    return target_too_long(key, err);
  }
  const char *filled = out.ptr ? out.ptr : "";
  if (!out.failed && !(k->last && strcmp(k->last, filled) == 0))
    k->last = ra_arena_strdup(&k->arena, filled);
  ref->target = out.failed ? NULL : k->last;
  ra_str_deinit(&out);
  return ref->target ? RA_OK : no_memory(err);
}

// [target] or [target, offset, size].
static int range_value(ra_kerchunk *k, const char *key, const json_t *value,
                       const json_t *templates, ra_kerchunk_ref *ref, ra_err *err) {
  size_t count = json_array_size(value);
  const char *target = json_string_value(json_array_get(value, 0));
  const json_t *offset = json_array_get(value, 1), *size = json_array_get(value, 2);
  if (!target || (count != 1 && count != 3))
    return bad(key, "neither [target] nor [target, offset, size]", err);
  ref->size = UINT64_MAX;
  if (count == 3) {
    if (!json_is_integer(offset) || !json_is_integer(size) || json_integer_value(offset) < 0 ||
        json_integer_value(size) < 0)
      return bad(key, "without a whole offset and size", err);
    ref->offset = (uint64_t)json_integer_value(offset);
    ref->size = (uint64_t)json_integer_value(size);
  }
  return fill_target(k, key, target, templates, ref, err);
}

static bool climbs(const char *key) {
  for (const char *part = key; part; part = strchr(part, '/'), part += part != NULL) {
    size_t n = strcspn(part, "/");
    if ((n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.')) return true;
  }
  return false;
}

static int add_ref(ra_kerchunk *k, const char *key, const json_t *value, const json_t *templates,
                   ra_err *err) {
  ra_kerchunk_ref *ref = &k->refs[k->count];
  if (climbs(key))
    return ra_fail(err, RA_E_DENIED, "", "the key '%.80s' climbs out of its store", key);
  *ref = (ra_kerchunk_ref){.key = ra_arena_strdup(&k->arena, key)};
  if (!ref->key) return no_memory(err);
  int rc = json_is_array(value) ? range_value(k, key, value, templates, ref, err)
           : json_is_string(value) || json_is_object(value)
               ? inline_value(k, key, value, ref, err)
               : bad(key, "neither a text nor a list", err);
  if (rc == RA_OK) k->count++;
  return rc;
}

// ---- files

static int by_key(const void *a, const void *b) {
  return strcmp(((const ra_kerchunk_ref *)a)->key, ((const ra_kerchunk_ref *)b)->key);
}

// Version 1 has them under "refs"; version 0 is the object itself.
static int find_refs(const json_t *root, const json_t **refs, ra_err *err) {
  *refs = json_object_get(root, "refs");
  bool plain = json_object_get(root, ".zgroup") || json_object_get(root, ".zarray") ||
               json_object_get(root, "zarr.json");
  if (!*refs && plain) *refs = root;
  if (!json_is_object(*refs))
    return ra_fail(err, RA_E_UNSUPPORTED, "",
                   "is JSON, but no reference file of kerchunk: no \"refs\"");
  if (json_array_size(json_object_get(root, "gen")) > 0)
    return ra_fail(
        err, RA_E_UNSUPPORTED, "",
        "has generated references (\"gen\"); write it out with kerchunk or fsspec first");
  return RA_OK;
}

static int parse(ra_kerchunk *k, const json_t *root, ra_err *err) {
  const json_t *refs, *templates = json_object_get(root, "templates");
  int rc = find_refs(root, &refs, err);
  if (rc < 0) return rc;
  size_t count = json_object_size(refs);
  if (count > REFS_MOST)
    return ra_fail(err, RA_E_TOOBIG, "", "more than %zu references", REFS_MOST);
  k->refs = ra_arena_calloc(&k->arena, count + 1, sizeof *k->refs);
  if (!k->refs) return no_memory(err);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)refs, key, value) {
    rc = add_ref(k, key, value, templates, err);
    if (rc < 0) return rc;
  }
  if (k->count) qsort(k->refs, k->count, sizeof *k->refs, by_key);
  return RA_OK;
}

int ra_kerchunk_parse(const char *json, size_t size, ra_kerchunk **out, ra_err *err) {
  json_error_t why;
  json_t *root = json_loadb(json, size, JSON_ALLOW_NUL, &why);
  if (!root) return ra_fail(err, RA_E_CORRUPT, "", "not JSON: line %d: %s", why.line, why.text);
  ra_kerchunk *k = calloc(1, sizeof *k);
  int rc = k ? parse(k, root, err) : no_memory(err);
  json_decref(root);
  if (rc < 0) {
    ra_kerchunk_free(k);
    return rc;
  }
  *out = k;
  return RA_OK;
}

void ra_kerchunk_free(ra_kerchunk *refs) {
  if (!refs) return;
  ra_arena_deinit(&refs->arena);
  free(refs);
}

size_t ra_kerchunk_count(const ra_kerchunk *refs) { return refs->count; }
const ra_kerchunk_ref *ra_kerchunk_get(const ra_kerchunk *refs, size_t i) { return &refs->refs[i]; }

const ra_kerchunk_ref *ra_kerchunk_find(const ra_kerchunk *refs, const char *key) {
  const ra_kerchunk_ref wanted = {.key = key};
  return refs->count ? bsearch(&wanted, refs->refs, refs->count, sizeof wanted, by_key) : NULL;
}
