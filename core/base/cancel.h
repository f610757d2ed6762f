// cancel.h - "nobody waits for this any more": one atomic flag, set on the loop, tested by jobs between
// chunks. Shared by reference, because a job may outlive the task that asked for it.
#pragma once
#include <stdbool.h>

typedef struct ra_cancel ra_cancel;

ra_cancel *ra_cancel_new(void);               // NULL when out of memory
ra_cancel *ra_cancel_ref(ra_cancel *cancel);  // NULL stays NULL
void ra_cancel_unref(ra_cancel *cancel);      // NULL is fine
void ra_cancel_set(ra_cancel *cancel);
bool ra_cancel_is_set(const ra_cancel *cancel);  // false for NULL
