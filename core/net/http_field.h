// http_field.h - small readers of header values, inside net/. Pure functions.
#pragma once
#include <stdbool.h>

bool ra__http_is_token_char(unsigned char c);
bool ra__http_is_token(const char *text);  // one character or more
// No control bytes but tab: what may stand in a header's value.
bool ra__http_is_value(const char *text);
// Whether an Accept-Encoding value (NULL: none) takes gzip.
bool ra__http_accepts_gzip(const char *accept_encoding);
// Whether a comma-separated list holds a word, without regard to case.
bool ra__http_list_has(const char *list, const char *word);
const char *ra__http_status_text(int status);
