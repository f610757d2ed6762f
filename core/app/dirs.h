// dirs.h - where the Lua library, the plugins, the ramps and the tile matrix sets are: beside the binary or under its prefix, then those of the
// configuration; and what they hold, as a bundle.
#pragma once
#include <limits.h>

#include "app/config.h"
#include "script/bundle.h"

enum { RA_DIRS_PATH = PATH_MAX + 64, RA_DIRS_MOST = 66 };

typedef struct ra_dirs {
  char library[RA_DIRS_PATH], own_plugins[RA_DIRS_PATH], own_colormaps[RA_DIRS_PATH];
  const char *plugins[RA_DIRS_MOST], *colormaps[RA_DIRS_MOST];
  const char *tile_matrix_sets[RA_DIRS_MOST];  // all three NULL-terminated
} ra_dirs;

// The folders; the texts of the configuration's are borrowed. Fails where one is missing.
int ra_dirs_find(ra_dirs *dirs, const ra_config *config, ra_err *err);
// What they hold now, with the configuration file's table. Blocks.
int ra_dirs_read(const ra_dirs *dirs, const ra_config *config, ra_bundle **out, ra_err *err);
// Both.
int ra_dirs_bundle(const ra_config *config, ra_bundle **out, ra_err *err);
