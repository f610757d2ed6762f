// scan.c - an HDF5 file is walked before netcdf-c opens it: external links, external storage and virtual datasets make
// a file name other files of this machine, whose bytes would then be served as data. What netcdf-c would not survive is
// refused too: groups within themselves or nested without end, names longer than its buffers. Filters without a
// decoder are noted, so that they are refused by name before anything is written.
#include <hdf5.h>
#include <netcdf.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "source/source_private.h"

enum { DEPTH_MOST = 32, LINKS_MOST = 200000 };

typedef struct walk {
  ra_source *source;
  ra_err *err;
  int rc;
  ra_str path;   // of the object that is looked at
  hid_t within;  // how objects are opened: no link out of the file is followed
  unsigned depth, links;
  haddr_t above[DEPTH_MOST];  // the groups that it lies in
} walk;

static herr_t visit(hid_t group, const char *name, const H5L_info_t *info, void *ctx);

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

// A name that netcdf-c has room for and a store, a message and JSON can show.
static int check_name(walk *w, const char *what, const char *name, size_t size) {
  const unsigned char *p = (const unsigned char *)name;
  size_t length = 0;
  if (size > NC_MAX_NAME)
    return ra_fail(w->err, RA_E_UNSUPPORTED, w->source->name,
                   "the name '%.40s…' of %s has %zu bytes; NetCDF allows %d", name, what, size,
                   NC_MAX_NAME);
  for (size_t i = 0; i < size; i += length) {
    length = ra_utf8_length(p + i, size - i);
    if (!length)
      return ra_fail(w->err, RA_E_UNSUPPORTED, w->source->name, "the name '%s' of %s is not UTF-8",
                     name, what);
  }
  return RA_OK;
}

static herr_t check_attribute(hid_t object, const char *name, const H5A_info_t *info, void *ctx) {
  walk *w = ctx;
  (void)object, (void)info;
  w->rc = check_name(w, "an attribute", name, strlen(name));
  return w->rc < 0 ? -1 : 0;
}

static int check_attributes(walk *w, const char *path, hid_t object) {
  hsize_t at = 0;
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &at, check_attribute, w) >= 0 || w->rc < 0)
    return w->rc;
  return ra_fail(
      w->err, RA_E_CORRUPT, w->source->name,
      "the attributes of '%s' cannot be listed: it is damaged, or newer than HDF5 1.10 reads", path);
}

// HDF5 lets a group be its own descendant, and netcdf-c then descends for ever.
static int enter_group(walk *w, hid_t group, haddr_t address) {
  const char *path = w->path.len ? w->path.ptr : "/";
  if (w->depth == DEPTH_MOST)
    return ra_fail(w->err, RA_E_TOOBIG, w->source->name,
                   "has groups nested more than %d deep: '%.80s…'", DEPTH_MOST, path);
  for (unsigned i = 0; i < w->depth; i++) {
    if (w->above[i] == address)
      return ra_fail(w->err, RA_E_CORRUPT, w->source->name, "group '%s' lies within itself", path);
  }
  w->above[w->depth++] = address;
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, visit, w) < 0 && w->rc >= 0)
    w->rc =
        ra_fail(w->err, RA_E_CORRUPT, w->source->name,
                "group '%s' cannot be listed: it is damaged, or newer than HDF5 1.10 reads", path);
  w->depth--;
  return w->rc;
}

static int check_object(walk *w, hid_t object) {
  H5O_info_t info;  // not of its sizes: for those HDF5 walks the whole index of a dataset
  const char *path = w->path.len ? w->path.ptr : "/";
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0)
    return ra_fail(w->err, RA_E_CORRUPT, w->source->name, "object '%s' is damaged HDF5", path);
  int rc = check_attributes(w, path, object);
  if (rc < 0 || info.type == H5O_TYPE_NAMED_DATATYPE) return rc;
  return info.type == H5O_TYPE_GROUP ? enter_group(w, object, info.addr)
                                     : check_dataset(w, path, object);
}

// A soft link may lead through an external one that was not come across yet.
// NOLINTBEGIN(readability-non-const-parameter): HDF5's callback type
static herr_t follow_nothing(const char *file, const char *group, const char *target_file,
                             const char *target, unsigned *flags, hid_t fapl, void *ctx) {
  (void)file, (void)group, (void)target_file, (void)target, (void)flags, (void)fapl, (void)ctx;
  return -1;
}
// NOLINTEND(readability-non-const-parameter)

static int check_link(walk *w, hid_t group, const char *name, const H5L_info_t *info) {
  if (++w->links > LINKS_MOST)
    return ra_fail(w->err, RA_E_TOOBIG, w->source->name, "has more than %d objects", LINKS_MOST);
  int rc = check_name(w, "an object", name, strlen(name));
  if (rc < 0) return rc;
  if (info->type != H5L_TYPE_HARD && info->type != H5L_TYPE_SOFT)
    return ra_fail(w->err, RA_E_DENIED, w->source->name,
                   "'%s' is an external link: it leads into another file, which is not followed",
                   w->path.ptr);
  hid_t object = H5Oopen(group, name, w->within);
  if (object < 0)
    return ra_fail(
        w->err, RA_E_CORRUPT, w->source->name,
        info->type == H5L_TYPE_SOFT
            ? "the soft link '%s' leads nowhere"
            : "object '%s' cannot be opened: it is damaged, or newer than HDF5 1.10 reads",
        w->path.ptr);
  rc = check_object(w, object);
  H5Oclose(object);
  return rc;
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *info, void *ctx) {
  walk *w = ctx;
  size_t length = w->path.len;
  ra_str_addf(&w->path, length ? "/%s" : "%s", name);
  w->rc = w->path.failed ? ra_fail(w->err, RA_E_NOMEM, w->source->name, "out of memory")
                         : check_link(w, group, name, info);
  w->path.len = length;
  if (w->path.ptr) w->path.ptr[length] = 0;
  return w->rc < 0 ? -1 : 0;
}

static int scan_root(walk *w, hid_t file) {
  hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
  w->within = H5Pcreate(H5P_LINK_ACCESS);
  if (root < 0 || w->within < 0 || H5Pset_elink_cb(w->within, follow_nothing, NULL) < 0) {
    w->rc = ra_fail(w->err, RA_E_CORRUPT, w->source->name, "has a damaged HDF5 structure");
  } else {
    w->rc = check_object(w, root);
  }
  if (w->within >= 0) H5Pclose(w->within);
  if (root >= 0) H5Gclose(root);
  return w->rc;
}

int ra__source_scan(ra_source *source, ra_err *err) {
  H5PLset_loading_state(
      0);  // a filter named by a file is never loaded from a folder named by the environment
  hid_t file = H5Fopen(source->path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) {
    return ra_fail(err, RA_E_CORRUPT, source->name,
                   "cannot be opened by HDF5: the file is truncated or damaged");
  }
  walk w = {.source = source, .err = err};
  ra_str_init(&w.path);
  int rc = scan_root(&w, file);
  ra_str_deinit(&w.path);
  H5Fclose(file);
  return rc;
}
