// Zarr against zarr-python 3 and xarray (check_zarr.py): we read what they write, and they what we write. Needs
// PEERS_PYTHON; skipped (77) without it.
#include "folder.h"
#include "zarr_random.h"

static int failures;

static void complain(const char *what, const ra_err *err) {
  printf("%s: %s: %s\n", what, err->where, err->message);
  failures++;
}

static int read_theirs(const char *folder) {
  int count = 0;
  for (;; count++) {
    char path[1024];
    snprintf(path, sizeof path, "%s/in/a%d.raw", folder, count);
    ra_buf *want = folder_load(path), *json;
    if (!want) return count;
    snprintf(path, sizeof path, "%s/in/a%d/zarr.json", folder, count);
    json = folder_load(path);
    ra_zarr_array *array = NULL;
    ra_err err = {0};
    char name[32];
    snprintf(name, sizeof name, "a%d", count);
    void *got = malloc(ra_buf_size(want) + 1);
    snprintf(path, sizeof path, "%s/in", folder);
    ra_reader reader = {folder_read, folder_size, path};
    const uint64_t start[RA_ZARR_DIMS] = {0};
    if (ra_zarr_array_parse((const char *)ra_buf_data(json), ra_buf_size(json), &array, &err) < 0 ||
        ra_zarr_read(array, &reader, name, start, ra_zarr_array_info(array)->shape, got, NULL, NULL,
                     &err) < 0) {
      complain(name, &err);
    } else if (memcmp(got, ra_buf_data(want), ra_buf_size(want)) != 0) {
      printf("%s: cells differ: %.*s\n", name, (int)ra_buf_size(json),
             (const char *)ra_buf_data(json));
      failures++;
    }
    free(got);
    ra_zarr_array_unref(array);
    ra_buf_unref(json);
    ra_buf_unref(want);
  }
}

static void save(void *ctx, const char *key, ra_buf *buf) {
  char path[2048];
  snprintf(path, sizeof path, "%s/%s", (const char *)ctx, key);
  folder_save(path, ra_buf_data(buf), ra_buf_size(buf));
  ra_buf_unref(buf);
}

// Writes the array's objects below `folder`/name and gives its zarr.json.
static char *write_array(const char *folder, const char *name, const ra_zarr_spec *spec,
                         const void *cells) {
  char path[1024];
  ra_str json;
  ra_err err = {0};
  ra_str_init(&json);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (ra_zarr_array_json(spec, &json, &err) < 0 || encode_all(spec, cells, save, path, &err) < 0) {
    complain(name, &err);
  }
  snprintf(path, sizeof path, "%s/%s/zarr.json", folder, name);
  folder_save(path, json.ptr, json.len);
  return json.ptr;
}

static void write_group(const char *folder, const char *attributes, const char *const *paths,
                        char *const *texts, size_t count) {
  char path[1024];
  ra_str json;
  ra_err err = {0};
  ra_str_init(&json);
  if (ra_zarr_group_json(attributes, paths, (const char *const *)texts, count, &json, &err) < 0) {
    complain(folder, &err);
  }
  snprintf(path, sizeof path, "%s/zarr.json", folder);
  folder_save(path, json.ptr, json.len);
  ra_str_deinit(&json);
}

enum { ARRAYS = 60 };

static void write_random(const char *folder) {
  uint64_t seed = test_seed("write_random");
  char out[512], path[1024], names[ARRAYS][8];
  const char *paths[ARRAYS];
  char *texts[ARRAYS];
  snprintf(out, sizeof out, "%s/out", folder);
  for (int i = 0; i < ARRAYS; i++) {
    ra_zarr_spec spec = random_spec(&seed);
    uint8_t *cells = random_cells(&seed, &spec);
    snprintf(names[i], sizeof names[i], "a%d", i);
    paths[i] = names[i];
    texts[i] = write_array(out, names[i], &spec, cells);
    snprintf(path, sizeof path, "%s/%s.raw", out, names[i]);
    folder_save(path, cells, spec_cells(&spec) * ra_dtype_size(spec.dtype));
    free(cells);
  }
  write_group(out, "\"title\":\"x\"", paths, texts, ARRAYS);
  for (int i = 0; i < ARRAYS; i++) free(texts[i]);
}

