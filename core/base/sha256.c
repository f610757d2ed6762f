// sha256.c - see sha256.h; the arithmetic is OpenSSL's.
#include "base/sha256.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

// An ra_sha256 is OpenSSL's context under our name: the struct is never completed.
static EVP_MD_CTX *inner(ra_sha256 *hash) { return (EVP_MD_CTX *)hash; }

int ra_sha256_new(ra_sha256 **out, ra_err *err) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
    EVP_MD_CTX_free(ctx);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for a SHA-256 state");
  }
  *out = (ra_sha256 *)ctx;
  return RA_OK;
}

void ra_sha256_free(ra_sha256 *hash) { EVP_MD_CTX_free(inner(hash)); }

void ra_sha256_add(ra_sha256 *hash, const void *data, size_t size) {
  EVP_DigestUpdate(inner(hash), data, size);
}

static void to_hex(const unsigned char digest[32], char out[65]) {
  for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void ra_sha256_hex(ra_sha256 *hash, char out[65]) {
  unsigned char digest[32] = {0};
  EVP_DigestFinal_ex(inner(hash), digest, NULL);
  to_hex(digest, out);
}

void ra_sha256_of(const void *data, size_t size, char out[65]) {
  unsigned char digest[32];
  SHA256(data, size, digest);
  to_hex(digest, out);
}
