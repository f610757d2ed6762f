// metrics.c - see metrics.h. Families form a list and label sets short hash chains; both only ever grow, by
// compare-and-swap at the head, so that readers need no lock. Nothing is ever freed.
#include "base/metrics.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 64
#define MAX_CHILDREN 256
#define OTHER "other=\"true\""

typedef struct child {
  struct child *next;
  _Atomic uint64_t bits;     // the value, or a histogram's sum: a double's bits
  _Atomic uint64_t *counts;  // histograms: one a bucket, the last for +Inf
  char labels[];
} child;

struct ra_metric {
  ra_metric *next;
  ra_metric_type type;
  const double *buckets;
  unsigned bucket_count;
  char *name, *help;
  atomic_uint child_count;
  _Atomic(child *) chains[CHAINS];
};

static _Atomic(ra_metric *) families;
static ra_metric dummy;  // swallows updates when there is no memory: it never gets a child

static ra_metric *find_family(ra_metric *head, const char *name) {
  for (ra_metric *m = head; m; m = m->next) {
    if (strcmp(m->name, name) == 0) return m;
  }
  return NULL;
}

static ra_metric *new_family(ra_metric_type type, const char *name, const char *help,
                             const double *buckets, unsigned bucket_count) {
  ra_metric *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->type = type;
  m->buckets = buckets;
  m->bucket_count = bucket_count;
  m->name = strdup(name);
  m->help = strdup(help);
  if (m->name && m->help) return m;
  free(m->name);
  free(m->help);
  free(m);
  return NULL;
}

ra_metric *ra_metric_get(ra_metric_type type, const char *name, const char *help,
                         const double *buckets, unsigned bucket_count) {
  ra_metric *head = atomic_load(&families);
  ra_metric *found = find_family(head, name);
  if (found) return found;
  ra_metric *made = new_family(type, name, help, buckets, bucket_count);
  if (!made) return &dummy;
  do {
    found = find_family(head, name);
    if (found) {
      free(made->name);
      free(made->help);
      free(made);
      return found;
    }
    made->next = head;
  } while (!atomic_compare_exchange_weak(&families, &head, made));
  return made;
}

static unsigned hash_labels(const char *labels) {
  unsigned hash = 2166136261u;
  for (const unsigned char *p = (const unsigned char *)labels; *p; p++)
    hash = (hash ^ *p) * 16777619u;
  return hash;
}

static child *new_child(const ra_metric *m, const char *labels) {
  size_t size = strlen(labels) + 1;
  child *c = calloc(1, sizeof *c + size);
  if (!c) return NULL;
  memcpy(c->labels, labels, size);
  if (m->type != RA_METRIC_HISTOGRAM) return c;
  c->counts = calloc((size_t)m->bucket_count + 1, sizeof *c->counts);
  if (c->counts) return c;
  free(c);
  return NULL;
}

static child *find_child(child *head, const char *labels) {
  for (child *c = head; c; c = c->next) {
    if (strcmp(c->labels, labels) == 0) return c;
  }
  return NULL;
}

// The child of a label set, made when it is new. NULL without memory.
static child *child_of(ra_metric *m, const char *labels) {
  if (m == &dummy) return NULL;
  if (!labels) labels = "";
  _Atomic(child *) *chain = &m->chains[hash_labels(labels) % CHAINS];
  child *head = atomic_load_explicit(chain, memory_order_acquire);
  child *found = find_child(head, labels);
  if (found) return found;
  bool other = strcmp(labels, OTHER) == 0;
  if (!other && atomic_load(&m->child_count) >= MAX_CHILDREN) return child_of(m, OTHER);
  child *made = new_child(m, labels);
  if (!made) return NULL;
  do {
    found = find_child(head, labels);
    if (found) {
      free(made->counts);
      free(made);
      return found;
    }
    made->next = head;
  } while (!atomic_compare_exchange_weak(chain, &head, made));
  atomic_fetch_add(&m->child_count, 1);
  return made;
}

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint64_t to_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void add_bits(_Atomic uint64_t *bits, double amount) {
  uint64_t old = atomic_load_explicit(bits, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(bits, &old, to_bits(from_bits(old) + amount),
                                                memory_order_relaxed, memory_order_relaxed)) {
  }
}

