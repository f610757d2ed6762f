// watch_files.c - see watch_files.h. A chained hash table that doubles; those that are due are also in a list, which is
// short but for bursts.
#include "app/watch_files.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 1024 };

struct ra_watch_files {
  ra_watch_file **buckets;
  size_t bucket_count, count;
  ra_watch_file *due;  // the list's head
  uint64_t next_ms;    // a moment not after the earliest; 0: none is due
};

static int64_t ns_of(const struct timespec *t) {
  return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

ra_watch_stamp ra_watch_stamp_of(const struct stat *info) {
  return (ra_watch_stamp){.size = (uint64_t)info->st_size,
                          .inode = info->st_ino,
                          .mtime_ns = ns_of(&info->st_mtim),
                          .ctime_ns = ns_of(&info->st_ctim)};
}

bool ra_watch_stamp_same(const ra_watch_stamp *a, const ra_watch_stamp *b) {
  return a->size == b->size && a->inode == b->inode && a->mtime_ns == b->mtime_ns &&
         a->ctime_ns == b->ctime_ns;
}

int ra_watch_files_new(ra_watch_files **out, ra_err *err) {
  ra_watch_files *files = calloc(1, sizeof *files);
  if (files) files->buckets = calloc(FIRST_BUCKETS, sizeof *files->buckets);
  if (!files || !files->buckets) {
    free(files);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for the list of watched files");
  }
  files->bucket_count = FIRST_BUCKETS;
  *out = files;
  return RA_OK;
}

void ra_watch_files_free(ra_watch_files *files) {
  if (!files) return;
  for (size_t i = 0; i < files->bucket_count; i++) {
    for (ra_watch_file *file = files->buckets[i], *next; file; file = next) {
      next = file->next;
      free(file);
    }
  }
  free(files->buckets);
  free(files);
}

static uint64_t hash_of(const char *path) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (; *path; path++) hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
  return hash;
}

static ra_watch_file **bucket_of(const ra_watch_files *files, const char *path) {
  return &files->buckets[hash_of(path) & (files->bucket_count - 1)];
}

ra_watch_file *ra_watch_files_find(ra_watch_files *files, const char *path) {
  ra_watch_file *file = *bucket_of(files, path);
  while (file && strcmp(file->path, path) != 0) file = file->next;
  return file;
}

// Without memory the chains just grow longer.
static void grow(ra_watch_files *files) {
  size_t old_count = files->bucket_count;
  ra_watch_file **old = files->buckets, **wider = calloc(old_count * 2, sizeof *wider);
  if (!wider) return;
  files->buckets = wider;
  files->bucket_count = old_count * 2;
  for (size_t i = 0; i < old_count; i++) {
    for (ra_watch_file *file = old[i], *next; file; file = next) {
      next = file->next;
      ra_watch_file **bucket = bucket_of(files, file->path);
      file->next = *bucket;
      *bucket = file;
    }
  }
  free(old);
}

ra_watch_file *ra_watch_files_get(ra_watch_files *files, const char *path) {
  ra_watch_file *file = ra_watch_files_find(files, path);
  if (file) return file;
  size_t n = strlen(path) + 1;
  file = calloc(1, sizeof *file + n);
  if (!file) return NULL;
  memcpy(file->path, path, n);
  if (files->count++ >= files->bucket_count) grow(files);
  ra_watch_file **bucket = bucket_of(files, path);
  file->next = *bucket;
  *bucket = file;
  return file;
}

void ra_watch_files_remove(ra_watch_files *files, ra_watch_file *file) {
  ra_watch_files_due(files, file, 0);
  ra_watch_file **at = bucket_of(files, file->path);
  while (*at != file) at = &(*at)->next;
  *at = file->next;
  files->count--;
  free(file);
}

void ra_watch_files_each(ra_watch_files *files, void (*fn)(void *ctx, ra_watch_file *file),
                         void *ctx) {
  for (size_t i = 0; i < files->bucket_count; i++) {
    for (ra_watch_file *file = files->buckets[i], *next; file; file = next) {
      next = file->next;
      fn(ctx, file);
    }
  }
}

void ra_watch_files_due(ra_watch_files *files, ra_watch_file *file, uint64_t ms) {
  bool listed = file->due_ms != 0;
  file->due_ms = ms;
  if (ms && (!files->next_ms || ms < files->next_ms)) files->next_ms = ms;
  if (ms && !listed) {
    file->before = NULL;
    file->after = files->due;
    if (files->due) files->due->before = file;
    files->due = file;
  } else if (!ms && listed) {
    if (file->after) file->after->before = file->before;
    if (file->before) file->before->after = file->after;
    if (files->due == file) files->due = file->after;
  }
}

uint64_t ra_watch_files_next(const ra_watch_files *files) {
  return files->due ? files->next_ms : 0;
}

ra_watch_file *ra_watch_files_take_due(ra_watch_files *files, uint64_t now_ms) {
  if (!files->due || files->next_ms > now_ms) return NULL;
  uint64_t next = 0;
  for (ra_watch_file *file = files->due; file; file = file->after) {
    if (file->due_ms <= now_ms) {
      ra_watch_files_due(files, file, 0);
      return file;
    }
    if (!next || file->due_ms < next) next = file->due_ms;
  }
  files->next_ms = next;
  return NULL;
}
