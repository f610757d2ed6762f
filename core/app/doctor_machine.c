// doctor_machine.c - see doctor.h
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "app/doctor.h"
#include "app/host.h"
#include "app/listener.h"
#include "codec/codec.h"
#include "geo/crs.h"
#include "net/fetch.h"
#include "source/source.h"

enum { OWN_FILES = 512, DAY = 86400 };

static void libraries(ra_doctor *doctor) {
  ra_str text;
  ra_str_init(&text);
  ra_source_versions(&text);
  ra_str_add(&text, ", ");
  ra_geo_versions(&text);
  ra_str_add(&text, ", ");
  ra_codec_versions(&text);
  ra_str_add(&text, ", ");
  ra_fetch_versions(&text);
  ra_doctor_find(doctor, RA_HEALTH_OK, "program", NULL, "rastrum %s", RA_VERSION);
  ra_doctor_find(doctor, RA_HEALTH_OK, "libraries", NULL, "%s, libuv %s, SQLite %s, %s",
                 text.ptr ? text.ptr : "", uv_version_string(), sqlite3_libversion(),
                 ra_script_lua_version());
  ra_str_deinit(&text);
}

// Without its database PROJ knows no EPSG code, and every projected file is refused.
static void projections(ra_doctor *doctor) {
  ra_crs *crs = NULL;
  ra_err err = {0};
  if (ra_crs_new("EPSG:3857", &crs, &err) == RA_OK) {
    ra_doctor_find(doctor, RA_HEALTH_OK, "proj", NULL, "PROJ's database knows EPSG:3857");
  } else {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "proj",
                   "install the package proj-data, and unset PROJ_DATA and PROJ_LIB",
                   "PROJ does not find its database: %s", err.message);
  }
  ra_crs_unref(crs);
}

static void open_files(ra_doctor *doctor) {
  struct rlimit files;
  uint64_t wanted = (uint64_t)ra_config_int(doctor->config, "max_connections") + OWN_FILES;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  unsigned long long most = files.rlim_max;
  if (most < 2 * OWN_FILES) {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "files",
                   "raise it (ulimit -Hn, LimitNOFILE= of the unit)",
                   "a process may open only %llu files; the store and the catalog alone take %d",
                   most, OWN_FILES);
  } else if (most < wanted) {
    ra_doctor_find(doctor, RA_HEALTH_WARN, "files",
                   "raise it (ulimit -Hn, LimitNOFILE= of the unit), or lower --max-connections",
                   "a process may open %llu files; %" PRIu64 " are wanted for --max-connections",
                   most, wanted);
  } else {
    ra_doctor_find(doctor, RA_HEALTH_OK, "files", NULL, "a process may open %llu files", most);
  }
}

// "123456 …" or "max" of a control group's file; UINT64_MAX: no limit.
static uint64_t group_limit(void) {
  unsigned long long value = 0;
  FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
  bool found = file && fscanf(file, "%llu", &value) == 1;
  if (file) fclose(file);
  return found ? value : UINT64_MAX;
}

// What this process may use: the machine's memory, its control group's and its own limit.
static uint64_t memory_most(void) {
  uint64_t most = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
  uint64_t group = group_limit();
  struct rlimit space;
  if (group < most) most = group;
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_max < most) most = space.rlim_max;
  return most;
}

static void memory(ra_doctor *doctor) {
  const ra_config *c = doctor->config;
  int64_t workers = ra_config_int(c, "workers");
  uint64_t each = ra_config_bytes(c, "block_cache") + ra_config_bytes(c, "header_cache") +
                  ra_config_bytes(c, "lua_memory");
  uint64_t wanted = (each + (128u << 20)) * (uint64_t)(workers > 0 ? workers : 1) >> 20;
  uint64_t most = memory_most() >> 20;
  if (most < wanted) {
    ra_doctor_find(doctor, RA_HEALTH_WARN, "memory",
                   "lower --block-cache, --lua-memory or --workers, or give it more memory",
                   "%" PRIu64 " MiB may be used; the caches of %" PRId64
                   " worker(s) can grow to %" PRIu64 " MiB",
                   most, workers, wanted);
  } else {
    ra_doctor_find(doctor, RA_HEALTH_OK, "memory", NULL,
                   "%" PRIu64 " MiB may be used; the caches can grow to %" PRIu64 " MiB", most,
                   wanted);
  }
}

// Leases, cache headers and gc compare times: a clock that runs behind what it wrote itself is not to be trusted.
static void clock_runs(ra_doctor *doctor) {
  struct stat info;
  ra_str catalog;
  ra_str_init(&catalog);
  ra_host_catalog_url(doctor->config, &catalog);
  const char *colon = catalog.ptr ? strchr(catalog.ptr, ':') : NULL;
  time_t now = time(NULL), written = colon && stat(colon + 1, &info) == 0 ? info.st_mtime : 0;
  ra_str_deinit(&catalog);
  char text[32];
  struct tm parts;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
  if (written > now + DAY) {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "clock", "set the clock (timedatectl set-ntp true)",
                   "the clock says %s, %lld hours before the catalog was last written", text,
                   (long long)(written - now) / 3600);
  } else {
    ra_doctor_find(doctor, RA_HEALTH_OK, "clock", NULL, "the clock says %s", text);
  }
}

// Whether what listens there answers /healthz as we do.
static bool is_ours(int port) {
  static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const struct timeval patience = {.tv_sec = 2};
  char answer[2048];
  size_t got = 0;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  bool asked = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
               send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)sizeof ask - 1;
  for (ssize_t n; asked && got < sizeof answer - 1; got += (size_t)n) {
    n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
    if (n <= 0) break;
  }
  close(fd);
  answer[got] = 0;
  return strstr(answer, "{\"status\":\"ok\"}") != NULL;
}

static void port(ra_doctor *doctor) {
  const char *address = ra_config_text(doctor->config, "listen");
  ra_listener listener;
  ra_err err = {0};
  int rc =
      ra_listener_open(&listener, address, ra_config_bool(doctor->config, "next_free_port"), &err);
  if (rc == RA_OK) ra_listener_close(&listener);
  const char *colon = strrchr(address, ':');
  if (rc == RA_OK) {
    ra_doctor_find(doctor, RA_HEALTH_OK, "port", NULL, "%s can be listened on", address);
  } else if (rc == RA_E_CONFLICT && colon && is_ours(atoi(colon + 1))) {
    ra_doctor_find(doctor, RA_HEALTH_OK, "port", NULL, "%s: rastrum answers there", address);
  } else {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "port",
                   "choose another with --listen HOST:PORT, or take the next with --next-free-port",
                   "%s: %s", address, err.message);
  }
}

void ra_doctor_machine(ra_doctor *doctor) {
  libraries(doctor);
  projections(doctor);
  open_files(doctor);
  memory(doctor);
  clock_runs(doctor);
  port(doctor);
}
