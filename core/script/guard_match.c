// guard_match.c - Lua patterns with a step count. Results and errors are those of LuaJIT's string library for every pattern
// (a property test compares them); what differs is that the work is counted and ends at a limit. See guard.h.
#include <string.h>

#include "script/guard.h"

enum {
  DEPTH_MOST = 200,  // LuaJIT's: past it a pattern is too complex
  LOOK = 5000,       // steps between two looks at the clock and the limit
  SHORT_SET = 24     // a longer one counts by its length
};

#define ESCAPE '%'

static inline unsigned char byte(const char *at) { return (unsigned char)*at; }

// ---- counting

static void refill(ra__matcher *m) {
  m->taken += LOOK;
  if (m->taken >= ra__guard_steps(m->L)) ra__guard_too_long(m->L, m->what);
  ra__guard_check_time(m->L);
  m->left += LOOK;
}

static inline void count(ra__matcher *m, ptrdiff_t steps) {
  m->left -= steps;
  while (m->left < 0) refill(m);
}

void ra__match_count(ra__matcher *m, size_t steps) { count(m, (ptrdiff_t)steps); }

void ra__match_init(ra__matcher *m, lua_State *L, const char *what, const char *subject, size_t size) {
  m->L = L;
  m->what = what;
  m->from = subject;
  m->to = subject + size;
  m->left = LOOK;
  m->taken = 0;
}

void ra__match_done(ra__matcher *m) {
  if (m->taken || m->left < LOOK / 2) ra__guard_spent(m->L);
}

// ---- single characters

static inline bool within(int c, int first, int last) { return c >= first && c <= last; }
static inline bool alpha(int c) { return within(c | 0x20, 'a', 'z'); }
static inline bool digit(int c) { return within(c, '0', '9'); }
static inline bool graph(int c) { return within(c, '!', '~'); }

// ASCII only, whatever the locale.
static bool in_class(int c, int letter) {
  bool in;
  switch (letter | 0x20) {
    case 'a': in = alpha(c); break;
    case 'c': in = c < ' ' || c == 127; break;
    case 'd': in = digit(c); break;
    case 'g': in = graph(c); break;
    case 'l': in = within(c, 'a', 'z'); break;
    case 'p': in = graph(c) && !alpha(c) && !digit(c); break;
    case 's': in = c == ' ' || within(c, '\t', '\r'); break;
    case 'u': in = within(c, 'A', 'Z'); break;
    case 'w': in = alpha(c) || digit(c); break;
    case 'x': in = digit(c) || within(c | 0x20, 'a', 'f'); break;
    case 'z': in = c == 0; break;
    default: return letter == c;
  }
  return in == ((letter & 0x20) != 0);
}

// Is `letter` (after a '%') a class? For others in_class compares; '@' | 0x20 and the like are no letters.
static inline bool matches_class(int c, int letter) {
  return alpha(letter) ? in_class(c, letter) : letter == c;
}

// set: the '['; last: its ']'.
static inline bool in_set(ra__matcher *m, int c, const char *set, const char *last) {
  bool found = true;
  const char *p = set;
  if (last - set > SHORT_SET) count(m, (last - set) / 4);
  if (p[1] == '^') {
    found = false;
    p++;
  }
  while (++p < last) {
    if (*p == ESCAPE) {
      p++;
      if (matches_class(c, byte(p))) return found;
    } else if (p[1] == '-' && p + 2 < last) {
      p += 2;
      if (within(c, byte(p - 2), byte(p))) return found;
    } else if (byte(p) == c) {
      return found;
    }
  }
  return !found;
}

// Where the single-character item at `p` ends.
static const char *item_end(ra__matcher *m, const char *p) {
  const char *start = p;
  if (*p == ESCAPE) {
    if (!p[1]) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 2;
  }
  if (*p++ != '[') return p;
  if (*p == '^') p++;
  do {
    if (!*p) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*p++ == ESCAPE && *p) p++;
  } while (*p != ']');
  if (p - start > SHORT_SET) count(m, (p - start) / 4);
  return p + 1;
}

static inline bool matches_item(ra__matcher *m, int c, const char *item, const char *end) {
  switch (*item) {
    case '.': return true;
    case ESCAPE: return matches_class(c, byte(item + 1));
    case '[': return in_set(m, c, item, end - 1);
    default: return byte(item) == c;
  }
}

// ---- items

