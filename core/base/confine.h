// confine.h - what a process gives up before it reads files of anybody: other files of the machine, new privileges,
// memory without end. The kernel then holds what the parsers promise. It cannot be taken back, threads and children
// inherit it, and what the kernel does not have (Landlock before Linux 5.19, or switched off) is left out.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// A list of what may still be touched; -1 where the kernel has no such lists, which the others take.
int ra_confine_new(void);
// A file, or a folder with all below it, for reading or for reading and writing. One that is not there is left out.
void ra_confine_allow(int list, const char *path, bool write);
// From now on the calling thread, and those that it starts, touch nothing else. Frees the list.
void ra_confine_apply(int list);
// Address space. Sanitizers need more of it than there is, so not in their builds.
void ra_confine_memory(size_t bytes);
