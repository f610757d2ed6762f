// options.h - every setting of the product in one table: its name, type, default and where it may stand. The same
// name is a long option (dashes), a key of rastrum.lua (underscores) and RASTRUM_<NAME> in the environment.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef enum ra_option_type {
  RA_OPTION_TEXT,
  RA_OPTION_INT,
  RA_OPTION_BOOL,
  RA_OPTION_BYTES,     // 512M, 64K, 1G or a plain number
  RA_OPTION_DURATION,  // 5s, 100ms, 2m
  RA_OPTION_LIST       // repeatable; in the environment separated by commas
} ra_option_type;

// The subcommands that take an option, as bits.
enum {
  RA_CMD_INGEST = 1 << 0,
  RA_CMD_INSPECT = 1 << 1,
  RA_CMD_SERVE = 1 << 2,
  RA_CMD_CATALOG = 1 << 3,
  RA_CMD_TILE = 1 << 4,
  RA_CMD_SERIES = 1 << 5,
  RA_CMD_CONFIG = 1 << 6,
  RA_CMD_OPENAPI = 1 << 7,
  RA_CMD_COLORMAP = 1 << 8,
  RA_CMD_PLUGIN = 1 << 9,
  RA_CMD_VERSION = 1 << 10,
  RA_CMD_COMPACT = 1 << 11,
  RA_CMD_PRINT = 1 << 12,  // no options, no configuration
  RA_CMD_HOST = RA_CMD_INGEST | RA_CMD_INSPECT | RA_CMD_SERVE | RA_CMD_CATALOG | RA_CMD_TILE |
                RA_CMD_SERIES | RA_CMD_CONFIG | RA_CMD_OPENAPI | RA_CMD_COLORMAP | RA_CMD_PLUGIN |
                RA_CMD_COMPACT,
  RA_CMD_REQUEST = RA_CMD_SERVE | RA_CMD_TILE | RA_CMD_SERIES | RA_CMD_CONFIG
};

typedef struct ra_option {
  const char *name;  // with underscores
  ra_option_type type;
  const char *fallback;  // NULL: none
  unsigned commands;
  bool flag_only;     // a one-off such as --json: not a key of rastrum.lua, not in the environment
  bool secret;        // never printed
  const char *value;  // what stands for the value in --help
  const char *help;
} ra_option;

extern const ra_option RA_OPTIONS[];
extern const size_t RA_OPTION_COUNT;

const ra_option *ra_option_find(const char *name);  // dashes or underscores; NULL
// The known name nearest to `name` among those that `accept` allows, or NULL when none is near.
const char *ra_option_nearest(const char *name, unsigned commands);
// How many letters two short names differ by; dashes count as underscores.
unsigned ra_option_distance(const char *a, const char *b);
// Whether a running server keeps the value it started with; all others are read anew by a reload.
bool ra_option_is_fixed(const char *name);
