// fakes.c - loaded in front of the C library by tests of `rastrum doctor`: every file system has $FAKE_FREE_MIB free.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/statvfs.h>

int statvfs(const char *path, struct statvfs *out) {
  int rc = ((int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs"))(path, out);
  const char *mib = getenv("FAKE_FREE_MIB");
  if (mib) {
    out->f_frsize = 1 << 20;
    out->f_bavail = (fsblkcnt_t)atoll(mib);
  }
  return rc;
}