enum { T = 40, Y = 6, X = 7 };

static ra_zarr_spec field(ra_dtype dtype, const char *name) {
  ra_zarr_spec spec = {.name = name,
                       .dtype = dtype,
                       .ndim = 3,
                       .shape = {T, Y, X},
                       .has_fill = true,
                       .fill = NAN,
                       .fill_int = -32767,
                       .dimension_names = {"time", "lat", "lon"}};
  ra_zarr_plan(&spec, 0, 1, 2);
  spec.chunk[1] = spec.chunk[2] = 2;  // smaller than the planner's, so that there are shards
  spec.shard[1] = spec.shard[2] = 4;
  spec.sharded = true;
  return spec;
}

static ra_zarr_spec axis(const char *name, uint64_t size, const char *attributes) {
  ra_zarr_spec spec = {.name = name,
                       .dtype = RA_DTYPE_F64,
                       .ndim = 1,
                       .shape = {size},
                       .dimension_names = {name},
                       .attributes = attributes};
  ra_zarr_plan(&spec, -1, -1, -1);
  return spec;
}

static void write_dataset(const char *folder) {
  static float t2m[T * Y * X];
  static int16_t packed[T * Y * X];
  double time[T], place[X];
  char out[512], attributes[2][256];
  const char *paths[] = {"time", "lat", "lon", "t2m", "packed"};
  char *texts[5];
  snprintf(out, sizeof out, "%s/xr", folder);
  for (int i = 0; i < T * Y * X; i++) {
    bool hole = i % (Y * X) == 2 * X + 3;
    t2m[i] = hole ? NAN : (float)i / 8;
    packed[i] = hole ? -32767 : (int16_t)i;
  }
  for (int i = 0; i < T; i++) time[i] = 6 * i;
  for (int i = 0; i < X; i++) place[i] = i;
  ra_zarr_spec specs[5] = {
      axis("time", T, "\"units\":\"hours since 2020-01-01\",\"calendar\":\"standard\""),
      axis("lat", Y, "\"units\":\"degrees_north\""), axis("lon", X, "\"units\":\"degrees_east\""),
      field(RA_DTYPE_F32, "t2m"), field(RA_DTYPE_I16, "packed")};
  for (int i = 0; i < 2; i++) {
    ra_str fill;
    ra_str_init(&fill);
    ra_zarr_fill_attribute(&specs[3 + i], &fill);
    snprintf(attributes[i], sizeof attributes[i], "\"units\":\"K\",%s%s", fill.ptr,
             i ? ",\"scale_factor\":0.01,\"add_offset\":273.15" : "");
    specs[3 + i].attributes = attributes[i];
    ra_str_deinit(&fill);
  }
  const void *cells[5] = {time, place, place, t2m, packed};
  for (int i = 0; i < 5; i++) texts[i] = write_array(out, paths[i], &specs[i], cells[i]);
  write_group(out, "\"title\":\"caf\xc3\xa9\"", paths, texts, 5);
  for (int i = 0; i < 5; i++) free(texts[i]);
}

int main(void) {
  char pattern[] = "/tmp/zarr-peers-XXXXXX", *folder = folder_new(pattern, "zarr 3 and xarray");
  if (!folder) return 77;
  if (folder_judge(CHECK_SCRIPT, "make", folder) != 0) return 1;
  int read = read_theirs(folder);
  printf("%d arrays of zarr-python read\n", read);
  write_random(folder);
  write_dataset(folder);
  int rc = folder_judge(CHECK_SCRIPT, "judge", folder);
  folder_remove(folder);
  return rc != 0 || failures || read < 15;
}
