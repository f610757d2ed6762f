// log.h - one line a message on standard error: JSON, or plain words on a terminal. Whatever the fields
// hold, a message stays one line. Any thread. Never give it a token, a signed URL or a secret.
#pragma once
#include <stdbool.h>

#include "base/str.h"

typedef enum ra_log_level { RA_LOG_DEBUG, RA_LOG_INFO, RA_LOG_WARN, RA_LOG_ERROR } ra_log_level;
typedef enum ra_log_format { RA_LOG_AUTO, RA_LOG_JSON, RA_LOG_PLAIN } ra_log_format;

// Which worker this process is, for its lines. On a terminal only where `plain`.
void ra_log_worker(unsigned index, bool plain);
void ra_log_setup(ra_log_level least, ra_log_format format);
bool ra_log_enabled(ra_log_level level);
void ra_log(ra_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A message with fields: `fields` is the inside of a JSON object (`"status":200,"ms":1.5`) or NULL. On a
// terminal it is printed as it is, after the message.
void ra_log_fields(ra_log_level level, const char *message, const char *fields);
