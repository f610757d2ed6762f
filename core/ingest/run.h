// run.h - a conversion on a thread of its own, so that a workflow can watch it. Refcounted, any thread; the last reference
// stops the conversion, waits for it, and frees the ingest.
#pragma once
#include "ingest/ingest.h"

typedef struct ra_ingest_run ra_ingest_run;

int ra_ingest_run_new(ra_ingest *ingest, ra_ingest_run **out,
                      ra_err *err);  // takes the ingest when it succeeds
ra_ingest_run *ra_ingest_run_ref(ra_ingest_run *run);
void ra_ingest_run_unref(ra_ingest_run *run);  // NULL is fine
ra_ingest *ra_ingest_run_get(ra_ingest_run *run);
// Starts the conversion, or does nothing when it runs already; then waits at most `ms`. *done tells whether it has ended;
// its failure is returned. The store must outlive it.
int ra_ingest_run_wait(ra_ingest_run *run, ra_store *store, unsigned ms, bool *done, ra_err *err);
void ra_ingest_run_cancel(ra_ingest_run *run);
