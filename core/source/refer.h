// refer.h - a NetCDF file as kerchunk references (JSON, version 1): its variables as arrays of Zarr v2 whose chunks are byte
// ranges of the file as it lies. Small cells that no range gives (compact layout, texts) stand in the references
// themselves. Ingest process only.
#pragma once
#include "base/str.h"
#include "source/source.h"

// Appends the references. `target`: what they call the file, as the template "u". RA_E_UNSUPPORTED, naming the variable
// and what about it, where a range of bytes and Zarr's codecs cannot say how cells are stored.
int ra_refer(ra_source *source, const char *target, ra_str *out, ra_err *err);
