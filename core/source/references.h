// references.h - a kerchunk reference file as objects to read: what is inline, and byte ranges of files in its own folder or
// below. Anything else that it points to is refused. Any thread once it is open.
#pragma once
#include "base/reader.h"
#include "base/str.h"
#include "format/kerchunk.h"

typedef struct ra_references ra_references;

int ra_references_open(const char *path, ra_references **out, ra_err *err);
void ra_references_free(ra_references *references);
const ra_kerchunk *ra_references_keys(const ra_references *references);
ra_reader ra_references_reader(ra_references *references);
// Adds a line for the reference file and one for each file that it points to: name, size, time of change. *bytes: all of
// theirs. Fails where one is missing or lies elsewhere.
int ra_references_identity(const ra_references *references, ra_str *out, uint64_t *bytes,
                           ra_err *err);
