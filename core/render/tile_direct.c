// tile_direct.c - pictures whose pixels are the values themselves: red, green and blue of three bands, or 16-bit grey or
// colours; and pixels into the formats. Pixel rules: contracts.md §1.
#include <math.h>
#include <string.h>

#include "codec/picture.h"
#include "codec/png.h"
#include "render/tile_job.h"

enum { JPEG_QUALITY = 85, WEBP_QUALITY = 75 };

int ra__tile_encode(const ra__tile_job *job, const uint8_t *rgba, ra_buf **out, ra_err *err) {
  switch (job->request->format) {
    case RA_TILE_JPG: return ra_jpeg_rgba(rgba, job->size, job->size, JPEG_QUALITY, out, err);
    case RA_TILE_WEBP: return ra_webp_rgba(rgba, job->size, job->size, WEBP_QUALITY, out, err);
    default: return ra_png_rgba(rgba, job->size, job->size, out, err);
  }
}

static double value_at(const ra__tile_job *job, const ra__plane *plane, size_t i) {
  return job->is_double ? ((const double *)plane->cells)[i]
                        : (double)((const float *)plane->cells)[i];
}

// 0..most, cut to a whole number; nothing is 0.
static unsigned level_of(double v, const double *rescale, double most) {
  if (isnan(v)) return 0;
  v = v > rescale[0] ? v : rescale[0];
  v = v < rescale[1] ? v : rescale[1];
  return (unsigned)((v - rescale[0]) / (rescale[1] - rescale[0]) * most);
}

// A pixel is there when all of its bands are.
static bool is_there(const ra__tile_job *job, const ra__plane *planes, size_t i) {
  for (unsigned k = 0; k < job->request->band_count; k++) {
    if (isnan(value_at(job, &planes[k], i))) return false;
  }
  return true;
}

static int paint_rgb(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err) {
  const ra_tile_request *request = job->request;
  size_t count = planes[0].count;
  uint8_t *rgba = ra_arena_alloc(&job->arena, count * 4);
  if (!rgba) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
  ra_formula_run run;
  ra_formula_begin(&request->formula, &run);
  bool opaque = ra__tile_opaque(request);
  for (size_t i = 0; i < count; i++) {
    uint8_t *pixel = rgba + i * 4;
    bool there = is_there(job, planes, i);
    for (unsigned k = 0; k < RA_TILE_CHANNELS; k++) {
      double v = there ? value_at(job, &planes[k], i) : (double)NAN;
      pixel[k] = (uint8_t)level_of(v, request->rescale + 2 * (size_t)k, 255);
    }
    if (request->formula.count && there) ra_formula_apply(&run, RA_TILE_CHANNELS, pixel);
    pixel[3] = there || opaque ? 255 : 0;
  }
  return ra__tile_encode(job, rgba, out, err);
}

static int paint_deep(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err) {
  const ra_tile_request *request = job->request;
  unsigned bands = request->band_count, channels = bands + request->return_mask;
  size_t count = planes[0].count;
  uint16_t *samples = ra_arena_alloc(&job->arena, count * channels * sizeof *samples);
  if (!samples) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a tile");
  for (size_t i = 0; i < count; i++) {
    uint16_t *pixel = samples + i * channels;
    bool there = is_there(job, planes, i);
    for (unsigned k = 0; k < bands; k++) {
      double v = there ? value_at(job, &planes[k], i) : (double)NAN;
      pixel[k] = (uint16_t)level_of(v, request->rescale + 2 * (size_t)k, 65535);
    }
    if (request->return_mask) pixel[bands] = there ? 65535 : 0;
  }
  return ra_png_16(samples, job->size, job->size, channels, out, err);
}

int ra__tile_direct(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err) {
  return job->request->deep ? paint_deep(job, planes, out, err) : paint_rgb(job, planes, out, err);
}
