// scan.c - an HDF5 file is walked before netcdf-c opens it: external links, external storage and virtual datasets make
// a file name other files of this machine, whose bytes would then be served as data. Filters without a decoder are
// noted, so that they are refused by name before anything is written.
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "source/source_private.h"

typedef struct walk {
  ra_source *source;
  ra_err *err;
  int rc;
} walk;

static int note_filter(walk *w, const char *path, int id) {
  ra_arena *arena = &w->source->arena;
  ra__filter *filter = ra_arena_calloc(arena, 1, sizeof *filter);
  if (!filter) return ra_fail(w->err, RA_E_NOMEM, w->source->name, "out of memory");
  filter->path = ra_arena_printf(arena, "/%s", path);
  filter->what = ra_arena_printf(arena, "%s (HDF5 filter %d)", ra_codec_hdf5_name((unsigned)id), id);
  if (!filter->path || !filter->what)
    return ra_fail(w->err, RA_E_NOMEM, w->source->name, "out of memory");
  filter->next = w->source->filters;
  w->source->filters = filter;
  return RA_OK;
}

// Either our codecs undo all of a dataset's filters, or HDF5 has to: the first that it lacks is noted.
static int note_filters(walk *w, const char *path, hid_t dcpl) {
  int count = H5Pget_nfilters(dcpl), missing = -1;
  bool ours = true;
  for (int i = 0; i < count; i++) {
    unsigned flags, config;
    size_t values = 0;
    ra_codec codec;
    H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
    if (missing < 0 && (id < 0 || H5Zfilter_avail(id) <= 0)) missing = id;
    ours = ours && ra__filter_codec(dcpl, (unsigned)i, &codec) >= 0;
  }
  return ours || missing < 0 ? RA_OK : note_filter(w, path, missing);
}

static int check_dataset(walk *w, const char *path, hid_t dataset) {
  hid_t dcpl = H5Dget_create_plist(dataset);
  if (dcpl < 0)
    return ra_fail(w->err, RA_E_CORRUPT, w->source->name, "dataset '%s' has no readable properties",
                   path);
  int rc = RA_OK;
  if (H5Pget_layout(dcpl) == H5D_VIRTUAL) {
    rc = ra_fail(w->err, RA_E_DENIED, w->source->name,
                 "dataset '%s' is virtual: its values lie in other files, which are not followed",
                 path);
  } else if (H5Pget_external_count(dcpl) > 0) {
    rc = ra_fail(
        w->err, RA_E_DENIED, w->source->name,
        "dataset '%s' has external storage: its values lie in another file, which is not followed",
        path);
  } else {
    rc = note_filters(w, path, dcpl);
  }
  H5Pclose(dcpl);
  return rc;
}

static herr_t visit(hid_t group, const char *path, const H5L_info_t *info, void *ctx) {
  walk *w = ctx;
  if (info->type == H5L_TYPE_SOFT) return 0;
  if (info->type != H5L_TYPE_HARD) {
    w->rc = ra_fail(w->err, RA_E_DENIED, w->source->name,
                    "'%s' is an external link: it leads into another file, which is not followed",
                    path);
    return -1;
  }
  hid_t object = H5Oopen(group, path, H5P_DEFAULT);
  if (object < 0) {
    w->rc =
        ra_fail(w->err, RA_E_CORRUPT, w->source->name,
                "object '%s' cannot be opened: it is damaged, or newer than HDF5 1.10 reads", path);
    return -1;
  }
  if (H5Iget_type(object) == H5I_DATASET) w->rc = check_dataset(w, path, object);
  H5Oclose(object);
  return w->rc < 0 ? -1 : 0;
}

int ra__source_scan(ra_source *source, ra_err *err) {
  H5dont_atexit();  // after a damaged file its clean-up at exit loops and says so
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(
      0);  // a filter named by a file is never loaded from a folder named by the environment
  hid_t file = H5Fopen(source->path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) {
    return ra_fail(err, RA_E_CORRUPT, source->name,
                   "cannot be opened by HDF5: the file is truncated or damaged");
  }
  walk w = {source, err, RA_OK};
  herr_t visited = H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &w);
  H5Fclose(file);
  if (w.rc < 0) return w.rc;
  if (visited < 0) return ra_fail(err, RA_E_CORRUPT, source->name, "has a damaged HDF5 structure");
  return RA_OK;
}
