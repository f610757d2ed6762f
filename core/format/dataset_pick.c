// dataset_pick.c - which step of which dataset answers each time, where several have the same one: the rule of data.md §4,
// for series. Maps order their sources by the same rule.
#include <stdlib.h>

#include "format/dataset.h"

typedef struct candidate {
  int64_t ms, run;
  uint32_t source;
  size_t step;
} candidate;

typedef struct gathered {
  const ra_dataset_source *sources;
  candidate *list;
  size_t count;
} gathered;

static size_t count_steps(const ra_dataset_source *sources, size_t count) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++)
    if (sources[i].variable->axis) total += sources[i].variable->axis->count;
  return total;
}

static void gather(gathered *g, uint32_t source, int64_t only) {
  const ra_dataset_axis *axis = g->sources[source].variable->axis;
  for (size_t step = 0; axis && step < axis->count; step++) {
    int64_t run = ra_dataset_axis_run(axis, step);
    if (axis->ms[step] == RA_TIME_NONE || (only != RA_TIME_NONE && run != only)) continue;
    g->list[g->count++] = (candidate){axis->ms[step], run, source, step};
  }
}

static int by_time(const void *pa, const void *pb) {
  const candidate *a = pa, *b = pb;
  if (a->ms != b->ms) return a->ms < b->ms ? -1 : 1;
  return (a->step > b->step) - (a->step < b->step);
}

static int compare(double a, double b) { return (a > b) - (a < b); }

// < 0: a goes before b.
static int by_rule(const ra_dataset_source *sources, const candidate *a, const candidate *b) {
  int order = compare(sources[b->source].priority, sources[a->source].priority);
  if (!order && a->run != b->run) order = a->run > b->run ? -1 : 1;
  if (!order) order = compare(sources[b->source].published, sources[a->source].published);
  return order ? order : (a->source > b->source) - (a->source < b->source);
}

// Of the candidates of one time keeps those of the best dataset and run; steps that it repeats are all kept.
static size_t keep_best(const gathered *g, size_t first, size_t last, size_t out) {
  const candidate *best = &g->list[first];
  for (size_t i = first + 1; i < last; i++)
    if (by_rule(g->sources, &g->list[i], best) < 0) best = &g->list[i];
  const candidate won = *best;
  for (size_t i = first; i < last; i++) {
    const candidate *c = &g->list[i];
    if (c->source == won.source && c->run == won.run) g->list[out++] = *c;
  }
  return out;
}

static void choose(gathered *g) {
  size_t kept = 0;
  qsort(g->list, g->count, sizeof *g->list, by_time);
  for (size_t i = 0, end; i < g->count; i = end) {
    for (end = i + 1; end < g->count && g->list[end].ms == g->list[i].ms;) end++;
    kept = keep_best(g, i, end, kept);
  }
  g->count = kept;
}

static size_t join(const gathered *g, ra_dataset_pick *picks) {
  size_t n = 0;
  for (size_t i = 0; i < g->count; i++) {
    const candidate *c = &g->list[i];
    ra_dataset_pick *last = n ? &picks[n - 1] : NULL;
    if (last && last->source == c->source && last->first + last->count == c->step) {
      last->count++;
    } else {
      picks[n++] = (ra_dataset_pick){c->source, c->step, 1};
    }
  }
  return n;
}

int ra_dataset_choose(const ra_dataset_source *sources, size_t count, const char *run,
                      ra_dataset_pick **picks, size_t *pick_count, ra_err *err) {
  size_t total = count_steps(sources, count);
  gathered g = {.sources = sources, .list = calloc(total + 1, sizeof *g.list)};
  *picks = calloc(total + 1, sizeof **picks);
  *pick_count = 0;
  if (!g.list || !*picks) {
    free(g.list);
    return ra_fail(err, RA_E_NOMEM, "", "out of memory for %zu steps", total);
  }
  for (size_t i = 0; i < count; i++) {
    const ra_dataset_axis *axis = sources[i].variable->axis;
    int64_t ms, only = RA_TIME_NONE;
    if (*run && (!axis || ra_time_parse(axis->calendar, run, &ms, NULL) < 0 ||
                 !ra_dataset_axis_find_run(axis, ms, &only)))
      continue;
    gather(&g, (uint32_t)i, only);
  }
  choose(&g);
  *pick_count = join(&g, *picks);
  free(g.list);
  return RA_OK;
}
