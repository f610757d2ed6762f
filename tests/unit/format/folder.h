// folder.h - files of a temporary folder, for tests that share them with a judge in Python.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/reader.h"

static inline ra_buf *folder_load(const char *path) {
  FILE *file = fopen(path, "rb");
  ra_buf *buf = NULL;
  struct stat info;
  if (!file || fstat(fileno(file), &info) < 0) return NULL;
  if (ra_buf_new((size_t)info.st_size, &buf, NULL) == RA_OK &&
      fread(ra_buf_bytes(buf), 1, ra_buf_size(buf), file) != ra_buf_size(buf)) {
    abort();
  }
  fclose(file);
  return buf;
}

// Makes the folders above the file, too.
static inline void folder_save(const char *path, const void *data, size_t size) {
  char above[4096];
  snprintf(above, sizeof above, "%s", path);
  for (char *slash = above + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = 0;
    mkdir(above, 0777);
  }
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

static inline int folder_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  char path[1024];
  struct stat info;
  snprintf(path, sizeof path, "%s/%s", (const char *)ctx, key);
  if (stat(path, &info) < 0) return ra_fail(err, RA_E_NOTFOUND, key, "no such file");
  *out = (uint64_t)info.st_size;
  return RA_OK;
}

static inline int folder_read(void *ctx, const char *key, uint64_t offset, size_t size,
                              uint8_t *dst, ra_err *err) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", (const char *)ctx, key);
  FILE *file = fopen(path, "rb");
  if (!file) return ra_fail(err, RA_E_NOTFOUND, key, "no such file");
  fseek(file, (long)offset, SEEK_SET);
  size_t got = fread(dst, 1, size, file);
  fclose(file);
  return got == size ? RA_OK : ra_fail(err, RA_E_CORRUPT, key, "ends too soon");
}

// Runs `PYTHON SCRIPT STEP FOLDER`; its exit code.
static inline int folder_judge(const char *script, const char *step, const char *folder) {
  char command[4096];
  snprintf(command, sizeof command, "'%s' '%s' %s '%s'", getenv("PEERS_PYTHON"), script, step,
           folder);
  fflush(stdout);
  return system(command);
}

// The temporary folder, or NULL after saying why the test is skipped.
static inline char *folder_new(char *pattern, const char *modules) {
  const char *python = getenv("PEERS_PYTHON");
  if (python && *python) return mkdtemp(pattern);
  printf("skipped: PEERS_PYTHON names no Python with %s\n", modules);
  return NULL;
}

static inline void folder_remove(const char *folder) {
  char command[512];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0) printf("%s stays behind\n", folder);
}
