// watch_mail.h - two queues between the thread that looks into a watched folder and the one that has its files ingested:
// offers one way, results the other. Any thread; what is taken is the taker's.
#pragma once
#include "app/watch_tree.h"

typedef struct ra_watch_result {
  struct ra_watch_result *next;
  ra_watch_stamp stamp;
  ra_watch_outcome outcome;
  char *sentence;  // or NULL
  char path[];
} ra_watch_result;

typedef struct ra_watch_mail ra_watch_mail;

int ra_watch_mail_new(ra_watch_mail **out, ra_err *err);
void ra_watch_mail_free(ra_watch_mail *mail);
int ra_watch_mail_fd(const ra_watch_mail *mail);  // readable when there are results, or after ra_watch_mail_end
// Without memory nothing is sent, which a later look at the folder makes good.
void ra_watch_mail_offer(ra_watch_mail *mail, const char *path, const ra_watch_stamp *stamp,
                         bool back);
bool ra_watch_mail_take_offer(ra_watch_mail *mail, ra_watch_offer *out);
void ra_watch_mail_result(ra_watch_mail *mail, const ra_watch_offer *offer,
                          ra_watch_outcome outcome, const char *sentence);
ra_watch_result *ra_watch_mail_take_results(ra_watch_mail *mail);  // a list, in order; NULL: none
void ra_watch_result_free(ra_watch_result *result);
void ra_watch_mail_end(ra_watch_mail *mail);
bool ra_watch_mail_ended(ra_watch_mail *mail);
