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

static int save_document(void *ctx, const char *path, const char *name, const ra_str *text,
                         ra_err *err) {
  (void)err;
  char file[1024];
  snprintf(file, sizeof file, "%s/%s%s%s", (const char *)ctx, path, *path ? "/" : "", name);
  folder_save(file, text->ptr, text->len);
  return RA_OK;
}

// Writes the array's objects and documents below `folder`/name.
static void write_array(const char *folder, ra_zarr_metadata *documents, ra_zarr_spec spec,
                        const char *name, const void *cells) {
  char path[1024];
  ra_err err = {0};
  spec.name = name;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (ra_zarr_metadata_array(documents, &spec, &err) < 0 ||
      encode_all(&spec, cells, save, path, &err) < 0) {
    complain(name, &err);
  }
}

static void end_group(ra_zarr_metadata *documents, const char *attributes) {
  ra_err err = {0};
  if (ra_zarr_metadata_root(documents, attributes, &err) < 0) complain("the root", &err);
  ra_zarr_metadata_deinit(documents);
}

enum { ARRAYS = 60 };

static void write_random(const char *folder, unsigned format) {
  uint64_t seed = test_seed("write_random");
  char out[512], path[1024], name[8];
  ra_zarr_metadata documents;
  snprintf(out, sizeof out, "%s/out%u", folder, format);
  ra_zarr_metadata_init(&documents, format, save_document, out);
  for (int i = 0; i < ARRAYS; i++) {
    ra_zarr_spec spec = random_spec(&seed);
    uint8_t *cells = random_cells(&seed, &spec);
    if (format == 2) {
      spec.format = 2;
      spec.sharded = false;
      memcpy(spec.shard, spec.chunk, sizeof spec.shard);
    }
    snprintf(name, sizeof name, "a%d", i);
    write_array(out, &documents, spec, name, cells);
    snprintf(path, sizeof path, "%s/%s.raw", out, name);
    folder_save(path, cells, spec_cells(&spec) * ra_dtype_size(spec.dtype));
    free(cells);
  }
  end_group(&documents, "\"title\":\"x\"");
}

enum { T = 40, Y = 6, X = 7 };

static ra_zarr_spec field(unsigned format, ra_dtype dtype, const char *name) {
  ra_zarr_spec spec = {.name = name,
                       .format = format,
                       .dtype = dtype,
                       .ndim = 3,
                       .shape = {T, Y, X},
                       .has_fill = true,
                       .fill = NAN,
                       .fill_int = -32767,
                       .dimension_names = {"time", "lat", "lon"}};
  ra_zarr_plan(&spec, 0, 1, 2);
  spec.chunk[1] = spec.chunk[2] = 2;  // smaller than the planner's, so that there are shards
  spec.sharded = format == 3;
  spec.shard[1] = spec.shard[2] = spec.sharded ? 4 : 2;
  return spec;
}

static ra_zarr_spec axis(unsigned format, const char *name, uint64_t size, const char *attributes) {
  ra_zarr_spec spec = {.name = name,
                       .format = format,
                       .dtype = RA_DTYPE_F64,
                       .ndim = 1,
                       .shape = {size},
                       .dimension_names = {name},
                       .attributes = attributes};
  ra_zarr_plan(&spec, -1, -1, -1);
  return spec;
}

static void write_dataset(const char *folder, unsigned format) {
  static float t2m[T * Y * X];
  static int16_t packed[T * Y * X];
  double time[T], place[X];
  char out[512], attributes[2][256];
  ra_zarr_metadata documents;
  snprintf(out, sizeof out, "%s/xr%u", folder, format);
  ra_zarr_metadata_init(&documents, format, save_document, out);
  for (int i = 0; i < T * Y * X; i++) {
    bool hole = i % (Y * X) == 2 * X + 3;
    t2m[i] = hole ? NAN : (float)i / 8;
    packed[i] = hole ? -32767 : (int16_t)i;
  }
  for (int i = 0; i < T; i++) time[i] = 6 * i;
  for (int i = 0; i < X; i++) place[i] = i;
  ra_zarr_spec specs[5] = {
      axis(format, "time", T, "\"units\":\"hours since 2020-01-01\",\"calendar\":\"standard\""),
      axis(format, "lat", Y, "\"units\":\"degrees_north\""),
      axis(format, "lon", X, "\"units\":\"degrees_east\""), field(format, RA_DTYPE_F32, "t2m"),
      field(format, RA_DTYPE_I16, "packed")};
  for (int i = 0; i < 2; i++) {
    ra_str fill;
    ra_str_init(&fill);
    if (format == 3) {
      ra_str_add_char(&fill, ',');
      ra_zarr_fill_attribute(&specs[3 + i], &fill);
    }
    snprintf(attributes[i], sizeof attributes[i], "\"units\":\"K\"%s%s", fill.ptr ? fill.ptr : "",
             i ? ",\"scale_factor\":0.01,\"add_offset\":273.15" : "");
    specs[3 + i].attributes = attributes[i];
    ra_str_deinit(&fill);
  }
  const void *cells[5] = {time, place, place, t2m, packed};
  for (int i = 0; i < 5; i++) write_array(out, &documents, specs[i], specs[i].name, cells[i]);
  end_group(&documents, "\"title\":\"caf\xc3\xa9\"");
}

int main(void) {
  char pattern[] = "/tmp/zarr-peers-XXXXXX", *folder = folder_new(pattern, "zarr 3 and xarray");
  if (!folder) return 77;
  if (folder_judge(CHECK_SCRIPT, "make", folder) != 0) return 1;
  int read = read_theirs(folder);
  printf("%d arrays of zarr-python read\n", read);
  for (unsigned format = 2; format <= 3; format++) {
    write_random(folder, format);
    write_dataset(folder, format);
  }
  int rc = folder_judge(CHECK_SCRIPT, "judge", folder);
  folder_remove(folder);
  return rc != 0 || failures || read < 15;
}
