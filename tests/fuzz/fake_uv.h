// fake_uv.h - as much of libuv as net/ and loop/lane.c use, without a kernel: time, sockets and the pool do what the test
// says. Linked into a program, these functions stand in front of the library's. One loop, one thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { FAKE_SOCKETS = 8 };

// What a server writes to a connection, as it goes out.
typedef void fake_output(void *ctx, unsigned socket, const char *data, size_t size);

void fake_reset(fake_output *output, void *ctx);  // forgets everything; the time is 0
// A client: a connection that waits to be accepted, with room for so many bytes of answers. -1: no more can be.
int fake_connect(size_t window);
bool fake_open(unsigned socket);  // accepted and not closed by the server
const uv_handle_t *fake_handle(unsigned socket);
void fake_send(unsigned socket, const void *data, size_t size);
void fake_end(unsigned socket);                // the client sends no more
void fake_break(unsigned socket);              // the client is gone: reset
void fake_read(unsigned socket, size_t size);  // the client takes so much more
void fake_pass(uint64_t ms);                   // time passes, timers fire
void fake_work(void);                          // one job of the pool
void fake_turn(void);                          // idle and close callbacks
bool fake_quiet(void);                         // nothing is left to do but wait
