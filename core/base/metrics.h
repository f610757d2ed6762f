// metrics.h - counters, gauges and histograms, written as Prometheus text. Metrics are declared once as static
// objects and register themselves on first use; updates are atomic and take no lock. A child per label set is
// looked up by its ready-made label text ("method=\"GET\",status=\"2xx\"") and kept; use few label values.
#pragma once
#include <stdint.h>

#include "base/str.h"

typedef enum ra_metric_type {
  RA_METRIC_COUNTER,
  RA_METRIC_GAUGE,
  RA_METRIC_HISTOGRAM
} ra_metric_type;

typedef struct ra_metric ra_metric;

// name: "rastrum_http_requests_total"; help: one line. `buckets` (histograms): ascending upper bounds in base
// units, static. Returns the same metric for the same name. Never fails: without memory a shared dummy.
ra_metric *ra_metric_get(ra_metric_type type, const char *name, const char *help,
                         const double *buckets, unsigned bucket_count);
// labels may be NULL. At most 256 label sets a metric; later ones share one child labelled other="true".
void ra_metric_add(ra_metric *metric, const char *labels, double amount);     // counter, gauge
void ra_metric_set(ra_metric *metric, const char *labels, double value);      // gauge
void ra_metric_observe(ra_metric *metric, const char *labels, double value);  // histogram
// Appends all metrics in text exposition format 0.0.4, families sorted by name.
void ra_metrics_text(ra_str *out);
// Escapes a label value into `out` (backslash, quote, newline).
void ra_metric_escape(ra_str *out, const char *value);
