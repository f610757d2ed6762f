// watch_tree.c - see watch_tree.h. All below `run` is on the tree's own thread, but for the mail. The watch of a folder is
// set before the folder is listed, so nothing that comes meanwhile is missed; where the kernel lost events, all is listed
// again.
#include "app/watch_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/watch_mail.h"
#include "app/watch_names.h"
#include "app/watch_notify.h"
#include "base/clock.h"
#include "base/log.h"

enum {
  SILENCE_MS =
      60000,  // what is written and never closed (its writer's machine may be another) counts as complete then
  RETRY_SETTLES = 15,       // a failure that may pass is tried again after so many times settle_ms,
  RETRY_LEAST_MS = 1000,    // but no sooner than this,
  RETRY_MOST_MS = 3600000,  // then after twice as long each time, up to this
  END_SECONDS = 2
};

typedef struct folder {
  struct folder *next;
  char path[];
} folder;

struct ra_watch_tree {
  char *root, *store;
  uint64_t settle_ms, rescan_ms;
  void (*offered)(void *ctx);
  void *ctx;
  ra_watch_mail *mail;
  pthread_t thread;
  // the thread's:
  ra_watch_journal *journal;
  ra_watch_files *files;
  ra_watch_notify *notify;
  folder *to_list;
  bool whole;   // all folders are being listed, so what they lack is gone
  bool missed;  // some folder could not be listed
  bool begun;   // the first pass is over
  bool error_complained;
  uint64_t rescan_at;
};

static uint64_t now_ms(void) { return ra_clock_ns() / 1000000; }

// ---- one file

static bool full_path(const ra_watch_tree *t, const char *path, const char *suffix,
                      char out[PATH_MAX]) {
  int n = snprintf(out, PATH_MAX, "%s%s%s%s", t->root, *path ? "/" : "", path, suffix);
  return n > 0 && n < PATH_MAX;
}

static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool look(const ra_watch_tree *t, const char *path, struct stat *info) {
  char full[PATH_MAX];
  return full_path(t, path, "", full) && stat(full, info) == 0 && S_ISREG(info->st_mode);
}

static bool is_source(const ra_watch_tree *t, const char *path) {
  char full[PATH_MAX];
  unsigned char magic[RA_WATCH_MAGIC];
  if (ra_watch_name_of(name_of(path)) == RA_WATCH_NAME_YES) return true;
  int fd = full_path(t, path, "", full) ? open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
  ssize_t n = fd >= 0 ? read(fd, magic, sizeof magic) : -1;
  if (fd >= 0) close(fd);
  return n > 0 && ra_watch_magic(magic, (size_t)n);
}

static void send(ra_watch_tree *t, const ra_watch_file *file, bool back) {
  ra_watch_mail_offer(t->mail, file->path, &file->seen, back);
  if (!ra_watch_mail_ended(t->mail)) t->offered(t->ctx);
}

static void take_back(ra_watch_tree *t, const ra_watch_file *file) {
  if (file->state == RA_WATCH_OFFERED) send(t, file, true);
}

static void remove_error(ra_watch_tree *t, const char *path) {
  char full[PATH_MAX];
  if (full_path(t, path, ".error", full)) unlink(full);
}

static void forget(ra_watch_tree *t, ra_watch_file *file) {
  take_back(t, file);
  if (file->failed) remove_error(t, file->path);
  ra_watch_files_remove(t->files, file);
}

// A complete file: offered when it is not as it was.
static void consider(ra_watch_tree *t, ra_watch_file *file, const ra_watch_stamp *stamp, bool again) {
  bool known = ra_watch_stamp_same(stamp, &file->done);
  file->seen = *stamp;
  if (known && !again) {
    if (file->state != RA_WATCH_OTHER) file->state = file->failed ? RA_WATCH_FAILED : RA_WATCH_DONE;
  } else if (is_source(t, file->path)) {
    file->state = RA_WATCH_OFFERED;
    send(t, file, false);
  } else {
    file->state = RA_WATCH_OTHER;
    file->done = *stamp;
  }
}

static void settle(ra_watch_tree *t, ra_watch_file *file, ra_watch_state state, uint64_t ms) {
  take_back(t, file);
  file->state = state;
  ra_watch_files_due(t->files, file, now_ms() + ms);
}

// Where nobody saw it closed, its own stamps tell how long it has been as it is.
static uint64_t left_to_settle(const ra_watch_tree *t, const ra_watch_stamp *stamp) {
  int64_t age = ra_clock_wall_ms() - stamp->ctime_ns / 1000000;
  if (age < 0) return t->settle_ms;  // another machine's clock
  return (uint64_t)age < t->settle_ms ? t->settle_ms - (uint64_t)age : 0;
}

