// zip.h - a zip archive as a store of objects (Zarr's ZipStore): stored and deflated entries, read through the reader of
// the archive. The directory is read once; then any thread may read. Names that climb, encrypted entries and other
// methods are refused. (PKWARE APPNOTE 6.3.10, with zip64)
#pragma once
#include <stdbool.h>

#include "base/reader.h"

typedef struct ra_zip ra_zip;

// `file` gives the archive's bytes as object `key`; it and the key are copied, file->ctx must outlive the zip.
int ra_zip_open(const ra_reader *file, const char *key, ra_zip **out, ra_err *err);
void ra_zip_free(ra_zip *zip);
size_t ra_zip_count(const ra_zip *zip);
const char *ra_zip_name(const ra_zip *zip, size_t i);  // in the order of bytes; folders are left out
// Where a stored entry's bytes stand in the archive, and their number; of a deflated one the number alone.
int ra_zip_place(const ra_zip *zip, const char *name, bool *stored, uint64_t *offset,
                 uint64_t *size, ra_err *err);
uint32_t ra_zip_checksum(const ra_zip *zip, size_t i, uint64_t *size);  // CRC-32 of its bytes
// Entries by name. What is deflated is inflated as a whole at each read, and its checksum compared.
ra_reader ra_zip_reader(ra_zip *zip);
