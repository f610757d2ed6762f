// transform.c - points from one CRS to another, always x (easting, longitude) before y. A transform belongs to the
// thread that made it.
#include <math.h>
#include <stdlib.h>

#include "geo/internal.h"

struct ra_transform {
  PJ *pj;  // NULL: the same CRS, nothing to do
};

static int make_pj(PJ_CONTEXT *ctx, const ra_crs *src, const ra_crs *dst, PJ **out, ra_err *err) {
  *out = NULL;
  PJ *from = NULL, *to = NULL, *raw = NULL;
  int rc = ra__proj_crs(ctx, src->wkt2, &from, err);
  if (rc == RA_OK) rc = ra__proj_crs(ctx, dst->wkt2, &to, err);
  if (rc == RA_OK) {
    raw = proj_create_crs_to_crs_from_pj(ctx, from, to, NULL, NULL);
    *out = raw ? proj_normalize_for_visualization(ctx, raw) : NULL;
    if (!*out) {
      rc = ra_fail(err, RA_E_UNSUPPORTED, src->name, "PROJ knows no way from here to %s: %s",
                   dst->name, ra__proj_error(ctx));
    }
  }
  proj_destroy(raw);
  proj_destroy(from);
  proj_destroy(to);
  return rc;
}

int ra_transform_new(const ra_crs *src, const ra_crs *dst, ra_transform **out, ra_err *err) {
  *out = NULL;
  PJ_CONTEXT *ctx = ra__proj_context();
  ra_transform *self = calloc(1, sizeof *self);
  if (!ctx || !self) {
    free(self);
    return ra_fail(err, RA_E_NOMEM, src->name, "no memory for a transformation");
  }
  if (!ra_crs_equal(src, dst)) {
    int rc = make_pj(ctx, src, dst, &self->pj, err);
    if (rc < 0) {
      free(self);
      return rc;
    }
  }
  *out = self;
  return RA_OK;
}

void ra_transform_free(ra_transform *self) {
  if (!self) return;
  proj_destroy(self->pj);
  free(self);
}

size_t ra_transform_points(ra_transform *self, size_t n, double *x, double *y) {
  if (self->pj) {
    proj_errno_reset(self->pj);
    proj_trans_generic(self->pj, PJ_FWD, x, sizeof *x, n, y, sizeof *y, n, NULL, 0, 0, NULL, 0, 0);
  }
  size_t failed = 0;
  for (size_t i = 0; i < n; i++) {
    if (isfinite(x[i]) && isfinite(y[i])) continue;
    x[i] = y[i] = NAN;
    failed++;
  }
  return failed;
}
