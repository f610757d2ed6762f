// sha256.h - SHA-256 over pieces, and its hexadecimal form. Any thread; one state a caller.
#pragma once
#include <stddef.h>

#include "base/err.h"

typedef struct ra_sha256 ra_sha256;

int ra_sha256_new(ra_sha256 **out, ra_err *err);
void ra_sha256_free(ra_sha256 *hash);
void ra_sha256_add(ra_sha256 *hash, const void *data, size_t size);
void ra_sha256_hex(ra_sha256 *hash, char out[65]);  // ends the hash; 64 digits and a zero byte
void ra_sha256_of(const void *data, size_t size, char out[65]);
