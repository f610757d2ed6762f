// fetched.c - see fetched.h
#include "source/fetched.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "source/access.h"

struct ra_fetched {
  char *folder, *path;
  ra_remote_state state;
};

bool ra_is_url(const char *place) {
  return strncasecmp(place, "http://", 7) == 0 || strncasecmp(place, "https://", 8) == 0;
}

void ra_url_name(const char *url, char *out, size_t size) {
  size_t end = strcspn(url, "?#");
  while (end && url[end - 1] == '/') end--;
  size_t from = end;
  while (from && url[from - 1] != '/') from--;
  size_t n = end - from < size ? end - from : size - 1;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)url[from + i];
    out[i] = (char)(c < 0x80 && (isalnum(c) || strchr("._-", c)) ? c : '_');
  }
  out[n] = 0;
  if (!n || out[0] == '.') snprintf(out, size, "source");
}

static int fetch(ra_fetched *f, const char *url, ra_err *err) {
  const ra_source_access *access = ra_source_get_access();
  int fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return ra_fail_errno(err, errno, f->path, "cannot be written");
  int rc = ra_remote_download(access->remote, url, access->most, fd, NULL, &f->state, err);
  if (close(fd) < 0 && rc >= 0)
    rc = ra_fail_errno(err, errno, f->path, "what was fetched cannot be kept");
  return rc;
}

int ra_fetched_new(const char *url, ra_fetched **out, ra_err *err) {
  const ra_source_access *access = ra_source_get_access();
  const char *given = getenv("TMPDIR"), *scratch = access->scratch;
  char name[128];
  if (!access->remote)
    return ra_fail(err, RA_E_UNSUPPORTED, url, "files of servers are not read here");
  if (!scratch) scratch = given && *given ? given : "/var/tmp";
  ra_url_name(url, name, sizeof name);
  ra_fetched *f = calloc(1, sizeof *f);
  int rc = RA_OK;
  if (!f || asprintf(&f->folder, "%s/rastrum-XXXXXX", scratch) < 0) {
    rc = ra_fail(err, RA_E_NOMEM, url, "out of memory");
  } else if (!mkdtemp(f->folder)) {
    rc = ra_fail_errno(err, errno, scratch,
                       "takes no file that is fetched; name another folder with --scratch");
    free(f->folder);
    f->folder = NULL;
  } else if (asprintf(&f->path, "%s/%s", f->folder, name) < 0) {
    rc = ra_fail(err, RA_E_NOMEM, url, "out of memory");
  }
  if (rc >= 0 && f) rc = fetch(f, url, err);
  if (rc < 0) {
    ra_fetched_free(f);
    return rc;
  }
  *out = f;
  return RA_OK;
}

void ra_fetched_free(ra_fetched *f) {
  if (!f) return;
  if (f->path) unlink(f->path);
  if (f->folder) rmdir(f->folder);
  free(f->path);
  free(f->folder);
  free(f);
}

const char *ra_fetched_path(const ra_fetched *f) { return f->path; }
const ra_remote_state *ra_fetched_state(const ra_fetched *f) { return &f->state; }
