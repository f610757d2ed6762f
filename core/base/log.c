// log.c - see log.h
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static ra_log_level least_level = RA_LOG_INFO;
static ra_log_format chosen = RA_LOG_AUTO;
static char worker_json[32], worker_plain[16];
static const char *const LEVELS[] = {"debug", "info", "warn", "error"};

void ra_log_setup(ra_log_level least, ra_log_format format) {
  least_level = least;
  chosen = format == RA_LOG_AUTO ? (isatty(STDERR_FILENO) ? RA_LOG_PLAIN : RA_LOG_JSON) : format;
}

void ra_log_worker(unsigned index, bool plain) {
  snprintf(worker_json, sizeof worker_json, ",\"worker\":%u", index);
  if (plain) snprintf(worker_plain, sizeof worker_plain, "w%u ", index);
}

bool ra_log_enabled(ra_log_level level) { return level >= least_level; }

static void add_stamp(ra_str *line, const char *form) {
  int64_t ms = ra_clock_wall_ms();
  time_t seconds = (time_t)(ms / 1000);
  struct tm tm;
  char text[32];
  gmtime_r(&seconds, &tm);
  strftime(text, sizeof text, form, &tm);
  ra_str_addf(line, "%s.%03d", text, (int)(ms % 1000));
}

void ra_log_fields(ra_log_level level, const char *message, const char *fields) {
  if (level < least_level) return;
  if (chosen == RA_LOG_AUTO) ra_log_setup(least_level, RA_LOG_AUTO);
  ra_str line;
  ra_str_init(&line);
  if (chosen == RA_LOG_JSON) {
    ra_str_add(&line, "{\"time\":\"");
    add_stamp(&line, "%Y-%m-%dT%H:%M:%S");
    ra_str_addf(&line, "Z\",\"level\":\"%s\"%s,\"message\":", LEVELS[level], worker_json);
    ra_str_add_json(&line, message);
    if (fields && *fields) ra_str_addf(&line, ",%s", fields);
    ra_str_add(&line, "}\n");
  } else {
    add_stamp(&line, "%H:%M:%S");
    ra_str_addf(&line, " %-5s %s", LEVELS[level], worker_plain);
    for (const char *p = message; *p; p++) {  // control characters could forge a second line
      ra_str_add_char(&line, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
    }
    if (fields && *fields) ra_str_addf(&line, "  %s", fields);
    ra_str_add_char(&line, '\n');
  }
  if (!line.failed) {
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);  // one call, so lines never mix
    (void)written;
  }
  ra_str_deinit(&line);
}

void ra_log(ra_log_level level, const char *fmt, ...) {
  if (level < least_level) return;
  char message[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(message, sizeof message, fmt, ap);
  va_end(ap);
  ra_log_fields(level, message, NULL);
}
