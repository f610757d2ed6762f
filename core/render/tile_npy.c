// tile_npy.c - values as NumPy's format (version 1.0): the bands, and a mask behind them.
#include <stdio.h>
#include <string.h>

#include "raster/vector.h"
#include "render/tile_job.h"

enum { NPY_HEAD = 128 };

static void put_head(const ra__tile_job *job, uint8_t *at) {
  char text[NPY_HEAD];
  const ra_tile_request *request = job->request;
  int n = snprintf(
      text, sizeof text, "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%u, %u, %u), }",
      ra__tile_value_size(job), request->band_count + request->return_mask, job->size, job->size);
  memcpy(at, "\x93NUMPY\x01\x00", 8);
  at[8] = NPY_HEAD - 10;
  at[9] = 0;
  memset(at + 10, ' ', NPY_HEAD - 10);
  memcpy(at + 10, text, (size_t)n);
  at[NPY_HEAD - 1] = '\n';
}

int ra__tile_npy_new(const ra__tile_job *job, ra__plane *planes, ra_buf **out, ra_err *err) {
  const ra_tile_request *request = job->request;
  size_t count = (size_t)job->size * job->size, plane_size = count * ra__tile_value_size(job);
  ra_buf *body;
  int rc =
      ra_buf_new(NPY_HEAD + plane_size * (request->band_count + request->return_mask), &body, err);
  if (rc < 0) return rc;
  put_head(job, ra_buf_bytes(body));
  for (unsigned i = 0; i < request->band_count; i++) {
    planes[i] = (ra__plane){ra_buf_bytes(body) + NPY_HEAD + i * plane_size, count};
  }
  *out = body;
  return RA_OK;
}

// A pixel counts as valid when any band has a value there; NaN alone differs from itself.
#define ADD_TO_MASK(NAME, TYPE)                                                            \
  RA_VECTOR static void NAME(const TYPE *values, size_t n, TYPE *mask) {                   \
    for (size_t i = 0; i < n; i++) mask[i] = values[i] == values[i] ? (TYPE)255 : mask[i]; \
  }
ADD_TO_MASK(add_to_mask_f32, float)
ADD_TO_MASK(add_to_mask_f64, double)

void ra__tile_npy_mask(const ra__tile_job *job, const ra__plane *planes, ra_buf *body) {
  if (!job->request->return_mask) return;
  size_t plane_size = planes[0].count * ra__tile_value_size(job);
  void *mask = ra_buf_bytes(body) + NPY_HEAD + job->request->band_count * plane_size;
  memset(mask, 0, plane_size);  // all bits zero is 0.0
  for (unsigned k = 0; k < job->request->band_count; k++) {
    if (job->is_double) {
      add_to_mask_f64(planes[k].cells, planes[k].count, mask);
    } else {
      add_to_mask_f32(planes[k].cells, planes[k].count, mask);
    }
  }
}