// A file in a listing.
static void found(ra_watch_tree *t, const char *path) {
  struct stat info;
  if (!look(t, path, &info)) return;
  ra_watch_file *file = ra_watch_files_get(t->files, path);
  if (!file) return;
  file->listed = true;
  if (file->state == RA_WATCH_WRITING || file->state == RA_WATCH_SETTLING) return;
  ra_watch_stamp stamp = ra_watch_stamp_of(&info);
  if (file->state == RA_WATCH_OFFERED && ra_watch_stamp_same(&stamp, &file->seen)) return;
  if (file->state != RA_WATCH_NEW && ra_watch_stamp_same(&stamp, &file->done)) return;
  uint64_t left = left_to_settle(t, &stamp);
  if (left || file->state == RA_WATCH_OFFERED) {
    file->seen = stamp;
    settle(t, file, RA_WATCH_SETTLING, left);
  } else {
    ra_watch_files_due(t->files, file, 0);
    consider(t, file, &stamp, false);
  }
}

// A file whose moment has come.
static void on_due(ra_watch_tree *t, ra_watch_file *file) {
  struct stat info;
  if (!look(t, file->path, &info)) {
    forget(t, file);
    return;
  }
  ra_watch_stamp stamp = ra_watch_stamp_of(&info);
  bool waiting = file->state == RA_WATCH_WRITING || file->state == RA_WATCH_SETTLING;
  if (waiting && !ra_watch_stamp_same(&stamp, &file->seen)) {
    file->seen = stamp;
    settle(t, file, file->state, file->state == RA_WATCH_WRITING ? SILENCE_MS : t->settle_ms);
  } else {
    consider(t, file, &stamp, file->state == RA_WATCH_FAILED);
  }
}

// ---- folders

static void list_later(ra_watch_tree *t, const char *path) {
  size_t n = strlen(path) + 1;
  folder *f = malloc(sizeof *f + n);
  if (!f) return;
  memcpy(f->path, path, n);
  f->next = t->to_list;
  t->to_list = f;
}

static bool join(const char *folder_path, const char *name, char out[PATH_MAX]) {
  int n = snprintf(out, PATH_MAX, "%s%s%s", folder_path, *folder_path ? "/" : "", name);
  return n > 0 && n < PATH_MAX;
}

