// doctor_folders.c - see doctor.h
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/doctor.h"
#include "ingest/scratch.h"

enum { LOW_MIB = 1024, EMPTY_MIB = 64 };

const char *ra_doctor_path(const char *url) {
  if (strncmp(url, "file:", 5) == 0) url += 5;
  return strncmp(url, "//", 2) == 0 ? url + 2 : url;
}

// The nearest folder above, or the path itself, that exists.
static void existing(const char *path, char out[PATH_MAX]) {
  snprintf(out, PATH_MAX, "%s", path);
  while (access(out, F_OK) != 0) {
    char *slash = strrchr(out, '/');
    if (!slash || slash == out) {
      snprintf(out, PATH_MAX, "%s", slash ? "/" : ".");
      return;
    }
    *slash = 0;
  }
}

static void room(ra_doctor *doctor, const char *check, const char *path) {
  struct statvfs info;
  char folder[PATH_MAX];
  existing(path, folder);
  if (statvfs(folder, &info) != 0) return;
  uint64_t free_mib = (uint64_t)info.f_bavail * info.f_frsize >> 20;
  if (free_mib >= LOW_MIB) {
    ra_doctor_find(doctor, RA_HEALTH_OK, check, NULL, "%s: %" PRIu64 " MiB are free", path, free_mib);
    return;
  }
  ra_doctor_find(
      doctor, free_mib < EMPTY_MIB ? RA_HEALTH_FAIL : RA_HEALTH_WARN, check,
      "make room (rastrum catalog gc removes what was replaced), or move the folder to a "
      "larger disk",
      "%s: only %" PRIu64 " MiB are free", path, free_mib);
}

static void missing_store(ra_doctor *doctor, const char *path) {
  char folder[PATH_MAX];
  existing(path, folder);
  if (access(folder, W_OK | X_OK) == 0) {
    ra_doctor_find(doctor, RA_HEALTH_WARN, "store",
                   "ingest a file (rastrum ingest FILE makes it), or name another with --store",
                   "%s: there is no store yet", path);
  } else {
    ra_doctor_find(
        doctor, RA_HEALTH_FAIL, "store",
        "make the folder and give it to the user that runs rastrum, or name another with "
        "--store",
        "%s: there is no store, and none can be made in %s: %s", path, folder, strerror(errno));
  }
}

static void store(ra_doctor *doctor, const char *path) {
  if (access(path, F_OK) != 0) {
    missing_store(doctor, path);
  } else if (access(path, R_OK | X_OK) != 0) {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "store",
                   "give the user that runs rastrum the right to read it", "%s: cannot be read: %s",
                   path, strerror(errno));
  } else if (access(path, W_OK) != 0) {
    ra_doctor_find(doctor, RA_HEALTH_WARN, "store",
                   "give the user that runs rastrum the right to write it, where it shall ingest",
                   "%s: can be served, not written: %s", path, strerror(errno));
  } else {
    ra_doctor_find(doctor, RA_HEALTH_OK, "store", NULL, "%s: can be read and written", path);
  }
}

static void scratch(ra_doctor *doctor) {
  const char *path = ra_scratch_folder(ra_config_text(doctor->config, "scratch"));
  if (access(path, W_OK | X_OK) == 0) {
    room(doctor, "scratch", path);
  } else {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "scratch", "name a folder that can be with --scratch",
                   "%s: cannot be written: %s", path, strerror(errno));
  }
}

// Beside a file that is not ingested its report is put, so the folder is written, too.
static void watched(ra_doctor *doctor) {
  const char *path = ra_config_text(doctor->config, "watch");
  if (!path) return;
  if (access(path, R_OK | X_OK) != 0) {
    ra_doctor_find(doctor, RA_HEALTH_FAIL, "watch",
                   "make the folder and let the user that runs rastrum read it, or name another "
                   "with --watch",
                   "%s: cannot be read: %s", path, strerror(errno));
  } else if (access(path, W_OK) != 0) {
    ra_doctor_find(doctor, RA_HEALTH_WARN, "watch",
                   "give the user that runs rastrum the right to write it",
                   "%s: why a file is refused cannot be put beside it: %s", path, strerror(errno));
  } else {
    ra_doctor_find(doctor, RA_HEALTH_OK, "watch", NULL, "%s: can be read and written", path);
  }
}

void ra_doctor_folders(ra_doctor *doctor) {
  const char *path = ra_doctor_path(ra_config_text(doctor->config, "store"));
  store(doctor, path);
  room(doctor, "disk", path);
  scratch(doctor);
  watched(doctor);
}
