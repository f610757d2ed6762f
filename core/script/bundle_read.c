// bundle_read.c - which files of the folders make a bundle: rastrum/*.lua of the library; of a folder of plugins NAME.lua
// and the files of each NAME/ with an init.lua; NAME.json, .csv and .cpt of a folder of ramps, NAME.json of a folder of tile
// matrix sets.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "script/bundle_private.h"
#include "script/host.h"

enum { NAME_SIZE = 600, PATH_SIZE = 4600, DIRS_MOST = 100 };

typedef void each_fn(ra_str *block, const char *dir, const char *entry, const char *prefix);

static bool has_suffix(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n > m && strcmp(name + n - m, suffix) == 0;
}

static bool is_source(const char *name) {
  return has_suffix(name, ".lua") && !has_suffix(name, "_spec.lua");
}

// What is gone by now or no regular file is left out.
static void add_file(ra_str *block, const char *dir, const char *entry, const char *prefix) {
  char path[PATH_SIZE], name[NAME_SIZE];
  size_t most = has_suffix(entry, ".lua") ? RA_BUNDLE_SOURCE_MOST : RA_BUNDLE_ASSET_MOST;
  if (snprintf(path, sizeof path, "%s/%s", dir, entry) >= (int)sizeof path) return;
  if (snprintf(name, sizeof name, "%s/%s", prefix, entry) >= (int)sizeof name) return;
  ra_str text;
  ra_err err = {0};
  ra_str_init(&text);
  int rc = ra__read_file(path, most, &text, &err);
  if (rc == RA_OK) {
    ra__bundle_add(block, name, false, text.ptr ? text.ptr : "", text.len);
  } else if (rc != RA_E_NOTFOUND && rc != RA_E_INVALID) {
    ra_log(RA_LOG_WARN, "%s: %s", path, err.message);
    ra__bundle_add(block, name, true, err.message, strlen(err.message));
  }
  ra_str_deinit(&text);
}

static bool each(ra_str *block, const char *dir, const char *prefix, each_fn *fn) {
  DIR *open = opendir(dir);
  if (!open) return false;
  for (struct dirent *e; (e = readdir(open));) {
    if (e->d_name[0] != '.') fn(block, dir, e->d_name, prefix);
  }
  closedir(open);
  return true;
}

static void add_source(ra_str *block, const char *dir, const char *entry, const char *prefix) {
  if (is_source(entry)) add_file(block, dir, entry, prefix);
}

static void add_ramp(ra_str *block, const char *dir, const char *entry, const char *prefix) {
  if (has_suffix(entry, ".json") || has_suffix(entry, ".csv") || has_suffix(entry, ".cpt"))
    add_file(block, dir, entry, prefix);
}

static void add_json(ra_str *block, const char *dir, const char *entry, const char *prefix) {
  if (has_suffix(entry, ".json")) add_file(block, dir, entry, prefix);
}

static void add_of_plugin(ra_str *block, const char *dir, const char *entry, const char *prefix) {
  if (!has_suffix(entry, ".lua") || is_source(entry)) add_file(block, dir, entry, prefix);
}

static void add_plugin(ra_str *block, const char *dir, const char *entry, const char *prefix) {
  char path[PATH_SIZE], inner[NAME_SIZE], init[PATH_SIZE + 16];
  if (is_source(entry)) {
    add_file(block, dir, entry, prefix);
    return;
  }
  if (!ra_name_valid(entry)) return;
  if (snprintf(path, sizeof path, "%s/%s", dir, entry) >= (int)sizeof path) return;
  snprintf(init, sizeof init, "%s/init.lua", path);
  if (access(init, F_OK) != 0) return;
  snprintf(inner, sizeof inner, "%s/%s", prefix, entry);
  each(block, path, inner, add_of_plugin);
}

static void add_folders(ra_str *block, const char *kind, const char *const *dirs, each_fn *fn) {
  char prefix[32];
  for (unsigned i = 0; dirs && dirs[i] && i < DIRS_MOST; i++) {
    snprintf(prefix, sizeof prefix, "%s/%02u", kind, i);
    if (!each(block, dirs[i], prefix, fn))
      ra_log(RA_LOG_WARN, "%s: cannot read %s: %s", kind, dirs[i], strerror(errno));
  }
}

int ra_bundle_read(const ra_bundle_dirs *dirs, const char *settings, ra_bundle **out, ra_err *err) {
  char library[PATH_SIZE];
  ra_str block;
  ra_str_init(&block);
  snprintf(library, sizeof library, "%s/rastrum", dirs->library);
  if (!each(&block, library, "library", add_source)) {
    int code = errno;
    ra_str_deinit(&block);
    return ra_fail_errno(err, code, library, "the Lua library cannot be read");
  }
  if (settings) ra__bundle_add(&block, "rastrum.lua", false, settings, strlen(settings));
  add_folders(&block, "plugins", dirs->plugins, add_plugin);
  add_folders(&block, "colormaps", dirs->colormaps, add_ramp);
  add_folders(&block, "tile_matrix_sets", dirs->tile_matrix_sets, add_json);
  return ra__bundle_index(&block, out, err);
}
