// dirs.c - see dirs.h
#include "app/dirs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool beside(const char *exe, const char *form, const char *name, char out[RA_DIRS_PATH]) {
  snprintf(out, RA_DIRS_PATH, form, exe, name);
  return access(out, R_OK | X_OK) == 0;
}

static int find_own(const char *name, char out[RA_DIRS_PATH], ra_err *err) {
  char exe[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0)
    return ra_fail(err, RA_E_IO, "/proc/self/exe", "the program's own path cannot be read");
  exe[n] = 0;
  char *slash = strrchr(exe, '/');
  if (slash) *slash = 0;
  if (beside(exe, "%s/%s", name, out) || beside(exe, "%s/../share/rastrum/%s", name, out))
    return RA_OK;
  return ra_fail(err, RA_E_NOTFOUND, name,
                 "the folder is neither beside the program nor in ../share/rastrum; reinstall");
}

// `option` as it is typed on the command line.
static int add_given(const char *list[RA_DIRS_MOST], unsigned n, const char *name,
                     const char *option, const ra_config *config, ra_err *err) {
  for (const char *const *more = ra_config_list(config, name); *more && n < RA_DIRS_MOST - 1; more++) {
    if (access(*more, R_OK | X_OK) != 0)
      return ra_fail(err, RA_E_NOTFOUND, *more,
                     "there is no such folder; --%s takes one that can be read", option);
    list[n++] = *more;
  }
  list[n] = NULL;
  return RA_OK;
}

static int fill(const char *list[RA_DIRS_MOST], char own[RA_DIRS_PATH], const char *name,
                const ra_config *config, ra_err *err) {
  int rc = find_own(name, own, err);
  if (rc < 0) return rc;
  list[0] = own;
  return add_given(list, 1, name, name, config, err);
}

int ra_dirs_find(ra_dirs *dirs, const ra_config *config, ra_err *err) {
  int rc = find_own("lua", dirs->library, err);
  if (rc == RA_OK) rc = fill(dirs->plugins, dirs->own_plugins, "plugins", config, err);
  if (rc == RA_OK) rc = fill(dirs->colormaps, dirs->own_colormaps, "colormaps", config, err);
  if (rc < 0) return rc;
  return add_given(dirs->tile_matrix_sets, 0, "tile_matrix_sets", "tile-matrix-sets", config, err);
}

int ra_dirs_read(const ra_dirs *dirs, const ra_config *config, ra_bundle **out, ra_err *err) {
  const ra_bundle_dirs from = {.library = dirs->library,
                               .plugins = dirs->plugins,
                               .colormaps = dirs->colormaps,
                               .tile_matrix_sets = dirs->tile_matrix_sets};
  return ra_bundle_read(&from, ra_config_file_json(config), out, err);
}

int ra_dirs_bundle(const ra_config *config, ra_bundle **out, ra_err *err) {
  ra_dirs *dirs = malloc(sizeof *dirs);
  if (!dirs) return ra_fail(err, RA_E_NOMEM, "", "no memory to find the plugins");
  int rc = ra_dirs_find(dirs, config, err);
  if (rc == RA_OK) rc = ra_dirs_read(dirs, config, out, err);
  free(dirs);
  return rc;
}
