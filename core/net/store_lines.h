// store_lines.h - a text file of lines in the order of their keys, "KEY REST", searched where it lies: it may have a line for
// each of a million chunks. Any thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { RA__LINE_MOST = 4096 };

// The rest of the key's line, behind `separator`: 1; 0 where there is no such line; -1 where the file is none of these.
int ra__lines_find(int fd, uint64_t size, const char *key, char separator, char rest[RA__LINE_MOST]);
