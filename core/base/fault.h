// fault.h - crash tests: with RASTRUM_FAULT=n in the environment the process exits, with status 70 and at once,
// when it reaches its n-th fault point. Every write, rename, put and commit of durable data is preceded by one.
#pragma once

// `what` is named in the last line on standard error. Any thread; a single load when RASTRUM_FAULT is unset.
void ra_fault_point(const char *what);
