// folder.h - a folder of files, or one file, as objects to read (base/reader.h), for data that others wrote: any names,
// nothing outside the folder. Any thread.
#pragma once
#include <stdbool.h>

#include "base/reader.h"

typedef struct ra_folder ra_folder;

// A folder: keys are paths below it. A regular file: any key is the file.
int ra_folder_open(const char *path, ra_folder **out, ra_err *err);
void ra_folder_free(ra_folder *folder);
ra_reader ra_folder_reader(ra_folder *folder);
bool ra_folder_has_links(const ra_folder *folder);  // any in what has been listed
// An object's size, and its time of change in nanoseconds (Unix time).
int ra_folder_stat(const ra_folder *folder, const char *key, uint64_t *size, int64_t *changed,
                   ra_err *err);
// Calls each(ctx, name, is_folder) for what is directly in `path` ("" for the folder itself), in the order of bytes; links
// are left out. Stops at a negative return and returns it.
int ra_folder_list(ra_folder *folder, const char *path,
                   int (*each)(void *ctx, const char *name, bool is_folder), void *ctx, ra_err *err);
