// outward.h - what every request of ours to others passes: http and https alone, no proxy, no credentials of files, and an
// address that is checked before it is connected to and again before a connection is used, for each redirect as for the
// first. Special addresses (address.h) are refused unless the configuration allows them.
#pragma once
#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"

typedef struct ra__outward {
  const char *const *allowed;  // networks and addresses; NULL-terminated; may be NULL
  bool refused;                // an address was
} ra__outward;

// RA_E_INVALID for what is no URL of http or https, or is longer than 8 KiB.
int ra__outward_check(const char *url, ra_err *err);
// Sets an easy handle up for a checked URL; `outward` must outlive the transfer. No redirect leads from https to http.
CURLcode ra__outward_set(CURL *easy, const char *url, unsigned redirects, ra__outward *outward);
// What to say of a refused address.
int ra__outward_refused(const char *shown, ra_err *err);
