// admin.h - `--admin WHERE`: a second port for operators, which answers /metrics, /healthz, /readyz, /plugins and
// POST /reload; the public one then has no /metrics. Loop thread only.
#pragma once
#include "app/host.h"
#include "app/reload.h"
#include "net/http.h"

typedef struct ra_admin ra_admin;

// `http` is the public server's configuration; its lists, host and reload must outlive this. fd: a listening socket.
int ra_admin_new(ra_host *host, ra_reload *reload, const ra_http_config *http, int fd,
                 ra_admin **out, ra_err *err);
// Closes the port at once, running the loop until that is done. NULL is fine.
void ra_admin_free(ra_admin *admin, uv_loop_t *loop);
// Whether a request is for the admin port alone.
bool ra_admin_owns(const ra_http_request *request);
// Answers 404 as any unknown path.
void ra_admin_refuse(ra_http_exchange *exchange);
