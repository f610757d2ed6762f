// watch_journal.c - see watch_journal.h. A head line that names the catalog and the options, then a line a file:
// SIZE INODE MTIME CTIME PATH. Lines are appended; the last one of a path counts. A path with a line break is left out.
#include "app/watch_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"

struct ra_watch_journal {
  char *file, *catalog, *options;
  int fd;       // -1: not open for writing
  bool own;     // what was read is of this catalog and these options
  bool broken;  // it could not be written, which has been said
};

int ra_watch_journal_new(const ra_watch_journal_config *config, ra_watch_journal **out, ra_err *err) {
  ra_watch_journal *j = calloc(1, sizeof *j);
  if (!j) return ra_fail(err, RA_E_NOMEM, "", "no memory for the list of published files");
  j->fd = -1;
  j->file = strdup(config->file);
  j->catalog = config->catalog ? strdup(config->catalog) : NULL;
  j->options = strdup(config->options);
  *out = j;
  if (j->file && j->options && (j->catalog || !config->catalog)) return RA_OK;
  ra_watch_journal_free(j);
  return ra_fail(err, RA_E_NOMEM, "", "no memory for the list of published files");
}

void ra_watch_journal_free(ra_watch_journal *j) {
  if (!j) return;
  if (j->fd >= 0) close(j->fd);
  free(j->file);
  free(j->catalog);
  free(j->options);
  free(j);
}

// A catalog that was put in the place of another has another inode, whatever its name.
static void head_of(const ra_watch_journal *j, char head[96]) {
  struct stat info = {0};
  if (j->catalog && stat(j->catalog, &info) != 0) info.st_ino = 0;
  ra_str key;
  ra_str_init(&key);
  ra_str_addf(&key, "%s|%ju:%ju|%s", j->catalog ? j->catalog : "", (uintmax_t)info.st_dev,
              (uintmax_t)info.st_ino, j->options);
  char digest[65];
  ra_sha256_of(key.ptr ? key.ptr : "", key.len, digest);
  ra_str_deinit(&key);
  snprintf(head, 96, "rastrum-watch 1 %.32s\n", digest);
}

static void read_line(char *line, ra_watch_files *files) {
  ra_watch_stamp stamp;
  int at = 0;
  if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64 " %n", &stamp.size, &stamp.inode,
             &stamp.mtime_ns, &stamp.ctime_ns, &at) != 4 ||
      !at || !line[at])
    return;
  ra_watch_file *file = ra_watch_files_get(files, line + at);
  if (!file) return;
  file->state = RA_WATCH_DONE;
  file->seen = file->done = stamp;
}

void ra_watch_journal_load(ra_watch_journal *j, ra_watch_files *files) {
  FILE *in = fopen(j->file, "re");
  if (!in) return;
  char head[96], *line = NULL;
  size_t room = 0;
  head_of(j, head);
  ssize_t n = getline(&line, &room, in);
  j->own = n > 0 && strcmp(line, head) == 0;
  while (j->own && (n = getline(&line, &room, in)) > 0) {
    if (line[n - 1] != '\n') break;  // torn by a crash
    line[n - 1] = 0;
    read_line(line, files);
  }
  free(line);
  fclose(in);
}

static void complain(ra_watch_journal *j) {
  if (j->broken) return;
  j->broken = true;
  ra_log(RA_LOG_WARN,
         "%s: %s; a server that starts again will look into every watched file once more", j->file,
         strerror(errno));
}

static void write_all(ra_watch_journal *j, const ra_str *text) {
  if (j->fd < 0 || text->failed) return;
  if (write(j->fd, text->ptr, text->len) != (ssize_t)text->len) complain(j);
}

static void add_line(ra_str *out, const char *path, const ra_watch_stamp *stamp) {
  if (strchr(path, '\n')) return;
  ra_str_addf(out, "%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %s\n", stamp->size,
              stamp->inode, stamp->mtime_ns, stamp->ctime_ns, path);
}

static void add_done(void *ctx, ra_watch_file *file) {
  if (file->state == RA_WATCH_DONE) add_line(ctx, file->path, &file->done);
}

// The head is written when something is published at last: before, there may be no catalog yet.
static void begin(ra_watch_journal *j, const char *lines) {
  char fresh[4096], head[96];
  if (j->broken || snprintf(fresh, sizeof fresh, "%s.new", j->file) >= (int)sizeof fresh) return;
  j->fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (j->fd < 0) {
    complain(j);
    return;
  }
  ra_str text;
  ra_str_init(&text);
  head_of(j, head);
  ra_str_add(&text, head);
  ra_str_add(&text, lines);
  write_all(j, &text);
  ra_str_deinit(&text);
  if (rename(fresh, j->file) != 0) complain(j);
}

void ra_watch_journal_tidy(ra_watch_journal *j, ra_watch_files *files) {
  if (!j->own) return;
  ra_str lines;
  ra_str_init(&lines);
  ra_watch_files_each(files, add_done, &lines);
  if (!lines.failed) begin(j, lines.ptr ? lines.ptr : "");
  ra_str_deinit(&lines);
}

void ra_watch_journal_add(ra_watch_journal *j, const char *path, const ra_watch_stamp *stamp) {
  ra_str line;
  ra_str_init(&line);
  add_line(&line, path, stamp);
  if (j->fd < 0) begin(j, "");
  if (line.len) write_all(j, &line);
  ra_str_deinit(&line);
}
