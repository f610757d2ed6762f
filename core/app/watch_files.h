// watch_files.h - what is known of the files of a watched folder, by their path below it. One thread's; a file's record
// is the table's, and stays where it is until it is removed.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

// What tells one state of a file from another without reading it.
typedef struct ra_watch_stamp {
  uint64_t size, inode;
  int64_t mtime_ns, ctime_ns;
} ra_watch_stamp;

typedef enum ra_watch_state {
  RA_WATCH_NEW,       // known by name only
  RA_WATCH_WRITING,   // somebody writes it: a close, or a long silence, ends that
  RA_WATCH_SETTLING,  // closed or renamed in: looked at when it is due
  RA_WATCH_OFFERED,   // queued, or being ingested
  RA_WATCH_DONE,
  RA_WATCH_FAILED,
  RA_WATCH_OTHER,  // no source, by its first bytes
} ra_watch_state;

typedef struct ra_watch_file {
  struct ra_watch_file *next;            // in its bucket
  struct ra_watch_file *before, *after;  // among those that are due
  ra_watch_stamp seen;                   // when it was looked at last
  ra_watch_stamp done;  // as which it was published, failed or found to be no source
  uint64_t due_ms;      // when to look at it; 0: it is not waited for
  ra_watch_state state;
  unsigned failures;  // in a row, of those that may go away by themselves
  bool failed;        // how `done` came out
  bool listed;        // the pass over all folders has met it
  char path[];
} ra_watch_file;

typedef struct ra_watch_files ra_watch_files;

ra_watch_stamp ra_watch_stamp_of(const struct stat *info);
bool ra_watch_stamp_same(const ra_watch_stamp *a, const ra_watch_stamp *b);

int ra_watch_files_new(ra_watch_files **out, ra_err *err);
void ra_watch_files_free(ra_watch_files *files);
ra_watch_file *ra_watch_files_find(ra_watch_files *files, const char *path);
// Finds it or makes it; NULL without memory.
ra_watch_file *ra_watch_files_get(ra_watch_files *files, const char *path);
void ra_watch_files_remove(ra_watch_files *files, ra_watch_file *file);
// Calls fn with each; it may remove the file that it is called with.
void ra_watch_files_each(ra_watch_files *files, void (*fn)(void *ctx, ra_watch_file *file),
                         void *ctx);

// When to look at it next; 0: no more.
void ra_watch_files_due(ra_watch_files *files, ra_watch_file *file, uint64_t ms);
// The earliest moment that one is due; 0: none is.
uint64_t ra_watch_files_next(const ra_watch_files *files);
// One that is due now, no longer waited for; NULL: none.
ra_watch_file *ra_watch_files_take_due(ra_watch_files *files, uint64_t now_ms);
