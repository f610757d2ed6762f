// model.c - a source's tables, built one entry at a time by those that are no NetCDF files.
#include <string.h>

#include "source/source_private.h"

enum { DIMS_MOST = 4096, VARS_MOST = 10000 };

static char *join(ra_source *source, const char *group, const char *name) {
  return ra_arena_printf(&source->arena, "%s%s%s", group, *group ? "/" : "", name);
}

// Tables grow by doubling; what was outgrown stays in the arena.
static void *grow(ra_source *source, const void *old, size_t count, size_t size) {
  if (count && (count & (count - 1))) return (void *)old;
  void *table = ra_arena_calloc(&source->arena, count ? 2 * count : 1, size);
  if (table && count) memcpy(table, old, count * size);
  return table;
}

const ra_source_dim *ra__model_dim(ra_source *source, const char *group, const char *name,
                                   uint64_t size, unsigned *index) {
  const char *path = join(source, group, name);
  if (!path) return NULL;
  for (unsigned i = 0; i < source->dim_count; i++) {
    if (strcmp(source->dims[i].name, path) != 0) continue;
    *index = i;
    return source->dims[i].size == size ? &source->dims[i] : NULL;
  }
  ra_source_dim *dims = grow(source, source->dims, source->dim_count, sizeof *dims);
  if (!dims || source->dim_count == DIMS_MOST) return NULL;
  source->dims = dims;
  *index = source->dim_count;
  dims[source->dim_count] =
      (ra_source_dim){.name = path, .base = path + (*group ? strlen(group) + 1 : 0), .size = size};
  return &dims[source->dim_count++];
}

ra_source_var *ra__model_var(ra_source *source, const char *group, const char *name) {
  ra_source_var **vars = grow(source, source->vars, source->var_count, sizeof(ra_source_var *));
  ra_source_var *var = ra_arena_calloc(&source->arena, 1, sizeof *var);
  const char *path = join(source, group, name);
  const char *own = ra_arena_strdup(&source->arena, group);
  if (!vars || !var || !path || !own || source->var_count == VARS_MOST) return NULL;
  *var = (ra_source_var){.name = path,
                         .base = path + (*group ? strlen(group) + 1 : 0),
                         .group = own,
                         .index = source->var_count};
  source->vars = vars;
  vars[source->var_count++] = var;
  return var;
}

bool ra__model_attr(ra_source *source, const ra_source_attr **attrs, size_t *count,
                    const ra_source_attr *attr) {
  ra_source_attr *table = grow(source, *attrs, *count, sizeof *table);
  if (!table) return false;
  table[(*count)++] = *attr;
  *attrs = table;
  return true;
}

bool ra__model_text(ra_source *source, ra_source_var *var, const char *name, const char *text) {
  const char **texts = ra_arena_calloc(&source->arena, 1, sizeof *texts);
  ra_source_attr attr = {.name = ra_arena_strdup(&source->arena, name), .count = 1, .texts = texts};
  if (!texts || !attr.name) return false;
  texts[0] = ra_arena_strdup(&source->arena, text);
  return texts[0] && ra__model_attr(source, &var->attrs, &var->attr_count, &attr);
}

bool ra__model_number(ra_source *source, ra_source_var *var, const char *name, ra_dtype dtype,
                      double number, int64_t integer) {
  double *numbers = ra_arena_calloc(&source->arena, 1, sizeof *numbers);
  int64_t *integers = ra_arena_calloc(&source->arena, 1, sizeof *integers);
  const char *own = ra_arena_strdup(&source->arena, name);
  if (!numbers || !integers || !own) return false;
  numbers[0] = number;
  integers[0] = integer;
  ra_source_attr attr = {.name = own,
                         .count = 1,
                         .dtype = dtype,
                         .numbers = numbers,
                         .integers = ra_dtype_is_float(dtype) ? NULL : integers};
  return ra__model_attr(source, &var->attrs, &var->attr_count, &attr);
}
