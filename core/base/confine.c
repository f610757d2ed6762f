// confine.c - see confine.h
#include "base/confine.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_FILE ((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE)
#define WRITE_FILE ((uint64_t)LANDLOCK_ACCESS_FS_WRITE_FILE)
#define READ_ALL (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_ALL                                                                            \
  (WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |             \
   LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | \
   LANDLOCK_ACCESS_FS_REFER)

enum { ABI_LEAST = 2 };  // before it nothing can be renamed from one folder into another

int ra_confine_new(void) {
  const struct landlock_ruleset_attr attr = {.handled_access_fs = READ_ALL | WRITE_ALL};
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < ABI_LEAST) return -1;
  return (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
}

void ra_confine_allow(int list, const char *path, bool write) {
  struct stat st;
  int fd = list < 0 ? -1 : open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return;
  struct landlock_path_beneath_attr rule = {.parent_fd = fd,
                                            .allowed_access = READ_ALL | (write ? WRITE_ALL : 0)};
  if (fstat(fd, &st) == 0) {
    if (!S_ISDIR(st.st_mode)) rule.allowed_access &= READ_FILE | WRITE_FILE;
    syscall(SYS_landlock_add_rule, list, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  close(fd);
}

void ra_confine_apply(int list) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (list < 0) return;
  syscall(SYS_landlock_restrict_self, list, 0);
  close(list);
}

void ra_confine_memory(size_t bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  (void)bytes;
#else
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur <= bytes) return;
  limit.rlim_cur = bytes;
  setrlimit(RLIMIT_AS, &limit);
#endif
}
