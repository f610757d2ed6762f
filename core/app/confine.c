// confine.c - see confine.h
#include "app/confine.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/dirs.h"
#include "app/host.h"
#include "base/confine.h"
#include "ingest/scratch.h"
#include "net/store.h"

// Code and data of libraries, names of hosts, certificates, devices and what the kernel tells.
static const char *const SYSTEM[] = {"/usr",
                                     "/lib",
                                     "/lib64",
                                     "/opt",
                                     "/etc/ssl",
                                     "/etc/pki",
                                     "/etc/ca-certificates",
                                     "/etc/resolv.conf",
                                     "/etc/hosts",
                                     "/etc/host.conf",
                                     "/etc/nsswitch.conf",
                                     "/etc/gai.conf",
                                     "/etc/services",
                                     "/etc/ld.so.cache",
                                     "/etc/localtime",
                                     "/proc",
                                     "/sys/devices/system/cpu",
                                     "/sys/fs/cgroup",
                                     "/dev/null",
                                     "/dev/zero",
                                     "/dev/random",
                                     "/dev/urandom"};
// Folders or files that the environment names to libraries.
static const char *const NAMED[] = {"PROJ_DATA",         "PROJ_LIB",     "GDAL_DATA",
                                    "UDUNITS2_XML_PATH", "SSL_CERT_DIR", "SSL_CERT_FILE",
                                    "CURL_CA_BUNDLE"};
enum { MARGIN = 512 << 20, THREAD = 16 << 20 };

static void allow_below(int list, const char *path, size_t length, bool write) {
  char folder[PATH_MAX];
  if (length >= sizeof folder) return;
  memcpy(folder, path, length);
  folder[length] = 0;
  ra_confine_allow(list, length ? folder : "/", write);
}

// The folder that a path stands in, by what it is in the end.
static void allow_parent(int list, const char *path, bool write) {
  char real[PATH_MAX];
  const char *known = realpath(path, real) ? real : path, *slash = strrchr(known, '/');
  if (slash) {
    allow_below(list, known, (size_t)(slash - known), write);
  } else {
    ra_confine_allow(list, ".", write);
  }
}

static void allow_program(int list, const ra_config *config) {
  ra_dirs *dirs = malloc(sizeof *dirs);
  allow_parent(list, "/proc/self/exe", false);
  if (dirs && ra_dirs_find(dirs, config, NULL) >= 0) {
    ra_confine_allow(list, dirs->library, false);
    for (unsigned i = 0; dirs->plugins[i]; i++) ra_confine_allow(list, dirs->plugins[i], false);
    for (unsigned i = 0; dirs->colormaps[i]; i++) ra_confine_allow(list, dirs->colormaps[i], false);
    for (unsigned i = 0; dirs->tile_matrix_sets[i]; i++)
      ra_confine_allow(list, dirs->tile_matrix_sets[i], false);
  }
  free(dirs);
}

static void allow_system(int list) {
  for (size_t i = 0; i < sizeof SYSTEM / sizeof *SYSTEM; i++)
    ra_confine_allow(list, SYSTEM[i], false);
  for (size_t i = 0; i < sizeof NAMED / sizeof *NAMED; i++) {
    const char *folders = getenv(NAMED[i]);
    while (folders && *folders) {
      size_t n = strcspn(folders, ":");
      if (n) allow_below(list, folders, n, false);
      folders += n + (folders[n] == ':');
    }
  }
}

static bool is_references(const char *path) {
  char first = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  bool read = fd >= 0 && pread(fd, &first, 1, 0) == 1;
  if (fd >= 0) close(fd);
  return read && first == '{';
}

// References lead to files beside them, or below the roots.
static void allow_sources(int list, const ra_cli *cli) {
  bool refers = ra_config_bool(cli->config, "virtual");
  for (int i = 0; i < cli->word_count; i++) {
    ra_confine_allow(list, cli->words[i], false);
    if (refers || is_references(cli->words[i])) allow_parent(list, cli->words[i], false);
  }
  for (const char *const *root = ra_config_list(cli->config, "source_roots"); *root; root++)
    ra_confine_allow(list, *root, false);
}

static void allow_store(int list, const ra_config *config, bool writes) {
  ra_store *store;
  if (ra_store_open(ra_config_text(config, "store"), writes, &store, NULL) >= 0) {
    ra_confine_allow(list, ra_store_root(store), true);
    ra_store_free(store);
  }
  ra_str catalog;
  ra_str_init(&catalog);
  ra_host_catalog_url(config, &catalog);
  if (catalog.ptr && strncmp(catalog.ptr, "sqlite:", 7) == 0)
    allow_parent(list, catalog.ptr + 7, true);
  ra_str_deinit(&catalog);
}

void ra_confine_sources(const ra_cli *cli, bool writes) {
  const char *dump = ra_config_text(cli->config, "dump");
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  int list = ra_confine_new();
  allow_system(list);
  allow_program(list, cli->config);
  allow_sources(list, cli);
  allow_store(list, cli->config, writes);
  ra_confine_allow(list, ra_scratch_folder(ra_config_text(cli->config, "scratch")), true);
  if (dump) ra_confine_allow(list, dump, true);
  ra_confine_apply(list);
  ra_confine_memory(ra_config_bytes(cli->config, "memory") + MARGIN +
                    (size_t)(cores > 0 ? cores : 1) * THREAD);
}