void ra_metric_add(ra_metric *metric, const char *labels, double amount) {
  child *c = child_of(metric, labels);
  if (c) add_bits(&c->bits, amount);
}

void ra_metric_set(ra_metric *metric, const char *labels, double value) {
  child *c = child_of(metric, labels);
  if (c) atomic_store_explicit(&c->bits, to_bits(value), memory_order_relaxed);
}

void ra_metric_observe(ra_metric *metric, const char *labels, double value) {
  child *c = child_of(metric, labels);
  if (!c || !c->counts || isnan(value)) return;
  unsigned bucket = 0;
  while (bucket < metric->bucket_count && value > metric->buckets[bucket]) bucket++;
  atomic_fetch_add_explicit(&c->counts[bucket], 1, memory_order_relaxed);
  add_bits(&c->bits, value);
}

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

static void add_histogram(ra_str *out, const ra_metric *m, child *c) {
  uint64_t total = 0;
  for (unsigned i = 0; i <= m->bucket_count; i++) {
    total += atomic_load_explicit(&c->counts[i], memory_order_relaxed);
    double le = i < m->bucket_count ? m->buckets[i] : INFINITY;
    add_series(out, m->name, "_bucket", c->labels, &le);
    ra_str_addf(out, "%llu\n", (unsigned long long)total);
  }
  add_series(out, m->name, "_sum", c->labels, NULL);
  add_value(out, from_bits(atomic_load_explicit(&c->bits, memory_order_relaxed)));
  ra_str_add_char(out, '\n');
  add_series(out, m->name, "_count", c->labels, NULL);
  ra_str_addf(out, "%llu\n", (unsigned long long)total);
}

static int by_labels(const void *a, const void *b) {
  return strcmp((*(child *const *)a)->labels, (*(child *const *)b)->labels);
}

static void add_help(ra_str *out, const ra_metric *m) {
  static const char *const types[] = {"counter", "gauge", "histogram"};
  ra_str_addf(out, "# HELP %s ", m->name);
  for (const char *p = m->help; *p; p++) {
    if (*p == '\\') {
      ra_str_add(out, "\\\\");
    } else if (*p == '\n') {
      ra_str_add(out, "\\n");
    } else {
      ra_str_add_char(out, *p);
    }
  }
  ra_str_addf(out, "\n# TYPE %s %s\n", m->name, types[m->type]);
}

static void add_family(ra_str *out, ra_metric *m) {
  child *sorted[MAX_CHILDREN * 2];
  size_t n = 0;
  for (unsigned i = 0; i < CHAINS; i++) {
    for (child *c = atomic_load(&m->chains[i]); c; c = c->next) {
      if (n < sizeof sorted / sizeof *sorted) sorted[n++] = c;
    }
  }
  if (!n) return;
  qsort(sorted, n, sizeof *sorted, by_labels);
  add_help(out, m);
  for (size_t i = 0; i < n; i++) {
    if (m->type == RA_METRIC_HISTOGRAM) {
      add_histogram(out, m, sorted[i]);
      continue;
    }
    add_series(out, m->name, "", sorted[i]->labels, NULL);
    add_value(out, from_bits(atomic_load_explicit(&sorted[i]->bits, memory_order_relaxed)));
    ra_str_add_char(out, '\n');
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(ra_metric *const *)a)->name, (*(ra_metric *const *)b)->name);
}

void ra_metrics_text(ra_str *out) {
  ra_metric *head = atomic_load(&families);
  size_t n = 0;
  for (ra_metric *m = head; m; m = m->next) n++;
  if (!n) return;
  ra_metric **sorted = malloc(n * sizeof *sorted);
  if (!sorted) {
    out->failed = true;
    return;
  }
  n = 0;
  for (ra_metric *m = head; m; m = m->next) sorted[n++] = m;
  qsort(sorted, n, sizeof *sorted, by_name);
  for (size_t i = 0; i < n; i++) add_family(out, sorted[i]);
  free(sorted);
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
