// watch_journal.h - which files of a watched folder were published, and as what: a small text file in the store, so that
// a server that starts again does not read ten thousand old files. It is a memory, not the truth: a file that it lacks is
// ingested again, which says "unchanged". It belongs to one catalog and one set of options; with others it starts anew.
// One thread's.
#pragma once
#include "app/watch_files.h"

typedef struct ra_watch_journal ra_watch_journal;

typedef struct ra_watch_journal_config {
  const char *file;  // where it is
  const char *catalog;  // the catalog's file; NULL: it is none. Another file under this name is another catalog
  const char *options;  // what else the published data depend on, as a text
} ra_watch_journal_config;

// The texts are copied. Reads nothing yet.
int ra_watch_journal_new(const ra_watch_journal_config *config, ra_watch_journal **out, ra_err *err);
void ra_watch_journal_free(ra_watch_journal *journal);
// Puts what it remembers into the table, as DONE.
void ra_watch_journal_load(ra_watch_journal *journal, ra_watch_files *files);
// Writes what was loaded anew, with those of the table that are published now; before the first ra_watch_journal_add.
void ra_watch_journal_tidy(ra_watch_journal *journal, ra_watch_files *files);
void ra_watch_journal_add(ra_watch_journal *journal, const char *path, const ra_watch_stamp *stamp);
