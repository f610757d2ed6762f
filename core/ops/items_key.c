// items_key.c - see items_key.h. A token is base64url of the order's letters and the key's parts, separated by byte 31.
#include "ops/items_key.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 9, SEPARATOR = 31, TOKEN_MAX = 4096 };

static int compare_ms(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int compare_field(ra_items_field field, const ra_items_key *a, const ra_items_key *b) {
  switch (field) {
    case RA_ITEMS_DATETIME: return compare_ms(a->iso_ms, b->iso_ms);
    case RA_ITEMS_ID: return strcmp(a->id, b->id);
    case RA_ITEMS_COLLECTION: return strcmp(a->collection, b->collection);
    case RA_ITEMS_CREATED: return strcmp(a->created, b->created);
  }
  return 0;
}

int ra__items_compare(const ra_op_items *items, const ra_items_key *a, const ra_items_key *b) {
  int order = 0, time_sign = 1;
  for (unsigned i = 0; !order && i < items->sort_count; i++) {
    int sign = items->sorts[i].descending ? -1 : 1;
    if (items->sorts[i].field == RA_ITEMS_DATETIME) time_sign = sign;
    order = sign * compare_field(items->sorts[i].field, a, b);
  }
  if (!order) order = compare_ms(b->run_ms, a->run_ms);  // of equal times the latest run first
  if (!order) order = strcmp(a->collection, b->collection);
  if (!order) order = strcmp(a->dataset, b->dataset);
  if (!order) order = time_sign * compare_ms(a->iso_ms, b->iso_ms);
  if (!order) order = time_sign * compare_ms(a->true_ms, b->true_ms);
  return order ? order : time_sign * compare_ms(a->ordinal, b->ordinal);
}

bool ra__items_sorts_by(const ra_op_items *items, ra_items_field field) {
  for (unsigned i = 0; i < items->sort_count; i++)
    if (items->sorts[i].field == field) return true;
  return false;
}

static void add_order(const ra_op_items *items, ra_str *out) {
  for (unsigned i = 0; i < items->sort_count; i++)
    ra_str_add_char(out,
                    (char)((items->sorts[i].descending ? 'A' : 'a') + (int)items->sorts[i].field));
}

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const char *bytes, size_t n, ra_str *out) {
  for (size_t i = 0; i < n; i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; k++) group = group << 8 | (i + k < n ? (uint8_t)bytes[i + k] : 0);
    size_t digits = n - i >= 3 ? 4 : n - i + 1;
    for (size_t k = 0; k < digits; k++) ra_str_add_char(out, ALPHABET[group >> (18 - 6 * k) & 63]);
  }
}

// Zero-terminated; NULL for what is no base64url.
static char *decode(ra_arena *arena, const char *text) {
  size_t n = strlen(text);
  if (n > TOKEN_MAX || n % 4 == 1) return NULL;
  char *bytes = ra_arena_calloc(arena, n + 1, 1), *at = bytes;
  uint32_t group = 0;
  for (size_t i = 0; bytes && i < n; i++) {
    const char *digit = strchr(ALPHABET, text[i]);
    if (!digit) return NULL;
    group = group << 6 | (uint32_t)(digit - ALPHABET);
    if (i % 4) *at++ = (char)(group >> (6 - 2 * (i % 4)));
  }
  return bytes;
}

void ra__items_write_token(const ra_op_items *items, const ra_items_key *key, ra_str *out) {
  ra_str plain;
  ra_str_init(&plain);
  add_order(items, &plain);
  ra_str_addf(&plain, "\x1f%lld\x1f%lld\x1f%lld\x1f%u", (long long)key->iso_ms,
              (long long)key->true_ms, (long long)key->run_ms, key->ordinal);
  const char *texts[4] = {key->collection, key->dataset, key->id, key->created};
  for (int i = 0; i < 4; i++) {
    ra_str_add_char(&plain, SEPARATOR);
    ra_str_add(&plain, texts[i]);
  }
  encode(plain.ptr, plain.len, out);
  ra_str_deinit(&plain);
}

static bool split(char *text, char *parts[PARTS]) {
  for (int i = 0; i < PARTS; i++) {
    parts[i] = text;
    text = strchr(text, SEPARATOR);
    if (!text) return i == PARTS - 1;
    *text++ = 0;
  }
  return false;
}

static bool whole(const char *text, int64_t *out) {
  char *end;
  *out = strtoll(text, &end, 10);
  return *text && !*end;
}

int ra__items_read_token(ra_op_items *items, ra_items_key *out, ra_err *err) {
  char *parts[PARTS];
  int64_t ordinal = 0;
  ra_str order;
  ra_str_init(&order);
  add_order(items, &order);
  char *plain = decode(&items->arena, items->token);
  bool good = plain && order.ptr && split(plain, parts) && !strcmp(parts[0], order.ptr) &&
              whole(parts[1], &out->iso_ms) && whole(parts[2], &out->true_ms) &&
              whole(parts[3], &out->run_ms) && whole(parts[4], &ordinal);
  ra_str_deinit(&order);
  if (!good)
    return ra_fail(err, RA_E_INVALID, "token",
                   "the token is not one that this service gave for this order: follow the next "
                   "link as it is");
  out->ordinal = (unsigned)ordinal;
  out->collection = parts[5];
  out->dataset = parts[6];
  out->id = parts[7];
  out->created = parts[8];
  return RA_OK;
}
