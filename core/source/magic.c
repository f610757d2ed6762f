// magic.c - what a file is, by its first bytes.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/source_private.h"

typedef struct kind {
  const char *magic;
  size_t size;
  const char *format;  // NULL: not ours
  const char *what;
} kind;

static const kind KINDS[] = {
    {"CDF\1", 4, "classic", NULL},
    {"CDF\2", 4, "64-bit-offset", NULL},
    {"CDF\5", 4, "cdf5", NULL},
    {"\211HDF\r\n\032\n", 8, "netcdf4", NULL},
    {"\016\003\023\001", 4, NULL, "an HDF4 file; convert it to NetCDF-4 first"},
    {"GRIB", 4, NULL, "a GRIB file; convert it to NetCDF first"},
    {"II*\0", 4, "tiff", NULL},
    {"MM\0*", 4, "tiff", NULL},
    {"II+\0", 4, "tiff", NULL},
    {"MM\0+", 4, "tiff", NULL},
    {"PK\003\004", 4, NULL, "a zip archive; unpack it first"},
    {"\037\213", 2, NULL, "gzip-compressed; unpack it first"},
    {"BZh", 3, NULL, "bzip2-compressed; unpack it first"},
    {"\050\265\057\375", 4, NULL, "zstd-compressed; unpack it first"},
    {"netcdf ", 7, NULL, "CDL text; make a file of it with ncgen first"},
    {"{", 1, NULL, "JSON; NetCDF is what this version ingests"},
    {"<", 1, NULL, "XML or HTML text, not NetCDF"},
};

static const kind *find_kind(const unsigned char *head, size_t size) {
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    if (size >= KINDS[i].size && !memcmp(head, KINDS[i].magic, KINDS[i].size)) return &KINDS[i];
  }
  return NULL;
}

bool ra_source_is_tiff(const char *path) {
  unsigned char head[4];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  ssize_t got = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);
  if (fd >= 0) close(fd);
  const kind *found = got > 0 ? find_kind(head, (size_t)got) : NULL;
  return found && found->format && strcmp(found->format, "tiff") == 0;
}

// HDF5 allows a user block before its signature: at 512, 1024, 2048, …
static bool hdf5_behind_block(int fd, uint64_t bytes) {
  unsigned char head[8];
  for (uint64_t at = 512; at + 8 <= bytes && at <= (1u << 20); at *= 2) {
    if (pread(fd, head, 8, (off_t)at) == 8 && !memcmp(head, "\211HDF\r\n\032\n", 8)) return true;
  }
  return false;
}

static int judge(ra_source *source, int fd, ra_err *err) {
  unsigned char head[16];
  ssize_t got = pread(fd, head, sizeof head, 0);
  if (got < 0) return ra_fail_errno(err, errno, source->name, "cannot be read");
  const kind *found = find_kind(head, (size_t)got);
  if (!found && hdf5_behind_block(fd, source->bytes)) found = &KINDS[3];
  if (!found) {
    return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                   "is not NetCDF: its first bytes are neither CDF-1, CDF-2, CDF-5 nor HDF5");
  }
  if (!found->format) return ra_fail(err, RA_E_UNSUPPORTED, source->name, "is %s", found->what);
  source->format = found->format;
  source->hdf5 = found == &KINDS[3];
  return RA_OK;
}

int ra__source_magic(ra_source *source, ra_err *err) {
  int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return ra_fail_errno(err, errno, source->name, "cannot be opened");
  struct stat st;
  int rc = RA_OK;
  if (fstat(fd, &st) < 0) {
    rc = ra_fail_errno(err, errno, source->name, "cannot be examined");
  } else if (S_ISDIR(st.st_mode)) {
    rc = ra_fail(err, RA_E_UNSUPPORTED, source->name,
                 "is a folder; a NetCDF file is what this version ingests");
  } else if (!S_ISREG(st.st_mode)) {
    rc = ra_fail(err, RA_E_UNSUPPORTED, source->name, "is not a regular file");
  } else if (st.st_size == 0) {
    rc = ra_fail(err, RA_E_CORRUPT, source->name, "is an empty file, without a NetCDF header");
  } else {
    source->bytes = (uint64_t)st.st_size;
    source->modified = st.st_mtim;
    rc = judge(source, fd, err);
  }
  if (rc < 0) {
    close(fd);
    return rc;
  }
  source->fd = fd;
  return RA_OK;
}
