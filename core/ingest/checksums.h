// checksums.h - what our own readers decode of a source, array by array: `rastrum inspect --checksums`. (contracts.md §10)
#pragma once
#include "base/err.h"
#include "base/str.h"

// Appends {"source":…,"format":…,"arrays":[…]} about a NetCDF file, a Zarr store or a TIFF at `path`. `dump`: a folder that
// gets each array as .npy, or NULL. `memory`: bytes for decoded cells, at least a chunk's row. An array that cannot be
// decoded is an error that names it; one of a Zarr store whose type or codec we do not know is told as skipped, unless
// nothing else is in the store and its codec is why.
int ra_checksums(const char *path, const char *dump, size_t memory, ra_str *out, ra_err *err);
