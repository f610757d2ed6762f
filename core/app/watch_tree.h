// watch_tree.h - a watched folder and all below it: which files are complete and new. It has a thread of its own, so that
// a folder on a file system that hangs holds up nothing else; what that thread finds is handed over as offers, and how
// an offer came out is handed back. All calls are for the one thread that owns the object.
//
// A file is complete when it was renamed in, or when it was closed after writing (or found) and then stayed as it is for
// `settle_ms`. New is what is not as it was when it was published last. An offer is taken back when the file changes or
// goes; then it is offered again once it is complete. Symbolic links to files are followed, those to folders are not.
#pragma once
#include "app/watch_files.h"
#include "app/watch_journal.h"

typedef struct ra_watch_tree ra_watch_tree;

typedef struct ra_watch_tree_config {
  const char *root;               // absolute
  const char *store;              // a folder that is not looked into; it may be missing
  uint64_t settle_ms, rescan_ms;  // rescan_ms 0: looked through again only after lost events
  ra_watch_journal_config journal;
  void (*offered)(void *ctx);  // there is something to take; on the tree's thread
  void *ctx;
} ra_watch_tree_config;

typedef struct ra_watch_offer {
  char *path;  // below the root; the taker's
  ra_watch_stamp stamp;
  bool back;  // no longer offered
} ra_watch_offer;

typedef enum ra_watch_outcome {
  RA_WATCH_PUBLISHED,  // or it had been
  RA_WATCH_REFUSED,    // until the file changes
  RA_WATCH_HINDERED,  // by something that may pass: offered again after a while, then after ever longer ones
} ra_watch_outcome;

// The texts are copied.
int ra_watch_tree_new(const ra_watch_tree_config *config, ra_watch_tree **out, ra_err *err);
// Ends its thread; one that hangs in the file system is left behind.
void ra_watch_tree_free(ra_watch_tree *tree);
bool ra_watch_tree_take(ra_watch_tree *tree, ra_watch_offer *out);
// How an offer came out. Writes or removes FILE.error; sentence: why not, else NULL.
void ra_watch_tree_result(ra_watch_tree *tree, const ra_watch_offer *offer,
                          ra_watch_outcome outcome, const char *sentence);
