// http_bind.c - makes listening sockets, before any loop exists.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/http.h"

#define BACKLOG 1024
#define TRIES 20

typedef union any_address {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_un un;
} any_address;

static int bad_address(const char *address, ra_err *err) {
  return ra_fail(err, RA_E_INVALID, address,
                 "is not an address to listen on; \"127.0.0.1:8080\", \"[::1]:8080\" or "
                 "\"unix:/path\" would be");
}

// Splits "host:port"; the host may stand in brackets.
static int split(const char *address, char *host, size_t size, int *port, ra_err *err) {
  const char *colon = strrchr(address, ':');
  if (!colon) return bad_address(address, err);
  char *end;
  errno = 0;
  long number = strtol(colon + 1, &end, 10);
  if (errno || *end || end == colon + 1 || number < 0 || number > 65535)
    return bad_address(address, err);
  const char *start = address;
  size_t len = (size_t)(colon - address);
  if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
    start++;
    len -= 2;
  }
  if (len >= size) return bad_address(address, err);
  memcpy(host, start, len);
  host[len] = 0;
  *port = (int)number;
  return RA_OK;
}

static int resolve(const char *address, any_address *out, socklen_t *len, int *port, ra_err *err) {
  char host[64];
  int rc = split(address, host, sizeof host, port, err);
  if (rc < 0) return rc;
  memset(out, 0, sizeof *out);
  const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1"
                     : strcmp(host, "") == 0        ? "0.0.0.0"
                                                    : host;
  if (inet_pton(AF_INET, name, &out->in.sin_addr) == 1) {
    out->in.sin_family = AF_INET;
    *len = sizeof out->in;
  } else if (inet_pton(AF_INET6, name, &out->in6.sin6_addr) == 1) {
    out->in6.sin6_family = AF_INET6;
    *len = sizeof out->in6;
  } else {
    return bad_address(address, err);
  }
  return RA_OK;
}

static void set_port(any_address *a, int port) {
  if (a->any.sa_family == AF_INET) {
    a->in.sin_port = htons((uint16_t)port);
  } else {
    a->in6.sin6_port = htons((uint16_t)port);
  }
}

static int bound_port(int fd) {
  any_address a = {0};
  socklen_t len = sizeof a;
  if (getsockname(fd, &a.any, &len) < 0) return 0;
  return ntohs(a.any.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
}

// Binds and listens; the descriptor, or a negative errno.
static int listen_on(const any_address *a, socklen_t len) {
  int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int on = 1;
  if (a->any.sa_family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, &a->any, len) == 0 && listen(fd, BACKLOG) == 0) return fd;
  int saved = errno;
  close(fd);
  return -saved;
}

static bool someone_listens(const any_address *a, socklen_t len) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  bool answered = connect(fd, &a->any, len) == 0 || errno != ECONNREFUSED;
  close(fd);
  return answered;
}

static int bind_unix(const char *path, int *out, ra_err *err) {
  any_address a;
  memset(&a, 0, sizeof a);
  a.un.sun_family = AF_UNIX;
  if (!*path || strlen(path) >= sizeof a.un.sun_path) {
    return ra_fail(err, RA_E_INVALID, path, "a socket's path must have 1 to %zu bytes",
                   sizeof a.un.sun_path - 1);
  }
  memcpy(a.un.sun_path, path, strlen(path));
  // The mask keeps others out from the first moment; a socket that nobody serves any more is replaced.
  mode_t mask = umask(0177);
  int fd = listen_on(&a, sizeof a.un);
  struct stat info;
  if (fd == -EADDRINUSE && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode) &&
      !someone_listens(&a, sizeof a.un)) {
    unlink(path);
    fd = listen_on(&a, sizeof a.un);
  }
  umask(mask);
  if (fd < 0) return ra_fail_errno(err, -fd, path, "cannot be listened on");
  *out = fd;
  return RA_OK;
}

int ra_http_bind(const char *address, bool next_free, int *fd, int *port, ra_err *err) {
  any_address a;
  socklen_t len = 0;
  *port = 0;
  if (strncmp(address, "unix:", 5) == 0) return bind_unix(address + 5, fd, err);
  int first = 0, rc = resolve(address, &a, &len, &first, err);
  if (rc < 0) return rc;
  int tries = next_free && first ? TRIES + 1 : 1, got = -EADDRINUSE;
  for (int i = 0; i < tries && first + i <= 65535 && got == -EADDRINUSE; i++) {
    set_port(&a, first + i);
    got = listen_on(&a, len);
  }
  if (got == -EADDRINUSE) {
    return ra_fail(err, RA_E_CONFLICT, address,
                   tries > 1 ? "this port and the next %d are taken; choose another with --listen"
                             : "the port is taken by another program; choose another with "
                               "--listen, or --next-free-port",
                   TRIES);
  }
  if (got < 0) return ra_fail_errno(err, -got, address, "cannot be listened on");
  *fd = got;
  *port = bound_port(got);
  return RA_OK;
}