static const char *match(ra__matcher *m, const char *s, const char *p);

static const char *match_balance(ra__matcher *m, const char *s, const char *p) {
  if (!p[0] || !p[1]) luaL_error(m->L, "unbalanced pattern");
  if (*s != *p) return NULL;
  char open = p[0], close = p[1];
  size_t level = 1;
  for (const char *at = s + 1; at < m->to; at++) {
    if (*at == close) {
      if (--level == 0) {
        count(m, (at - s) / 2);
        return at + 1;
      }
    } else if (*at == open) {
      level++;
    }
  }
  count(m, (m->to - s) / 2);
  return NULL;
}

// How many characters from `s` on are of the item.
static ptrdiff_t run_length(ra__matcher *m, const char *s, const char *item, const char *end) {
  ptrdiff_t n = 0, most = m->to - s;
  if (*item == '.') {
    n = most;
  } else if (*item == '[' || *item == ESCAPE) {
    while (n < most && matches_item(m, byte(s + n), item, end)) {
      n++;
      if (n % 1024 == 0) count(m, 1024);
    }
    count(m, n % 1024);
  } else {
    while (n < most && s[n] == *item) n++;
    count(m, n / 4);
  }
  return n;
}

static const char *match_longest(ra__matcher *m, const char *s, const char *item, const char *end) {
  ptrdiff_t n = run_length(m, s, item, end);
  if (!end[1] && m->depth < DEPTH_MOST) return s + n;  // nothing is to follow
  for (; n >= 0; n--) {
    const char *matched = match(m, s + n, end + 1);
    if (matched) return matched;
  }
  return NULL;
}

static const char *match_shortest(ra__matcher *m, const char *s, const char *item, const char *end) {
  for (;; s++) {
    const char *matched = match(m, s, end + 1);
    if (matched) return matched;
    if (s >= m->to || !matches_item(m, byte(s), item, end)) return NULL;
  }
}

static const char *open_capture(ra__matcher *m, const char *s, const char *p, ptrdiff_t kind) {
  if (m->captures >= RA__CAPTURES_MOST) luaL_error(m->L, "too many captures");
  m->capture[m->captures].at = s;
  m->capture[m->captures].size = kind;
  m->captures++;
  const char *matched = match(m, s, p);
  if (!matched) m->captures--;
  return matched;
}

static const char *close_capture(ra__matcher *m, const char *s, const char *p) {
  int i = m->captures - 1;
  while (i >= 0 && m->capture[i].size != RA__CAPTURE_OPEN) i--;
  if (i < 0) luaL_error(m->L, "invalid pattern capture");
  m->capture[i].size = s - m->capture[i].at;
  const char *matched = match(m, s, p);
  if (!matched) m->capture[i].size = RA__CAPTURE_OPEN;
  return matched;
}

static const char *match_again(ra__matcher *m, const char *s, char number) {
  int i = number - '1';
  if (i < 0 || i >= m->captures || m->capture[i].size == RA__CAPTURE_OPEN)
    luaL_error(m->L, "invalid capture index");
  size_t size = (size_t)m->capture[i].size;  // a position's is larger than any subject
  if ((size_t)(m->to - s) < size) return NULL;
  count(m, (ptrdiff_t)(size / 32));
  return memcmp(m->capture[i].at, s, size) == 0 ? s + size : NULL;
}

