// references.h - a kerchunk reference file as objects to read: what is inline, and byte ranges of files that lie in its own
// folder or below (of a reference file by URL: at URLs below its own), or in a root that is allowed (access.h). Anything
// else that it points to is refused. Any thread once it is open.
#pragma once
#include <stdbool.h>

#include "base/reader.h"
#include "base/str.h"
#include "format/kerchunk.h"
#include "net/remote.h"

typedef struct ra_references ra_references;

// A path; or a text that stands for the file of that path or URL.
int ra_references_open(const char *path, ra_references **out, ra_err *err);
int ra_references_open_text(const char *url, const char *text, size_t size, ra_references **out,
                            ra_err *err);
void ra_references_free(ra_references *references);
const ra_kerchunk *ra_references_keys(const ra_references *references);
ra_reader ra_references_reader(ra_references *references);
// Adds a line for the reference file and one for each file that it points to: name, size, time of change or tag. *bytes:
// all of theirs. Fails where one is missing or lies elsewhere.
int ra_references_identity(ra_references *references, ra_str *out, uint64_t *bytes, ra_err *err);

// The file that a reference points to: its absolute path, or its URL and what is there.
typedef struct ra_references_place {
  ra_str path;  // the caller's to deinit
  bool far;
  ra_remote_state state;  // of a far one
} ra_references_place;
int ra_references_place_of(ra_references *references, const ra_kerchunk_ref *ref,
                           ra_references_place *out, ra_err *err);
