// access.h - what sources may reach beyond the file that is named: servers, by URL, and where references may point. Set once
// a process, before the first source is opened.
#pragma once
#include <stdint.h>

#include "net/remote.h"

typedef struct ra_source_access {
  ra_remote *remote;    // NULL: URLs are refused
  const char *scratch;  // folder for files that are fetched; NULL: $TMPDIR, else /var/tmp
  uint64_t most;        // bytes of one of them
  const char *const *roots;  // folders and URLs that references may point into; NULL-terminated; may be NULL
} ra_source_access;

void ra_source_set_access(const ra_source_access *access);  // it and what it names outlive all sources
const ra_source_access *ra_source_get_access(void);
