// Golden tiles: COGs that GDAL writes in four CRSs, rendered here, held against GDAL's warper by check_golden.py.
// Needs PEERS_PYTHON, a Python that has rasterio and Pillow; skipped (77) without it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/warp.h"
#include "render/map_source.h"
#include "render/tile.h"
#include "render/tile_level.h"

static char folder[] = "/tmp/golden-XXXXXX";

static int run_script(const char *action) {
  char command[1024];
  snprintf(command, sizeof command, "'%s' '%s' %s '%s'", getenv("PEERS_PYTHON"), CHECK_SCRIPT,
           action, folder);
  fflush(stdout);
  return system(command);
}

// Keys are "c/<dataset>/…"; every one is the dataset's one file.
static FILE *open_key(const char *key) {
  char path[256];
  snprintf(path, sizeof path, "%s/%.*s.tif", folder, (int)strcspn(key + 2, "/"), key + 2);
  return fopen(path, "rb");
}

static int file_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                     ra_err *err) {
  (void)ctx;
  FILE *file = open_key(key);
  if (!file) return ra_fail(err, RA_E_NOTFOUND, key, "no such file");
  fseek(file, (long)offset, SEEK_SET);
  size_t got = fread(dst, 1, size, file);
  fclose(file);
  return got == size ? RA_OK : ra_fail(err, RA_E_CORRUPT, key, "ends too soon");
}

static int file_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  (void)ctx;
  FILE *file = open_key(key);
  if (!file) return ra_fail(err, RA_E_NOTFOUND, key, "no such file");
  fseek(file, 0, SEEK_END);
  *out = (uint64_t)ftell(file);
  fclose(file);
  return RA_OK;
}

static char *read_text(const char *name, size_t *size) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  char *text = calloc(1, 1 << 16);
  *size = text ? fread(text, 1, (1 << 16) - 1, file) : 0;
  fclose(file);
  return text;
}

static int write_out(int number, const char *ending, const void *data, size_t size) {
  char path[256];
  snprintf(path, sizeof path, "%s/%d.%s", folder, number, ending);
  FILE *file = fopen(path, "wb");
  if (!file) return 1;
  size_t wrote = fwrite(data, 1, size, file);
  return fclose(file) != 0 || wrote != size;
}

static int write_level(ra_render_context *context, const ra_tile_request *request, int number) {
  const ra_tile_source *source = &request->sources[0];
  ra_timing timing = {0};
  ra__map_source map;
  double gt[6];
  if (ra_mercator_tile(request->z, request->x, request->y, request->size, gt, NULL) < 0) return 1;
  if (ra__map_source_init(context, source, true, NULL, ra__mercator(NULL), gt[1], &timing, &map,
                          NULL) < 0)
    return 1;
  char text[24];
  int n = snprintf(text, sizeof text, "%zu", map.level);
  ra__map_source_deinit(&map);
  return write_out(number, "level", text, (size_t)n);
}

static int render(ra_render_context *context, const ra_tile_request *request, int number,
                  const char *ending) {
  ra_buf *body = NULL;
  ra_err err = {0};
  if (ra_tile_render(context, request, NULL, NULL, &body, &err) < 0) {
    printf("case %d: %s: %s\n", number, err.where, err.message);
    return 1;
  }
  int failed = write_out(number, ending, ra_buf_data(body), ra_buf_size(body));
  ra_buf_unref(body);
  return failed;
}

static int render_case(ra_render_context *context, const char *line, int number) {
  char name[32], how[16], file[40];
  ra_tile_request request = {.source_count = 1,
                             .band_count = 1,
                             .size = 256,
                             .unscale = true,
                             .rescale = {230, 330},
                             .return_mask = true};
  if (sscanf(line, "%31s %u %u %u %15s", name, &request.z, &request.x, &request.y, how) != 5) {
    return 1;
  }
  snprintf(file, sizeof file, "%s.json", name);
  size_t size = 0;
  char *json = read_text(file, &size);
  ra_dataset *dataset = NULL;
  ra_err err = {0};
  if (!json || ra_dataset_parse(json, size, &dataset, &err) < 0) {
    printf("%s: %s\n", file, err.message);
    free(json);
    return 1;
  }
  free(json);
  request.sources[0] = (ra_tile_source){dataset, ra_dataset_get_variable(dataset, 0), 0};
  const char *grey = "{\"type\":\"linear\",\"colors\":[\"#000\",\"#fff\"]}";
  int failed = ra_ramp_parse(grey, strlen(grey), &request.ramp, &err) < 0 ||
               !ra_resampling_parse(how, &request.resampling);
  failed |= render(context, &request, number, "png");
  request.format = RA_TILE_NPY;
  failed |= render(context, &request, number, "npy");
  failed |= write_level(context, &request, number);
  ra_tile_request_deinit(&request);
  return failed;
}

static int render_cases(void) {
  const ra_reader reader = {file_read, file_size, NULL};
  ra_render_context *context;
  size_t size;
  char *cases = read_text("cases.txt", &size), *rest = cases;
  if (!cases || ra_render_context_new(&reader, 1 << 20, 64 << 20, &context, NULL) < 0) return 1;
  int failed = 0, number = 0;
  for (char *line; (line = strsep(&rest, "\n")) && *line;) {
    failed |= render_case(context, line, number++);
  }
  ra_render_context_free(context);
  free(cases);
  return failed;
}

int main(void) {
  const char *python = getenv("PEERS_PYTHON");
  if (!python || !*python) {
    printf("skipped: PEERS_PYTHON names no Python with rasterio\n");
    return 77;
  }
  if (!mkdtemp(folder)) return 1;
  int failed = run_script("write") || render_cases() || run_script("compare");
  if (getenv("RA_TEST_KEEP")) {
    printf("kept: %s\n", folder);
    return failed;
  }
  char command[64];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  return system(command) || failed;
}
