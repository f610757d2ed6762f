// listener.c - see listener.h
#include "app/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/http.h"

static const char *path_of(const char *address) {
  if (strncmp(address, "unix:", 5) == 0) return address + 5;
  return strchr(address, '/') ? address : NULL;
}

static int open_path(ra_listener *listener, const char *path, ra_err *err) {
  char *address = NULL;
  int port, rc = RA_E_NOMEM;
  listener->path = strdup(path);
  if (!listener->path || asprintf(&address, "unix:%s", path) < 0) {
    address = NULL;
    ra_fail(err, rc, path, "no memory for a socket");
  } else {
    rc = ra_http_bind(address, false, &listener->fd, &port, err);
  }
  free(address);
  if (rc == RA_OK) lstat(path, &listener->made);
  return rc;
}

int ra_listener_open(ra_listener *listener, const char *address, bool next_free, ra_err *err) {
  int port;
  *listener = (ra_listener){.fd = -1};
  const char *path = path_of(address);
  int rc = path ? open_path(listener, path, err)
                : ra_http_bind(address, next_free, &listener->fd, &port, err);
  if (rc < 0) ra_listener_close(listener);
  return rc;
}

void ra_listener_close(ra_listener *listener) {
  struct stat now;
  bool ours = listener->path && listener->fd >= 0 && lstat(listener->path, &now) == 0 &&
              now.st_ino == listener->made.st_ino && now.st_dev == listener->made.st_dev;
  if (ours) unlink(listener->path);
  if (listener->fd >= 0) close(listener->fd);
  free(listener->path);
  *listener = (ra_listener){.fd = -1};
}

typedef union any_address {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_un un;
} any_address;

void ra_listener_text(int fd, char *out, size_t size) {
  any_address a = {0};
  socklen_t length = sizeof a;
  char host[INET6_ADDRSTRLEN] = "?";
  snprintf(out, size, "http://?");
  if (getsockname(fd, &a.any, &length) != 0) return;
  if (a.any.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof host);
    snprintf(out, size, "http://[%s]:%d", host, ntohs(a.in6.sin6_port));
  } else if (a.any.sa_family == AF_INET) {
    inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof host);
    snprintf(out, size, "http://%s:%d", host, ntohs(a.in.sin_port));
  } else {
    snprintf(out, size, "unix:%.*s", (int)sizeof a.un.sun_path, a.un.sun_path);
  }
}
