// formula.c - see formula.h. Steps before the first saturation work on each channel by itself, so that a table of 256
// levels holds all that they do.
#include "raster/formula.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORD = 32, WORDS = 64 };

static const struct {
  const char *name;
  unsigned numbers;
  bool has_channels;
} KINDS[] = {{"gamma", 1, true}, {"sigmoidal", 2, true}, {"saturation", 1, false}};

typedef struct reader {
  const char *at, *end;
  char word[WORD];
  ra_err *err;
} reader;

// ---- words

static bool is_gap(char c) { return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r'; }

// 1: `word` has the next one; 0: there is none; < 0: it is no word of a formula.
static int next_word(reader *r) {
  while (r->at < r->end && is_gap(*r->at)) r->at++;
  const char *begin = r->at;
  while (r->at < r->end && !is_gap(*r->at)) r->at++;
  size_t n = (size_t)(r->at - begin);
  if (n >= WORD || memchr(begin, 0, n)) {
    return ra_fail(r->err, RA_E_INVALID, "color_formula",
                   "color_formula: the word '%.20s…' is too long", begin);
  }
  memcpy(r->word, begin, n);
  r->word[n] = 0;
  return n > 0;
}

static int wrong(reader *r, const char *wanted) {
  return ra_fail(r->err, RA_E_INVALID, "color_formula", "color_formula: '%s' where %s is wanted",
                 r->word, wanted);
}

static int read_channels(reader *r, unsigned *out) {
  int rc = next_word(r);
  if (rc < 0) return rc;
  *out = 0;
  for (const char *c = r->word; *c; c++) {
    static const char names[] = "rgbRGB123";
    const char *found = strchr(names, *c);
    if (!found) return wrong(r, "the channels (letters of rgb)");
    *out |= 1u << ((found - names) % 3);
  }
  return *out ? RA_OK : wrong(r, "the channels (letters of rgb)");
}

static int read_number(reader *r, double *out) {
  int rc = next_word(r);
  if (rc < 0) return rc;
  char *end;
  *out = strtod(r->word, &end);
  if (rc == 0 || *end || !isfinite(*out) || fabs(*out) > 1e3) return wrong(r, "a number");
  return RA_OK;
}

static int check_step(const reader *r, const ra_formula_step *step) {
  if (step->kind == RA_FORMULA_GAMMA && !(step->a > 0)) {
    return ra_fail(r->err, RA_E_INVALID, "color_formula",
                   "color_formula: gamma is %g; it must be above 0", step->a);
  }
  if (step->kind == RA_FORMULA_SIGMOIDAL && !(step->b >= 0 && step->b <= 1)) {
    return ra_fail(r->err, RA_E_INVALID, "color_formula",
                   "color_formula: the level of sigmoidal is %g; it must be from 0 to 1", step->b);
  }
  if (step->kind == RA_FORMULA_SATURATION && step->a < 0) {
    return ra_fail(r->err, RA_E_INVALID, "color_formula",
                   "color_formula: saturation is %g; it must not be below 0", step->a);
  }
  return RA_OK;
}

static int read_step(reader *r, ra_formula_step *step) {
  unsigned kind = 0;
  while (kind < sizeof KINDS / sizeof *KINDS && strcasecmp(KINDS[kind].name, r->word) != 0) kind++;
  if (kind == sizeof KINDS / sizeof *KINDS) return wrong(r, "gamma, sigmoidal or saturation");
  *step = (ra_formula_step){.kind = (ra_formula_kind)kind, .channels = 7};
  int rc = KINDS[kind].has_channels ? read_channels(r, &step->channels) : RA_OK;
  if (rc == RA_OK) rc = read_number(r, &step->a);
  if (rc == RA_OK && KINDS[kind].numbers > 1) rc = read_number(r, &step->b);
  return rc == RA_OK ? check_step(r, step) : rc;
}

int ra_formula_parse(const char *text, size_t size, ra_formula *out, ra_err *err) {
  reader r = {.at = text, .end = text + size, .err = err};
  *out = (ra_formula){0};
  if (size > RA_FORMULA_TEXT) {
    return ra_fail(err, RA_E_INVALID, "color_formula", "color_formula: %zu bytes; it has up to %d",
                   size, RA_FORMULA_TEXT);
  }
  for (;;) {
    int rc = next_word(&r);
    if (rc <= 0) return rc;
    if (out->count == RA_FORMULA_STEPS) {
      return ra_fail(err, RA_E_INVALID, "color_formula", "color_formula: more than %d operations",
                     RA_FORMULA_STEPS);
    }
    rc = read_step(&r, &out->steps[out->count]);
    if (rc < 0) return rc;
    out->count++;
  }
}

int ra_formula_needs_rgb(const ra_formula *formula) {
  for (unsigned i = 0; i < formula->count; i++) {
    if (formula->steps[i].kind == RA_FORMULA_SATURATION) return 1;
  }
  return 0;
}

// ---- one channel

static double sigmoidal(double v, double contrast, double level) {
  double a = level > 0 ? level : 2.220446049250313e-16, b = contrast;
  if (b == 0) return v;
  double low = 1 / (1 + exp(b * a)), high = 1 / (1 + exp(b * (a - 1)));
  if (b > 0) return (1 / (1 + exp(b * (a - v))) - low) / (high - low);
  return (b * a - log(1 / (v * high - v * low + low) - 1)) / b;
}

static double clip(double v) { return v > 0 ? v < 1 ? v : 1 : 0; }  // NaN: 0

static double of_channel(const ra_formula_step *step, double v) {
  return clip(step->kind == RA_FORMULA_GAMMA ? pow(v, 1 / step->a) : sigmoidal(v, step->a, step->b));
}

// ---- three channels: sRGB to CIE Lab of the white D65 and back

#define WHITE_X 0.95047
#define WHITE_Z 1.08883
#define DELTA (6.0 / 29)
#define INTERCEPT (4.0 / 29)

static double to_linear(double v) {
  return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double from_linear(double v) {
  return clip(v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055);
}

static double to_lab(double v) {
  return v > DELTA * DELTA * DELTA ? cbrt(v) : v / (3 * DELTA * DELTA) + INTERCEPT;
}

static double from_lab(double v) {
  return v > DELTA ? v * v * v : 3 * DELTA * DELTA * (v - INTERCEPT);
}

// The chroma of Lab times `factor`: both of its axes.
static void saturate(double v[3], double factor) {
  double r = to_linear(v[0]), g = to_linear(v[1]), b = to_linear(v[2]);
  double fx = to_lab((r * 0.4124564 + g * 0.3575761 + b * 0.1804375) / WHITE_X);
  double fy = to_lab(r * 0.2126729 + g * 0.7151522 + b * 0.0721750);
  double fz = to_lab((r * 0.0193339 + g * 0.1191920 + b * 0.9503041) / WHITE_Z);
  double x = from_lab(fy + (fx - fy) * factor) * WHITE_X, y = from_lab(fy);
  double z = from_lab(fy - (fy - fz) * factor) * WHITE_Z;
  v[0] = from_linear(x * 3.2404542 - y * 1.5371385 - z * 0.4985314);
  v[1] = from_linear(x * -0.9692660 + y * 1.8760108 + z * 0.0415560);
  v[2] = from_linear(x * 0.0556434 - y * 0.2040259 + z * 1.0572252);
}

// ---- pixels

void ra_formula_begin(const ra_formula *formula, ra_formula_run *run) {
  run->formula = formula;
  run->done = 0;
  while (run->done < formula->count && formula->steps[run->done].kind != RA_FORMULA_SATURATION) {
    run->done++;
  }
  for (unsigned channel = 0; channel < 3; channel++) {
    for (unsigned level = 0; level < 256; level++) {
      double v = level / 255.0;
      for (unsigned i = 0; i < run->done; i++) {
        if (formula->steps[i].channels >> channel & 1) v = of_channel(&formula->steps[i], v);
      }
      run->tables[channel][level] = v;
    }
  }
}

void ra_formula_apply(const ra_formula_run *run, unsigned channels, uint8_t *levels) {
  double v[3] = {0};
  for (unsigned c = 0; c < channels; c++) v[c] = run->tables[c][levels[c]];
  for (unsigned i = run->done; i < run->formula->count; i++) {
    const ra_formula_step *step = &run->formula->steps[i];
    if (step->kind == RA_FORMULA_SATURATION) {
      saturate(v, step->a);
      continue;
    }
    for (unsigned c = 0; c < channels; c++) {
      if (step->channels >> c & 1) v[c] = of_channel(step, v[c]);
    }
  }
  for (unsigned c = 0; c < channels; c++) levels[c] = (uint8_t)(v[c] * 255);
}
