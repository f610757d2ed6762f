// store_source.h - what lies below `<version>/source/` without being in the store: data that stay where others keep them,
// ingested in place. The version's pointer object, `source.pointer`, holds one line: a kind's word and what the kind wants
// to know. Each kind gives objects by their key below `source/`, and nothing but what the ingest saw: RA_E_CONFLICT where
// it was changed or removed since. Any thread.
#pragma once
#include <sys/stat.h>

#include "net/store_internal.h"

typedef struct ra__source_kind {
  const char *word;
  // `text`: the pointer's line behind the word. *state is the kind's own, given up by close.
  int (*open)(const ra_store *store, const char *version, const char *text, void **state,
              ra_err *err);
  // RA_E_NOTFOUND, of which nothing has to be said, where there is no such object and there was none.
  int (*object)(void *state, const char *key, ra__store_object *out, ra_err *err);
  void (*close)(void *state);
} ra__source_kind;

extern const ra__source_kind ra__source_file;    // "file SIZE CHANGED PATH": any key is that file
extern const ra__source_kind ra__source_zip;     // "zip SIZE CHANGED PATH": members of an archive
extern const ra__source_kind ra__source_folder;  // "folder PATH": files below it, as in source.list
extern const ra__source_kind ra__source_references;  // "references NAME": byte ranges of files, as in source.list

// The state of a file that tells one from what it was.
ra__file_state ra__file_state_of(const struct stat *info);
// "SIZE CHANGED PATH"; false: it is none. *path lies in `text`.
bool ra__source_parse(const char *text, ra__file_state *state, const char **path);
// Opens the regular file of that state for reading; a negative errno, ESTALE where it is another one.
int ra__source_open_file(const char *path, const ra__file_state *state);
// What to make of that errno: RA_E_CONFLICT where the file is another one, or none.
int ra__source_failed(const char *path, int rc, ra_err *err);
