// options.c - the table of settings; see options.h
#include "app/options.h"

#include <string.h>

const ra_option RA_OPTIONS[] = {
    {"config", RA_OPTION_TEXT, "rastrum.lua", RA_CMD_HOST, true, false, "FILE",
     "configuration file; the default may be missing"},
    {"store", RA_OPTION_TEXT, "file:./rastrum-data", RA_CMD_HOST, false, false, "URL",
     "where objects are kept: a path or a file: URL"},
    {"catalog", RA_OPTION_TEXT, NULL, RA_CMD_HOST, false, false, "URL",
     "the catalog (default sqlite:<store>/catalog.db)"},
    {"plugins", RA_OPTION_LIST, NULL, RA_CMD_HOST, false, false, "DIR",
     "a folder of plugins; one named like a built-in replaces it; repeatable"},
    {"colormaps", RA_OPTION_LIST, NULL, RA_CMD_HOST, false, false, "DIR",
     "a folder of colour ramps, by file name; repeatable"},
    {"tile_matrix_sets", RA_OPTION_LIST, NULL, RA_CMD_HOST, false, false, "DIR",
     "a folder of tile matrix sets (OGC 17-083r4), NAME.json each; repeatable"},
    {"disable", RA_OPTION_LIST, NULL, RA_CMD_HOST, false, false, "PLUGIN",
     "a plugin that is not loaded; repeatable"},
    {"log_level", RA_OPTION_TEXT, "info", RA_CMD_HOST, false, false, "LEVEL",
     "debug, info, warn or error"},
    {"log_format", RA_OPTION_TEXT, "auto", RA_CMD_HOST, false, false, "FORMAT",
     "json, plain, or auto (plain on a terminal)"},

    {"listen", RA_OPTION_TEXT, "127.0.0.1:8080", RA_CMD_SERVE | RA_CMD_CONFIG, false, false,
     "HOST:PORT", "address of the public port"},
    {"next_free_port", RA_OPTION_BOOL, "false", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, NULL,
     "take one of the following ports when that one is taken"},
    {"workers", RA_OPTION_INT, "1", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "N",
     "worker processes"},
    {"threads", RA_OPTION_INT, "0", RA_CMD_HOST, false, false, "N",
     "compute threads of a process (0: one a core)"},
    {"admin", RA_OPTION_TEXT, NULL, RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "WHERE",
     "HOST:PORT or a Unix socket's path that answers /metrics instead of the public port"},
    {"dev", RA_OPTION_BOOL, "false", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, NULL,
     "reload when a file of the plugins, the ramps, the tile matrix sets or the configuration "
     "changes"},
    {"watchdog", RA_OPTION_DURATION, "2s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "a worker that is stuck for so long is killed and replaced (0s: never)"},
    {"drain_delay", RA_OPTION_DURATION, "0s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "after SIGTERM: how long to answer before no more connections are accepted (at most 20s)"},
    {"data", RA_OPTION_BOOL, "true", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, NULL,
     "answer /data/ (the store's own objects); --no-data turns it off"},
    {"public_url", RA_OPTION_TEXT, NULL, RA_CMD_REQUEST, false, false, "URL",
     "what absolute links begin with"},
    {"allowed_hosts", RA_OPTION_LIST, NULL, RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "HOST",
     "Host headers that links may be made from (loopback always)"},
    {"trusted_proxies", RA_OPTION_LIST, NULL, RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "ADDRESS",
     "whose X-Forwarded-* headers count"},
    {"cors_origins", RA_OPTION_LIST, "*", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "ORIGIN",
     "origins that browsers may call from; * for all"},
    {"attribution", RA_OPTION_TEXT, NULL, RA_CMD_REQUEST, false, false, "TEXT",
     "shown by maps (TileJSON)"},
    {"block_cache", RA_OPTION_BYTES, "128M", RA_CMD_REQUEST, false, false, "BYTES",
     "memory for decoded blocks"},
    {"header_cache", RA_OPTION_BYTES, "32M", RA_CMD_REQUEST, false, false, "BYTES",
     "memory for parsed headers"},
    {"request_bytes", RA_OPTION_BYTES, "128M", RA_CMD_REQUEST, false, false, "BYTES",
     "what one request may fetch and hold; over it the answer is 413"},
    {"queue", RA_OPTION_INT, "1024", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "N",
     "requests that may wait for a compute thread; over it the answer is 503"},
    {"catalog_staleness", RA_OPTION_DURATION, "5s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false,
     "TIME", "how old the view of a catalog may be that does not tell of changes itself"},
    {"lua_time", RA_OPTION_DURATION, "100ms", RA_CMD_REQUEST, false, false, "TIME",
     "Lua time of one request"},
    {"request_timeout", RA_OPTION_DURATION, "30s", RA_CMD_REQUEST, false, false, "TIME",
     "wall time of one request"},
    {"lua_memory", RA_OPTION_BYTES, "256M", RA_CMD_HOST, false, false, "BYTES",
     "memory of the Lua heap"},
    {"lua_operations", RA_OPTION_INT, "5000", RA_CMD_HOST, false, false, "N",
     "operations that one task of a plugin may hold without starting them"},
    {"lua_output", RA_OPTION_BYTES, "16M", RA_CMD_HOST, false, false, "BYTES",
     "what one call of a plugin's string, table or JSON functions may make"},
    {"lua_steps", RA_OPTION_INT, "1000000", RA_CMD_HOST, false, false, "N",
     "steps of one pattern match of a plugin"},
    {"plugin_requests", RA_OPTION_INT, "0", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "N",
     "requests that one plugin may be answering; over it the answer is 503 (0: any number)"},
    {"shared_memory", RA_OPTION_BYTES, "64M", RA_CMD_HOST, false, false, "BYTES",
     "memory of what plugins keep in rastrum.shared"},
    {"external_memory", RA_OPTION_BYTES, "1G", RA_CMD_HOST, false, false, "BYTES",
     "bytes of live buffers over which requests are refused"},
    {"fetch_allow", RA_OPTION_LIST, NULL, RA_CMD_HOST, false, false, "NETWORK",
     "an address or network such as 127.0.0.1 or 10.0.0.0/8 that plugins may fetch from, and "
     "sources lie on, though it is private; repeatable"},
    {"source_timeout", RA_OPTION_DURATION, "10s", RA_CMD_HOST, false, false, "TIME",
     "without a byte from the server of a source; then reading it is given up"},
    {"source_size", RA_OPTION_BYTES, "64G", RA_CMD_INGEST | RA_CMD_INSPECT | RA_CMD_CONFIG, false,
     false, "BYTES", "the largest file that is fetched for an ingest by URL"},
    {"source_roots", RA_OPTION_LIST, NULL, RA_CMD_INGEST | RA_CMD_INSPECT | RA_CMD_CONFIG, false,
     false, "PLACE",
     "a folder or URL that kerchunk references may point into, besides where they lie; "
     "repeatable"},
    {"max_connections", RA_OPTION_INT, "10000", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "N",
     "open connections; over it the answer is 503"},
    {"header_timeout", RA_OPTION_DURATION, "10s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false,
     "TIME", "for the head of a request, from its first byte; then 408"},
    {"body_timeout", RA_OPTION_DURATION, "30s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "for a request's body (1 KB a second gains time); then 408"},
    {"write_timeout", RA_OPTION_DURATION, "60s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "without a byte of an answer taken; then the connection is closed"},
    {"idle_timeout", RA_OPTION_DURATION, "75s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "between two requests of a connection; longer than a load balancer's own"},

    {"watch", RA_OPTION_TEXT, NULL, RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "DIR",
     "ingest the files that are put into this folder, or into one below it"},
    {"watch_jobs", RA_OPTION_INT, "0", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "N",
     "ingests that run at once (0: one for two cores); they share --memory"},
    {"watch_settle", RA_OPTION_DURATION, "2s", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "how long a file must stay as it is after it was closed; one that is renamed in is taken at "
     "once"},
    {"watch_rescan", RA_OPTION_DURATION, "10m", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "TIME",
     "how often the whole folder is looked through, for file systems that tell of no changes (0s: "
     "never)"},
    {"watch_priority", RA_OPTION_INT, "19", RA_CMD_SERVE | RA_CMD_CONFIG, false, false, "N",
     "--priority of these ingests"},
    {"grace", RA_OPTION_DURATION, "24h", RA_CMD_CATALOG, true, false, "TIME",
     "gc: how long what is published no longer is kept"},
    {"lease", RA_OPTION_DURATION, "60s", RA_CMD_CATALOG | RA_CMD_INGEST | RA_CMD_CONFIG, false,
     false, "TIME", "after which silence a writer counts as gone; the same for all of a catalog"},
    {"lease_wait", RA_OPTION_DURATION, "10s", RA_CMD_CATALOG | RA_CMD_INGEST | RA_CMD_CONFIG, false,
     false, "TIME", "how long to wait for another process that writes the same dataset"},
    {"collection", RA_OPTION_TEXT, NULL, RA_CMD_INGEST | RA_CMD_SERVE, true, false, "ID",
     "the collection of what is ingested (default: the name of the file's folder)"},
    {"root", RA_OPTION_TEXT, NULL, RA_CMD_INGEST, true, false, "DIR",
     "dataset ids are the paths of the sources below this folder"},
    {"priority", RA_OPTION_INT, "0", RA_CMD_INGEST | RA_CMD_COMPACT, true, false, "N",
     "how far to give way to other processes, as nice does: 0 to 19; from 10 on for the disk too"},
    {"dataset", RA_OPTION_TEXT, NULL, RA_CMD_INGEST, true, false, "ID",
     "the dataset's id (default: the file's stem)"},
    {"variables", RA_OPTION_TEXT, NULL, RA_CMD_INGEST, true, false, "A,B", "only these variables"},
    {"datetime", RA_OPTION_TEXT, NULL, RA_CMD_INGEST, true, false, "T",
     "the time of a source that has none; %Y%m%d and its like: in its name; tag: a TIFF's "
     "DateTime"},
    {"in_place", RA_OPTION_BOOL, "false", RA_CMD_INGEST, true, false, NULL,
     "a COG stays where it is and is served from there; one that cannot be is converted; a Zarr "
     "store stays unless --copy is given"},
    {"virtual", RA_OPTION_BOOL, "false", RA_CMD_INGEST, true, false, NULL,
     "the chunks of a NetCDF file, or what kerchunk references point to, are served where they "
     "lie, "
     "at once; an ingest without it puts a copy in their place"},
    {"copy", RA_OPTION_BOOL, "false", RA_CMD_INGEST, true, false, NULL,
     "a Zarr store is copied into chunks for series and maps, though it could stay where it is"},
    {"zarr_format", RA_OPTION_INT, "3", RA_CMD_INGEST | RA_CMD_CONFIG, false, false, "3|2",
     "version of the Zarr store: 3, or 2 for old readers (no shards: many more objects)"},
    {"cog_compress", RA_OPTION_TEXT, "zstd", RA_CMD_INGEST | RA_CMD_CONFIG, false, false, "NAME",
     "zstd, or deflate for old readers"},
    {"memory", RA_OPTION_BYTES, "512M",
     RA_CMD_INGEST | RA_CMD_INSPECT | RA_CMD_COMPACT | RA_CMD_SERVE | RA_CMD_CONFIG, false, false,
     "BYTES", "memory that an ingest uses at most, the process included"},
    {"checksums", RA_OPTION_BOOL, "false", RA_CMD_INSPECT, true, false, NULL,
     "decode every array and tell the SHA-256 of its cells"},
    {"dump", RA_OPTION_TEXT, NULL, RA_CMD_INSPECT, true, false, "DIR",
     "with --checksums: a folder that gets each array as .npy"},
    {"scratch", RA_OPTION_TEXT, NULL, RA_CMD_INGEST | RA_CMD_INSPECT | RA_CMD_SERVE | RA_CMD_CONFIG,
     false, false, "DIR",
     "folder for what does not fit in memory (default: $TMPDIR, else /var/tmp)"},
    {"jobs", RA_OPTION_INT, "0", RA_CMD_INGEST | RA_CMD_COMPACT | RA_CMD_CONFIG, false, false, "N",
     "threads that encode (0: one a core)"},
    {"compact", RA_OPTION_BOOL, "true", RA_CMD_INGEST | RA_CMD_CONFIG, false, false, NULL,
     "join the stores of many datasets after publishing; --no-compact leaves it to `compact`"},
    {"hook_timeout", RA_OPTION_DURATION, "30s", RA_CMD_INGEST | RA_CMD_CONFIG, false, false, "TIME",
     "how long a plugin's hook of an ingest is waited for"},
    {"workflow", RA_OPTION_TEXT, "ingest", RA_CMD_INGEST, true, false, "NAME",
     "the workflow that does it, of any plugin"},
    {"dry_run", RA_OPTION_BOOL, "false", RA_CMD_INGEST, true, false, NULL,
     "say what would be done; write nothing"},
    {"json", RA_OPTION_BOOL, "false", RA_CMD_HOST | RA_CMD_VERSION, true, false, NULL,
     "machine-readable output"},
    {"output", RA_OPTION_TEXT, NULL, RA_CMD_TILE | RA_CMD_SERIES | RA_CMD_COLORMAP, true, false,
     "FILE", "where the result goes (-o; default: standard output)"},
};
const size_t RA_OPTION_COUNT = sizeof RA_OPTIONS / sizeof *RA_OPTIONS;

static char fold(char c) { return c == '-' ? '_' : c; }

static bool same(const char *a, const char *b) {
  while (*a && fold(*a) == fold(*b)) a++, b++;
  return *a == 0 && *b == 0;
}

const ra_option *ra_option_find(const char *name) {
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    if (same(RA_OPTIONS[i].name, name)) return &RA_OPTIONS[i];
  }
  return NULL;
}

bool ra_option_is_fixed(const char *name) {
  static const char *const fixed[] = {
      "store",          "catalog",        "log_level",       "log_format",    "listen",
      "next_free_port", "workers",        "threads",         "admin",         "drain_delay",
      "watchdog",       "shared_memory",  "trusted_proxies", "cors_origins",  "block_cache",
      "header_cache",   "request_bytes",  "queue",           "dev",           "max_connections",
      "idle_timeout",   "header_timeout", "body_timeout",    "write_timeout", "memory",
      "fetch_allow",    "source_timeout", "watch",           "watch_jobs",    "watch_settle",
      "watch_rescan",   "watch_priority"};
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    if (same(fixed[i], name)) return true;
  }
  return false;
}

// Levenshtein distance of two short names, one row at a time.
unsigned ra_option_distance(const char *a, const char *b) {
  unsigned row[64];
  size_t n = strlen(b);
  if (n >= 64 || strlen(a) >= 64) return 64;
  for (unsigned j = 0; j <= n; j++) row[j] = j;
  for (unsigned i = 1; a[i - 1]; i++) {
    unsigned diagonal = row[0];
    row[0] = i;
    for (unsigned j = 1; j <= n; j++) {
      unsigned cost = diagonal + (fold(a[i - 1]) != fold(b[j - 1]));
      diagonal = row[j];
      if (row[j] + 1 < cost) cost = row[j] + 1;
      if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
      row[j] = cost;
    }
  }
  return row[n];
}

const char *ra_option_nearest(const char *name, unsigned commands) {
  const char *best = NULL;
  unsigned least = (unsigned)strlen(name) / 2 + 1;
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    unsigned d =
        RA_OPTIONS[i].commands & commands ? ra_option_distance(name, RA_OPTIONS[i].name) : 64;
    if (d < least) {
      least = d;
      best = RA_OPTIONS[i].name;
    }
  }
  return best;
}
