// referred.c - the source that serves in another's place: a NetCDF file as the references to its chunks. What is planned and
// described of it is what will be read.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/access.h"
#include "source/fetched.h"
#include "source/refer.h"
#include "source/source_private.h"

// What was fetched, and what will be read by ranges from now on, are one file.
static int same_far(const ra_source *source, ra_err *err) {
  const ra_remote_state *fetched = ra_fetched_state(source->fetched);
  ra_remote_state now;
  int rc = ra_remote_look(ra_source_get_access()->remote, source->url, NULL, &now, err);
  if (rc < 0) return rc;
  if (!now.tag[0])
    return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                   "its server tells neither ETag nor Last-Modified, so that nobody would notice a "
                   "change; ingest it without --virtual");
  if (now.size == fetched->size && strcmp(now.tag, fetched->tag) == 0) return RA_OK;
  return ra_fail(err, RA_E_CONFLICT, source->name, "was changed while it was fetched");
}

static int make_references(ra_source *source, ra_references **out, ra_err *err) {
  ra_str text;
  ra_str_init(&text);
  int rc = ra_refer(source, ra_source_path(source), &text, err);
  if (rc >= 0) rc = ra_references_open_text(ra_source_path(source), text.ptr, text.len, out, err);
  ra_str_deinit(&text);
  return rc;
}

int ra_source_refer(ra_source *source, ra_source **out, ra_err *err) {
  ra_references *references = NULL;
  if (source->url && strpbrk(source->url, "?#"))
    return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                   "has a query in its URL, which references would tell everybody; ingest it "
                   "without --virtual");
  int rc = source->fetched ? same_far(source, err) : RA_OK;
  if (rc >= 0) rc = make_references(source, &references, err);
  if (rc >= 0) rc = ra__source_open_references(source, references, out, err);
  if (rc < 0) return rc;
  // What tells that its files stay what they are was taken while this one was what had been read.
  rc = ra_source_check(source, err);
  if (rc < 0) ra_source_free(*out);
  return rc;
}
