// watch_words.h - the command line of the processes that ingest a watched folder's files: this server's own options as
// far as they concern an ingest, so that the file of settings and the environment are read anew by each.
#pragma once
#include "app/cli.h"

// NULL-terminated, without the files; the caller's, and so are its texts. jobs: how many run at once. NULL: no memory.
char **ra_watch_words(const ra_cli *cli, const char *root, unsigned jobs);
void ra_watch_words_free(char **words);
