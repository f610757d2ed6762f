// metrics_text.c - the sum of all slabs in text exposition format 0.0.4.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics_slab.h"

static void add_value(ra_str *out, double value) {
  if (isnan(value)) {
    ra_str_add(out, "NaN");
  } else if (isinf(value)) {
    ra_str_add(out, value > 0 ? "+Inf" : "-Inf");
  } else if (value == floor(value) && fabs(value) < 1e15) {
    ra_str_add_int(out, (int64_t)value);
  } else {
    ra_str_add_double(out, value);
  }
}

// name_suffix{labels,le="…"} without the value.
static void add_series(ra_str *out, const char *name, const char *suffix, const char *labels,
                       const double *le) {
  ra_str_add(out, name);
  ra_str_add(out, suffix);
  if (*labels || le) {
    ra_str_add_char(out, '{');
    ra_str_add(out, labels);
    if (le) {
      ra_str_add(out, *labels ? ",le=\"" : "le=\"");
      add_value(out, *le);
      ra_str_add_char(out, '"');
    }
    ra_str_add_char(out, '}');
  }
  ra_str_add_char(out, ' ');
}

// One label set of one process; those of the same family and labels stand side by side once sorted.
typedef struct sample {
  const ra__family *family;
  const ra__child *child;
  const char *name, *labels;
} sample;

// The same metric: another process may have declared it otherwise.
static bool alike(const ra__family *a, const ra__family *b) {
  return a->type == b->type && a->bucket_count == b->bucket_count &&
         memcmp(a->buckets, b->buckets, a->bucket_count * sizeof *a->buckets) == 0;
}

static uint64_t count_of(const sample *s, size_t n, unsigned bucket) {
  uint64_t total = 0;
  for (size_t i = 0; i < n; i++) {
    if (alike(s->family, s[i].family))
      total += atomic_load_explicit(&s[i].child->counts[bucket], memory_order_relaxed);
  }
  return total;
}

static double value_of(const sample *s, size_t n) {
  double total = 0;
  for (size_t i = 0; i < n; i++) {
    if (!alike(s->family, s[i].family)) continue;
    double value = ra__from_bits(atomic_load_explicit(&s[i].child->bits, memory_order_relaxed));
    bool greatest = s->family->type == RA_METRIC_GAUGE_MAX;
    total = i == 0 ? value : !greatest ? total + value : value > total ? value : total;
  }
  return total;
}

static void add_histogram(ra_str *out, const sample *s, size_t n) {
  uint64_t total = 0;
  for (unsigned i = 0; i <= s->family->bucket_count; i++) {
    total += count_of(s, n, i);
    double le = i < s->family->bucket_count ? s->family->buckets[i] : INFINITY;
    add_series(out, s->name, "_bucket", s->labels, &le);
    ra_str_addf(out, "%llu\n", (unsigned long long)total);
  }
  add_series(out, s->name, "_sum", s->labels, NULL);
  add_value(out, value_of(s, n));
  ra_str_add_char(out, '\n');
  add_series(out, s->name, "_count", s->labels, NULL);
  ra_str_addf(out, "%llu\n", (unsigned long long)total);
}

static void add_help(ra_str *out, const sample *s) {
  static const char *const types[] = {"counter", "gauge", "histogram", "gauge"};
  ra_str_addf(out, "# HELP %s ", s->name);
  for (const char *p = ra__family_help(s->family); *p; p++) {
    if (*p == '\\') {
      ra_str_add(out, "\\\\");
    } else if (*p == '\n') {
      ra_str_add(out, "\\n");
    } else {
      ra_str_add_char(out, *p);
    }
  }
  ra_str_addf(out, "\n# TYPE %s %s\n", s->name, types[s->family->type]);
}

static int by_name_and_labels(const void *a, const void *b) {
  const sample *one = a, *other = b;
  int order = strcmp(one->name, other->name);
  return order ? order : strcmp(one->labels, other->labels);
}

// How many of the sorted samples from s[0] on are of its label set.
static size_t same_series(const sample *s, size_t n) {
  size_t i = 1;
  while (i < n && by_name_and_labels(s, s + i) == 0) i++;
  return i;
}

static void add_all(ra_str *out, const sample *s, size_t n) {
  const sample *head = NULL;
  for (size_t i = 0, same; i < n; i += same) {
    same = same_series(s + i, n - i);
    if (!head || strcmp(head->name, s[i].name) != 0) add_help(out, head = s + i);
    if (!alike(head->family, s[i].family)) continue;
    if (s[i].family->type == RA_METRIC_HISTOGRAM) {
      add_histogram(out, s + i, same);
    } else {
      add_series(out, s[i].name, "", s[i].labels, NULL);
      add_value(out, value_of(s + i, same));
      ra_str_add_char(out, '\n');
    }
  }
}

// Fills in what there is (NULL: only counts it), at most `most`.
static size_t collect(sample *samples, size_t most) {
  unsigned count;
  size_t n = 0;
  const ra__slab *slabs = ra__metrics_slabs(&count);
  for (unsigned i = 0; i < count; i++) {
    ra__family *f;
    ra__child *c;
    for (uint64_t offset = 0; n < most && ra__slab_next(&slabs[i], &offset, &f, &c);) {
      if (!c) continue;
      if (samples) samples[n] = (sample){f, c, ra__family_name(f), ra__child_labels(c, f)};
      n++;
    }
  }
  return n;
}

void ra_metrics_text(ra_str *out) {
  size_t n = collect(NULL, SIZE_MAX);
  sample *samples = malloc((n + 1) * sizeof *samples);
  if (!samples) {
    out->failed = true;
    return;
  }
  n = collect(samples, n);  // what was made since comes next time
  qsort(samples, n, sizeof *samples, by_name_and_labels);
  add_all(out, samples, n);
  free(samples);
}

void ra_metric_escape(ra_str *out, const char *value) {
  for (; *value; value++) {
    if (*value == '\\' || *value == '"') ra_str_add_char(out, '\\');
    if (*value == '\n') {
      ra_str_add(out, "\\n");
    } else {
      ra_str_add_char(out, *value);
    }
  }
}
