// fetched.h - a file of a server, fetched whole into a folder of its own in the scratch folder, for as long as it is used: for
// formats that are read from files. The URL's last part names it.
#pragma once
#include <stdbool.h>

#include "net/remote.h"

typedef struct ra_fetched ra_fetched;

bool ra_is_url(const char *place);  // of http or https
// The name that a URL's file has: its last part, without a query, in letters, digits, '.', '_' and '-'.
void ra_url_name(const char *url, char *out, size_t size);
// RA_E_UNSUPPORTED where this process fetches nothing (access.h).
int ra_fetched_new(const char *url, ra_fetched **out, ra_err *err);
void ra_fetched_free(ra_fetched *fetched);  // removes it; NULL is fine
const char *ra_fetched_path(const ra_fetched *fetched);
const ra_remote_state *ra_fetched_state(const ra_fetched *fetched);
