// bundle.h - everything a VM is made of, as one block of named texts: the library, the plugins with the files beside them,
// the ramps, the tile matrix sets, and the table of the configuration file. The folders are read once; all VMs made of a bundle are alike,
// whatever happens to the folders meanwhile, and a module that is required late fits those that were read early.
// Refcounted and immutable: any thread.
//
//   rastrum.lua                the configuration's table as JSON, where there is one
//   library/app.lua            the module rastrum.app
//   plugins/00/tiles/init.lua  of the first folder of plugins
//   plugins/01/hello.lua
//   colormaps/00/viridis.json
//   tile_matrix_sets/00/NZTM2000Quad.json
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ra_bundle ra_bundle;

typedef struct ra_bundle_dirs {
  const char *library;                  // the folder that holds rastrum/*.lua
  const char *const *plugins;           // NULL-terminated; a later folder replaces plugins by name
  const char *const *colormaps;         // likewise, for ramps
  const char *const *tile_matrix_sets;  // likewise; NULL: none
} ra_bundle_dirs;

typedef struct ra_bundle_entry {
  const char *name;
  const char *text;  // ends with a zero byte that `size` does not count
  size_t size;
  bool failed;  // the file could not be read: text says why
} ra_bundle_entry;

enum { RA_BUNDLE_SOURCE_MOST = 1 << 20, RA_BUNDLE_ASSET_MOST = 4 << 20 };

// Blocks. A plugin's file that cannot be read becomes a failed entry; a folder of plugins or ramps that cannot be read is
// logged. settings: the configuration's table as JSON, or NULL.
int ra_bundle_read(const ra_bundle_dirs *dirs, const char *settings, ra_bundle **out, ra_err *err);
ra_bundle *ra_bundle_ref(ra_bundle *bundle);
void ra_bundle_unref(ra_bundle *bundle);  // NULL is fine

size_t ra_bundle_count(const ra_bundle *bundle);
// In the order of their names.
const ra_bundle_entry *ra_bundle_at(const ra_bundle *bundle, size_t i);
const ra_bundle_entry *ra_bundle_find(const ra_bundle *bundle, const char *name);  // NULL: none
// The first entry whose name is not before `prefix`: those that begin with it follow. May be the count.
size_t ra_bundle_first(const ra_bundle *bundle, const char *prefix);
// Equal bundles have equal digests.
uint64_t ra_bundle_digest(const ra_bundle *bundle);

// Through a file that processes share (both block; the file's own position is not used). `generation` goes along.
int ra_bundle_save(const ra_bundle *bundle, int fd, uint32_t generation, ra_err *err);
int ra_bundle_restore(int fd, uint32_t *generation, ra_bundle **out, ra_err *err);
