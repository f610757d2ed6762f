// replay_main.c - runs a fuzz target over files and folders, where libFuzzer is not linked: the corpus is a test.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, size_t size) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = malloc(size ? size : 1);
  int rc = file && data && fread(data, 1, size, file) == size ? 0 : 1;
  if (rc == 0) {
    LLVMFuzzerTestOneInput(data, size);
  } else {
    fprintf(stderr, "%s: cannot be read\n", path);
  }
  free(data);
  if (file) fclose(file);
  return rc;
}

static int run_path(const char *path, unsigned *count) {
  struct stat info;
  if (stat(path, &info) < 0) {
    fprintf(stderr, "%s: no such file\n", path);
    return 1;
  }
  if (!S_ISDIR(info.st_mode)) {
    ++*count;
    return run_file(path, (size_t)info.st_size);
  }
  DIR *dir = opendir(path);
  int rc = dir ? 0 : 1;
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    char below[4096];
    if (entry->d_name[0] == '.') continue;
    if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below)
      rc |= run_path(below, count);
  }
  if (dir) closedir(dir);
  return rc;
}

int main(int argc, char **argv) {
  unsigned count = 0;
  int rc = 0;
  for (int i = 1; i < argc; i++) rc |= run_path(argv[i], &count);
  printf("%u inputs\n", count);
  return rc || !count;
}
