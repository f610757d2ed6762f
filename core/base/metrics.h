// metrics.h - counters, gauges and histograms, written as Prometheus text. Metrics are declared once as static
// objects and register themselves on first use; updates are atomic and take no lock. A child per label set is
// looked up by its ready-made label text ("method=\"GET\",status=\"2xx\"") and kept; use few label values.
//
// Processes that share a region of memory (the supervisor and its workers) each count in a slot of their own; the text
// is the sum of all slots, whichever process writes it. What a process counted stays when it dies, but its gauges.
#pragma once
#include <stdint.h>

#include "base/str.h"

typedef enum ra_metric_type {
  RA_METRIC_COUNTER,
  RA_METRIC_GAUGE,  // of several processes: their sum
  RA_METRIC_HISTOGRAM,
  RA_METRIC_GAUGE_MAX  // of several processes: the greatest
} ra_metric_type;

typedef struct ra_metric ra_metric;

// name: "rastrum_http_requests_total"; help: one line. `buckets` (histograms): ascending upper bounds in base
// units. Returns the same metric for the same name. Never fails: without room a shared dummy.
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

// A region for so many processes: its size. It begins as zeroed memory that all of them map, and stays mapped.
size_t ra_metrics_region_size(unsigned slots);
// From now on this process counts in that slot and goes on from the counts that it finds there. Before its first metric:
// RA_E_INTERNAL afterwards.
int ra_metrics_share(void *region, unsigned slots, unsigned slot, ra_err *err);
// The process of that slot is dead: its gauges are gone. Any process, while no other uses the slot.
void ra_metrics_slot_ended(void *region, unsigned slot);
