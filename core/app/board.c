// board.c - see board.h. A memfd: the board, then from the next page on the metrics.
#include "app/board.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/metrics.h"

enum { METRICS_AT = (sizeof(ra_board) + 4095) / 4096 * 4096 };

static size_t size_for(unsigned workers) {
  return METRICS_AT + ra_metrics_region_size(workers + 1);
}

static void *metrics_of(ra_board *board) { return (char *)board + METRICS_AT; }

static int map(int fd, size_t size, ra_board **out, ra_err *err) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED)
    return ra_fail_errno(err, errno, "", "the workers' shared memory cannot be mapped");
  *out = memory;
  return RA_OK;
}

int ra_board_new(unsigned workers, ra_board **out, int *fd, ra_err *err) {
  size_t size = size_for(workers);
  *fd = memfd_create("rastrum", MFD_CLOEXEC);
  if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0) {
    int code = errno;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return ra_fail_errno(err, code, "", "no shared memory for the workers");
  }
  int rc = map(*fd, size, out, err);
  if (rc < 0) {
    close(*fd);
    *fd = -1;
  } else {
    (*out)->workers = workers;
  }
  return rc;
}

int ra_board_map(int fd, ra_board **out, ra_err *err) {
  struct stat info;
  if (fstat(fd, &info) != 0 || info.st_size < (off_t)size_for(1))
    return ra_fail(err, RA_E_INTERNAL, "", "the supervisor handed no shared memory down");
  int rc = map(fd, (size_t)info.st_size, out, err);
  if (rc == RA_OK && size_for((*out)->workers) != (size_t)info.st_size) {
    munmap(*out, (size_t)info.st_size);
    return ra_fail(err, RA_E_INTERNAL, "", "the shared memory is of another version");
  }
  return rc;
}

void ra_board_unmap(ra_board *board) {
  if (board) munmap(board, size_for(board->workers));
}

int ra_board_count_in(ra_board *board, unsigned slot, ra_err *err) {
  return ra_metrics_share(metrics_of(board), board->workers + 1, slot, err);
}

void ra_board_worker_ended(ra_board *board, unsigned worker) {
  board->pulses[worker] = (ra_pulse){0};
  ra_metrics_slot_ended(metrics_of(board), worker);
}
