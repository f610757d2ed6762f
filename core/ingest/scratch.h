// scratch.h - one file without a name for what does not fit in memory: appended by any thread, read back at will. It is
// gone when its descriptor is, so that a process that is killed leaves nothing.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ra__scratch ra__scratch;

// The folder that --scratch names; NULL: $TMPDIR, else /var/tmp.
const char *ra_scratch_folder(const char *folder);
int ra__scratch_open(const char *folder, ra__scratch **out, ra_err *err);
void ra__scratch_free(ra__scratch *scratch);  // NULL is fine
// RA_E_TOOBIG when the folder has less room than `need`, with both figures.
int ra__scratch_check(const char *folder, uint64_t need, ra_err *err);
int ra__scratch_append(ra__scratch *scratch, const void *data, size_t size, uint64_t *offset,
                       ra_err *err);
int ra__scratch_read(const ra__scratch *scratch, uint64_t offset, void *dst, size_t size,
                     ra_err *err);
// Gives the room of what will not be read any more back to the disk, where the file system can.
void ra__scratch_release(ra__scratch *scratch, uint64_t offset, size_t size);
int ra__scratch_sync(const ra__scratch *scratch, ra_err *err);
// Gives all room back; no one reads or appends meanwhile.
int ra__scratch_reset(ra__scratch *scratch, ra_err *err);
uint64_t ra__scratch_peak(const ra__scratch *scratch);  // most bytes at a time so far