// A frontier's set at `p`; NULL, or where the pattern goes on.
static const char *match_frontier(ra__matcher *m, const char *s, const char *p) {
  if (*p != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
  const char *end = item_end(m, p);
  int before = s == m->from ? 0 : byte(s - 1);
  return !in_set(m, before, p, end - 1) && in_set(m, byte(s), p, end - 1) ? end : NULL;
}

// What begins with '%' and is no single character; NULL, or where the subject goes on (and in *next the pattern). False: it
// is a single character.
static bool match_special(ra__matcher *m, const char **s, const char **p) {
  char kind = (*p)[1];
  if (kind == 'b') {
    *s = match_balance(m, *s, *p + 2);
    *p += 4;
  } else if (kind == 'f') {
    *p = match_frontier(m, *s, *p + 2);
    if (!*p) *s = NULL;
  } else if (digit(kind)) {
    *s = match_again(m, *s, kind);
    *p += 2;
  } else {
    return false;
  }
  return true;
}

// An item at `p` that ends at `end` and is not repeated, or with '?' or '+'. Returns where the subject goes on, and in *next the
// pattern (NULL: the match is complete); NULL when it does not match.
static inline const char *match_item(ra__matcher *m, const char *s, const char *p, const char *end,
                                     const char **next) {
  bool one = s < m->to && matches_item(m, byte(s), p, end);
  if (*end == '?') {
    *next = end + 1;
    const char *matched = one ? match(m, s + 1, end + 1) : NULL;
    if (matched) *next = NULL;
    return matched ? matched : s;
  }
  *next = *end == '+' ? NULL : end;
  if (!one) return NULL;
  return *end == '+' ? match_longest(m, s + 1, p, end) : s + 1;
}

static const char *match_rest(ra__matcher *m, const char *s, const char *p) {
  while (s && p && *p) {
    if (--m->left < 0) refill(m);
    const char *end = p + 1;
    if (*p == '(') {
      bool position = *end == ')';
      return open_capture(m, s, end + position, position ? RA__CAPTURE_POSITION : RA__CAPTURE_OPEN);
    }
    if (*p == ')') return close_capture(m, s, end);
    if (*p == '$' && !*end) return s == m->to ? s : NULL;
    if (*p == ESCAPE && match_special(m, &s, &p)) continue;
    if (*p == ESCAPE || *p == '[') end = item_end(m, p);
    if (*end == '*') return match_longest(m, s, p, end);
    if (*end == '-') return match_shortest(m, s, p, end);
    s = match_item(m, s, p, end, &p);
  }
  return s;
}

static const char *match(ra__matcher *m, const char *s, const char *p) {
  if (++m->depth > DEPTH_MOST) luaL_error(m->L, "pattern too complex");
  s = match_rest(m, s, p);
  m->depth--;
  return s;
}

// ---- from outside

const char *ra__match(ra__matcher *m, const char *at, const char *pattern) {
  m->captures = m->depth = 0;
  count(m, 1);
  return match(m, at, pattern);
}

// Where the single character that every match begins with ends in the pattern; NULL where there is none such.
static const char *first_item(ra__matcher *m, const char *p) {
  char next = p[0] ? p[1] : 0;
  bool special = *p == ESCAPE && (next == 'b' || next == 'f' || digit(next));
  if (!*p || *p == '(' || *p == ')' || (*p == '$' && !next) || special) return NULL;
  const char *end = item_end(m, p);
  return *end == '*' || *end == '?' || *end == '-' ? NULL : end;
}

// The next place where that character is, or NULL.
static const char *seek(ra__matcher *m, const char *at, const char *item, const char *end) {
  const char *from = at;
  if (*item != '.' && *item != '[' && *item != ESCAPE) {
    at = at < m->to ? memchr(at, *item, (size_t)(m->to - at)) : NULL;
    count(m, ((at ? at : m->to) - from) / 64);
    return at;
  }
  while (at < m->to && !matches_item(m, byte(at), item, end)) {
    if ((++at - from) % 1024 == 0) count(m, 512);
  }
  return at < m->to ? at : NULL;
}

const char *ra__match_first(ra__matcher *m, const char **at, const char *pattern) {
  const char *item = first_item(m, pattern);
  for (; *at <= m->to; (*at)++) {
    const char *next = item ? seek(m, *at, pattern, item) : *at;
    if (!next) break;
    *at = next;
    const char *end = ra__match(m, *at, pattern);
    if (end) return end;
  }
  return NULL;
}

void ra__match_push_one(ra__matcher *m, int i, const char *at, const char *end) {
  if (i >= m->captures) {
    if (i != 0) luaL_error(m->L, "invalid capture index");
    lua_pushlstring(m->L, at, (size_t)(end - at));
  } else if (m->capture[i].size == RA__CAPTURE_OPEN) {
    luaL_error(m->L, "unfinished capture");
  } else if (m->capture[i].size == RA__CAPTURE_POSITION) {
    lua_pushinteger(m->L, m->capture[i].at - m->from + 1);
  } else {
    lua_pushlstring(m->L, m->capture[i].at, (size_t)m->capture[i].size);
  }
}

int ra__match_push(ra__matcher *m, const char *at, const char *end) {
  int n = m->captures == 0 && at ? 1 : m->captures;
  luaL_checkstack(m->L, n, "too many captures");
  for (int i = 0; i < n; i++) ra__match_push_one(m, i, at, end);
  return n;
}
