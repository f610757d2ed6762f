// Every variable of every NetCDF file in the shared data that both can read: our cells against netcdf-c's, bit for bit,
// whole and in a window across chunks.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netcdf.h>

#include "random.h"
#include "source/storage.h"

static const size_t MOST = (size_t)256 << 20;

typedef struct tally {
  unsigned files, variables, refused, ways[4];
  uint64_t cells;
  uint64_t seed;
} tally;

static bool netcdf_reads(const ra_source_var *var, const uint64_t *start, const uint64_t *count,
                         void *dst) {
  size_t first[RA_SOURCE_DIMS], edge[RA_SOURCE_DIMS];
  for (unsigned d = 0; d < var->ndim; d++) {
    first[d] = start[d];
    edge[d] = count[d];
  }
  ra__source_lock();
  int status = nc_get_vara(var->ncid, var->varid, first, edge, dst);
  ra__source_unlock();
  return status == NC_NOERR;
}

static void compare(tally *t, ra_source *source, const ra_source_var *var, const uint64_t *start,
                    const uint64_t *count) {
  size_t bytes = ra_dtype_size(var->dtype);
  for (unsigned d = 0; d < var->ndim; d++) bytes *= count[d];
  uint8_t *want = malloc(bytes + 1), *got = malloc(bytes + 1);
  memset(got, 0xee, bytes);
  ra_err err = {0};
  int rc = ra_source_read(source, var, start, count, got, &err);
  if (!netcdf_reads(var, start, count, want)) {
    t->refused++;
  } else if (rc < 0) {
    fail_msg("%s: %s: %s", ra_source_name(source), var->name, err.message);
  } else if (memcmp(got, want, bytes) != 0) {
    size_t at = 0;
    while (got[at] == want[at]) at++;
    fail_msg("%s: %s differs in byte %zu of %zu", ra_source_name(source), var->name, at, bytes);
  }
  t->cells += bytes / ra_dtype_size(var->dtype);
  free(want);
  free(got);
}

static void compare_variable(tally *t, ra_source *source, const ra_source_var *var) {
  uint64_t start[RA_SOURCE_DIMS] = {0}, count[RA_SOURCE_DIMS];
  const ra__storage *storage;
  ra_err err = {0};
  if (var->kind != RA_SOURCE_NUMBERS || var->filter || ra_source_var_bytes(var) > MOST) return;
  if (ra__storage_get(source, var, &storage, &err) < 0)
    fail_msg("%s: %s: %s", ra_source_name(source), var->name, err.message);
  t->variables++;
  t->ways[storage->way]++;
  memcpy(count, var->shape, sizeof count);
  compare(t, source, var, start, count);
  if (ra_source_var_cells(var) == 0) return;
  for (unsigned d = 0; d < var->ndim; d++) {
    start[d] = test_random(&t->seed) % var->shape[d];
    count[d] = 1 + test_random(&t->seed) % (var->shape[d] - start[d]);
  }
  compare(t, source, var, start, count);
}

static char folder[512];

static void cells_are_netcdfs(void **state) {
  (void)state;
  char path[1024];
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  tally t = {.seed = test_seed("cells_are_netcdfs")};
  for (struct dirent *entry; (entry = readdir(dir));) {
    ra_source *source;
    ra_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (ra_source_open(path, &source, &err) < 0) continue;
    t.files++;
    ra_source_set_threads(source, 1 + t.files % 3);
    for (size_t i = 0; i < ra_source_var_count(source); i++)
      compare_variable(&t, source, ra_source_get_var(source, i));
    ra_source_free(source);
  }
  closedir(dir);
  print_message(
      "%u files, %u variables, %llu cells compared; by our decoder: %u chunked, %u "
      "contiguous or classic; by netcdf-c: %u; unreadable by netcdf-c: %u\n",
      t.files, t.variables, (unsigned long long)t.cells, t.ways[RA__WAY_CHUNKS],
      t.ways[RA__WAY_PLAIN], t.ways[RA__WAY_CALL], t.refused);
  assert_true(t.files > 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(cells_are_netcdfs)};
  const char *shared = getenv("RASTRUM_SHARED");
  snprintf(folder, sizeof folder, "%s/data/netcdf", shared ? shared : "../shared");
  if (access(folder, R_OK) != 0) {
    printf("skipped: no folder %s; RASTRUM_SHARED names its parent\n", folder);
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
