// control.h - short messages between the supervisor and one worker, both ways, over a socket pair: a name, a number and
// some bytes. What is sent arrives whole, once and in order, or the other side is gone. Both ends live on a libuv loop;
// everything on its thread.
//
//   supervisor                                  worker
//   ra_supervisor_send(s, 0, "prepare", 7, …)   fn(ctx, {"prepare", 7, …}) as set by ra_control_on
//   fn(ctx, 0, {"prepared", 7, …})              ra_control_send(control, "prepared", 7, …)
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

typedef struct ra_control ra_control;

enum {
  RA_CONTROL_NAME_MAX = 27,         // bytes of a name
  RA_CONTROL_BYTES_MAX = 64 << 10,  // of a message's bytes
  RA_CONTROL_WAITING_MAX = 64,      // messages that wait for a reader before sending fails
  RA_CONTROL_HANDLERS_MAX = 32
};

typedef struct ra_control_message {
  const char *name;
  uint32_t id;  // the sender's own; an answer repeats it, so that old answers can be told from new ones
  const char *bytes;  // never NULL; a NUL follows them; valid during the call only
  size_t size;
} ra_control_message;

typedef void ra_control_fn(void *ctx, const ra_control_message *message);

// Both descriptors are close-on-exec and do not block.
int ra_control_pair(int fds[2], ra_err *err);
// One end on a loop, which it does not keep running. Takes the descriptor, also on failure.
int ra_control_new(uv_loop_t *loop, int fd, ra_control **out, ra_err *err);
// May be called from a handler. Messages that still wait are lost; the memory is released when the loop runs next. NULL
// is fine.
void ra_control_free(ra_control *control);

// Who gets the messages of this name; setting it again replaces that, NULL removes it. `name` must outlive the control.
int ra_control_on(ra_control *control, const char *name, ra_control_fn *fn, void *ctx, ra_err *err);
// Who gets those of any other name (they are logged and dropped without).
void ra_control_on_other(ra_control *control, ra_control_fn *fn, void *ctx);
// Called once when the other side is gone, after its last message.
void ra_control_on_closed(ra_control *control, void (*closed)(void *ctx), void *ctx);

// Copies what is sent and never waits. RA_E_TOOBIG over the sizes above, RA_E_BUSY when the other side does not read,
// RA_E_IO when it is gone.
int ra_control_send(ra_control *control, const char *name, uint32_t id, const void *bytes,
                    size_t size, ra_err *err);