static bool is_folder(const char *full, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  char path[PATH_MAX];
  struct stat info;
  return join(full, entry->d_name, path) && lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_store(const ra_watch_tree *t, DIR *dir) {
  struct stat own, store;
  return fstat(dirfd(dir), &own) == 0 && stat(t->store, &store) == 0 &&
         own.st_dev == store.st_dev && own.st_ino == store.st_ino;
}

static void list_entries(ra_watch_tree *t, DIR *dir, const char *full, const char *path) {
  char inner[PATH_MAX];
  for (struct dirent *e; !ra_watch_mail_ended(t->mail) && (e = readdir(dir));) {
    if (ra_watch_name_of(e->d_name) == RA_WATCH_NAME_NO || !join(path, e->d_name, inner)) continue;
    if (is_folder(full, e)) {
      list_later(t, inner);
    } else {
      found(t, inner);
    }
  }
}

static void list(ra_watch_tree *t, const char *path) {
  char full[PATH_MAX];
  if (!full_path(t, path, "", full)) return;
  ra_watch_notify_add(t->notify, full, path);
  DIR *dir = opendir(full);
  if (!dir) {
    if (errno == ENOENT && *path) return;
    t->missed = true;
    ra_log(RA_LOG_WARN, "%s: the watched folder cannot be read: %s", full, strerror(errno));
    return;
  }
  if (is_store(t, dir)) {
    ra_watch_notify_forget(t->notify, path);
  } else {
    list_entries(t, dir, full, path);
  }
  closedir(dir);
}

static void unlist(void *ctx, ra_watch_file *file) {
  (void)ctx;
  file->listed = false;
}

static void forget_unlisted(void *ctx, ra_watch_file *file) {
  if (!file->listed) forget(ctx, file);
}

static void list_all(ra_watch_tree *t) {
  ra_watch_files_each(t->files, unlist, NULL);
  list_later(t, "");
  t->whole = true;
  t->missed = false;
  t->rescan_at = t->rescan_ms ? now_ms() + t->rescan_ms : 0;
}

static void list_some(ra_watch_tree *t) {
  while (t->to_list && !ra_watch_mail_ended(t->mail)) {
    folder *f = t->to_list;
    t->to_list = f->next;
    list(t, f->path);
    free(f);
  }
  if (!t->whole || t->to_list) return;
  t->whole = false;
  if (!t->missed) ra_watch_files_each(t->files, forget_unlisted, t);
  if (!t->begun) ra_watch_journal_tidy(t->journal, t->files);
  t->begun = true;
}

// ---- events

typedef struct below {
  ra_watch_tree *tree;
  const char *folder;
} below;

static void forget_below(void *ctx, ra_watch_file *file) {
  const below *b = ctx;
  size_t n = strlen(b->folder);
  if (strncmp(file->path, b->folder, n) == 0 && file->path[n] == '/') forget(b->tree, file);
}

static void on_folder(ra_watch_tree *t, const char *path, uint32_t mask) {
  if (mask & (IN_CREATE | IN_MOVED_TO)) {
    list_later(t, path);
  } else if (mask & (IN_MOVED_FROM | IN_DELETE)) {
    below b = {t, path};
    ra_watch_notify_forget(t->notify, path);
    ra_watch_files_each(t->files, forget_below, &b);
  }
}

// A link is complete when it is made; other files are made to be written.
static bool made_whole(const ra_watch_tree *t, const char *path) {
  char full[PATH_MAX];
  struct stat info;
  return full_path(t, path, "", full) && lstat(full, &info) == 0 &&
         (S_ISLNK(info.st_mode) || info.st_nlink > 1);
}

static void on_file(ra_watch_tree *t, const char *path, uint32_t mask) {
  struct stat info;
  ra_watch_file *file = ra_watch_files_find(t->files, path);
  if (mask & (IN_MOVED_FROM | IN_DELETE)) {
    if (file) forget(t, file);
    return;
  }
  if (!file && !(file = ra_watch_files_get(t->files, path))) return;
  file->listed = true;
  bool writing = (mask & IN_MODIFY) || ((mask & IN_CREATE) && !made_whole(t, path));
  if (writing) {
    settle(t, file, RA_WATCH_WRITING, SILENCE_MS);
  } else if (!((mask & IN_ATTRIB) && file->state == RA_WATCH_WRITING) && look(t, path, &info)) {
    file->seen = ra_watch_stamp_of(&info);
    settle(t, file, RA_WATCH_SETTLING, mask & IN_MOVED_TO ? 0 : t->settle_ms);
  }
}

static void on_event(void *ctx, const char *folder_path, const char *name, uint32_t mask) {
  ra_watch_tree *t = ctx;
  char path[PATH_MAX];
  if (mask & IN_Q_OVERFLOW) {
    ra_log(RA_LOG_INFO,
           "%s: more changed than the system tells; the folder is looked through again", t->root);
    list_all(t);
  } else if (ra_watch_name_of(name) != RA_WATCH_NAME_NO && join(folder_path, name, path)) {
    if (mask & IN_ISDIR) {
      on_folder(t, path, mask);
    } else {
      on_file(t, path, mask);
    }
  }
}

// ---- results

static void write_error(ra_watch_tree *t, const char *path, const char *sentence) {
  char full[PATH_MAX];
  if (!full_path(t, path, ".error", full)) return;
  int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  int rc = fd < 0 ? -1 : dprintf(fd, "%s: %s\n", name_of(path), sentence);
  if (rc < 0 && !t->error_complained) {
    t->error_complained = true;
    ra_log(RA_LOG_WARN, "%s: %s; why a file is not ingested is only logged", full, strerror(errno));
  }
  if (fd >= 0) close(fd);
}

static uint64_t retry_ms(const ra_watch_tree *t, unsigned failures) {
  uint64_t ms = t->settle_ms * RETRY_SETTLES;
  if (ms < RETRY_LEAST_MS) ms = RETRY_LEAST_MS;
  for (unsigned i = 1; i < failures && ms < RETRY_MOST_MS; i++) ms *= 2;
  return ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
}

static void on_failed(ra_watch_tree *t, ra_watch_file *file, const ra_watch_result *r) {
  bool may_pass = r->outcome == RA_WATCH_HINDERED;
  file->failed = true;
  file->state = RA_WATCH_FAILED;
  file->failures = may_pass ? file->failures + 1 : 0;
  write_error(t, file->path, r->sentence ? r->sentence : "it failed");
  if (may_pass) ra_watch_files_due(t->files, file, now_ms() + retry_ms(t, file->failures));
}

// A file that has changed or gone since it was offered gets no sentence about what it was.
static void on_result(ra_watch_tree *t, const ra_watch_result *r) {
  struct stat info;
  ra_watch_file *file = ra_watch_files_find(t->files, r->path);
  if (!file) return;
  if (!look(t, r->path, &info)) {
    forget(t, file);
    return;
  }
  file->done = r->stamp;
  file->failed = false;
  if (r->outcome == RA_WATCH_PUBLISHED) {
    file->failures = 0;
    remove_error(t, r->path);
    ra_watch_journal_add(t->journal, r->path, &r->stamp);
  }
  // Offered anew already, as what it is now: that offer has its own result.
  if (file->state != RA_WATCH_OFFERED || !ra_watch_stamp_same(&file->seen, &r->stamp)) return;
  ra_watch_stamp stamp = ra_watch_stamp_of(&info);
  if (!ra_watch_stamp_same(&stamp, &r->stamp)) {
    file->state = RA_WATCH_NEW;
    found(t, r->path);
  } else if (r->outcome == RA_WATCH_PUBLISHED) {
    file->state = RA_WATCH_DONE;
  } else {
    on_failed(t, file, r);
  }
}

static void take_results(ra_watch_tree *t) {
  for (ra_watch_result *r = ra_watch_mail_take_results(t->mail), *next; r; r = next) {
    next = r->next;
    on_result(t, r);
    ra_watch_result_free(r);
  }
}

// ---- the thread

static void wait_for_news(ra_watch_tree *t) {
  uint64_t at = ra_watch_files_next(t->files), now = now_ms();
  if (t->rescan_at && (!at || t->rescan_at < at)) at = t->rescan_at;
  uint64_t left = !at ? INT_MAX : at > now ? at - now : 0;
  struct pollfd fds[] = {{ra_watch_notify_fd(t->notify), POLLIN, 0},
                         {ra_watch_mail_fd(t->mail), POLLIN, 0}};
  poll(fds, 2, t->to_list ? 0 : left < INT_MAX ? (int)left : -1);
}

static void *run(void *arg) {
  ra_watch_tree *t = arg;
  ra_watch_journal_load(t->journal, t->files);
  list_all(t);
  while (!ra_watch_mail_ended(t->mail)) {
    list_some(t);
    wait_for_news(t);
    ra_watch_notify_read(t->notify, on_event, t);
    take_results(t);
    for (ra_watch_file *file; (file = ra_watch_files_take_due(t->files, now_ms()));)
      on_due(t, file);
    if (t->rescan_at && now_ms() >= t->rescan_at) list_all(t);
  }
  take_results(t);  // what was published must not be read again by the next server
  return NULL;
}

static void deinit(ra_watch_tree *t) {
  for (folder *f = t->to_list, *next; f; f = next) {
    next = f->next;
    free(f);
  }
  ra_watch_notify_free(t->notify);
  ra_watch_files_free(t->files);
  ra_watch_journal_free(t->journal);
  ra_watch_mail_free(t->mail);
  free(t->root);
  free(t->store);
  free(t);
}

static int begin(ra_watch_tree *t, const ra_watch_tree_config *config, ra_err *err) {
  t->root = strdup(config->root);
  t->store = strdup(config->store);
  if (!t->root || !t->store) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch a folder");
  int rc = ra_watch_mail_new(&t->mail, err);
  if (rc == RA_OK) rc = ra_watch_files_new(&t->files, err);
  if (rc == RA_OK) rc = ra_watch_journal_new(&config->journal, &t->journal, err);
  if (rc == RA_OK) rc = ra_watch_notify_new(&t->notify, err);
  if (rc == RA_OK && pthread_create(&t->thread, NULL, run, t) != 0)
    rc = ra_fail(err, RA_E_NOMEM, config->root, "no thread to watch the folder");
  return rc;
}

int ra_watch_tree_new(const ra_watch_tree_config *config, ra_watch_tree **out, ra_err *err) {
  ra_watch_tree *t = calloc(1, sizeof *t);
  if (!t) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch a folder");
  t->settle_ms = config->settle_ms;
  t->rescan_ms = config->rescan_ms;
  t->offered = config->offered;
  t->ctx = config->ctx;
  int rc = begin(t, config, err);
  if (rc < 0) {
    deinit(t);
  } else {
    *out = t;
  }
  return rc;
}

void ra_watch_tree_free(ra_watch_tree *t) {
  if (!t) return;
  struct timespec until;
  ra_watch_mail_end(t->mail);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += END_SECONDS;
  if (pthread_timedjoin_np(t->thread, NULL, &until) != 0) {
    ra_log(RA_LOG_WARN, "%s: the file system does not answer; the watch is left behind", t->root);
    pthread_detach(t->thread);
    return;
  }
  deinit(t);
}

bool ra_watch_tree_take(ra_watch_tree *t, ra_watch_offer *out) {
  return ra_watch_mail_take_offer(t->mail, out);
}

void ra_watch_tree_result(ra_watch_tree *t, const ra_watch_offer *offer, ra_watch_outcome outcome,
                          const char *sentence) {
  ra_watch_mail_result(t->mail, offer, outcome, sentence);
}
