// ramp.h - colour ramps: a table of 256 colours, stops, intervals or categories, reduced to what a
// tile needs.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef enum ra_ramp_kind {
  RA_RAMP_LINEAR,      // 256 entries over the rescaled range
  RA_RAMP_CATEGORIES,  // value -> colour, exact
  RA_RAMP_INTERVALS    // min <= v < max, later entries win
} ra_ramp_kind;

// Entries behind the others, each where the ramp has that colour: for values below and above the
// range (of a linear ramp: the rescaled one; else of all its values), and for no value.
typedef enum ra_ramp_mark {
  RA_RAMP_BELOW,
  RA_RAMP_ABOVE,
  RA_RAMP_MISSING,
  RA_RAMP_MARKS
} ra_ramp_mark;

typedef struct ra_ramp ra_ramp;  // immutable, refcounted

// The JSON of a file in colormaps/ ({"type":"linear","colors":["#440154",…]} with 2..4096 colours
// spread evenly, or "stops":[[position,"#rrggbb"],…] with positions 0..1 that do not fall;
// {"type":"categories","colors":{"1":"#…"}}; {"type":"intervals","colors":[[[min,max],"#…"],…]}; a
// linear ramp's "colors" may also be one text of hex digits, six a colour. "below", "above" and
// "missing" are colours; "labels" an object value -> text (categories) or a list of texts
// (intervals); "range" [low, high] the values a linear ramp is meant for), or titiler's `colormap`
// parameter: an object value -> colour (a 256-entry integer one is a table, any other exact
// matches), or a list of [[min,max],colour]. Colours: "#rgb[a]", "#rrggbb[aa]", [r,g,b] or
// [r,g,b,a]. RA_E_INVALID names the entry that is wrong.
int ra_ramp_parse(const char *json, size_t size, ra_ramp **out, ra_err *err);
// A table of stops as text, one a line, for spreadsheets: a header `position,colour`,
// `value,colour`, `category,colour,label` or `min,max,colour,label` (linear by share or by value,
// categories, intervals; without a header the first or second), fields split by comma, semicolon or
// tab, colours as #rrggbb[aa] or as three or four numbers, lines `below,…`, `above,…` and
// `missing,…`, comments behind `#`. RA_E_INVALID names the line.
int ra_ramp_parse_csv(const char *text, size_t size, ra_ramp **out, ra_err *err);
// A colour palette table of the Generic Mapping Tools: `z0 colour z1 colour` a line, colours as
// r/g/b, r g b or #rrggbb, then B, F and N. RA_E_INVALID names the line.
int ra_ramp_parse_cpt(const char *text, size_t size, ra_ramp **out, ra_err *err);
// By the end of the file's name: .csv, .cpt, else JSON.
int ra_ramp_parse_file(const char *name, const char *text, size_t size, ra_ramp **out, ra_err *err);
int ra_ramp_reversed(const ra_ramp *ramp, ra_ramp **out, ra_err *err);  // linear only
ra_ramp *ra_ramp_ref(ra_ramp *ramp);
void ra_ramp_unref(ra_ramp *ramp);
ra_ramp_kind ra_ramp_get_kind(const ra_ramp *ramp);
const uint8_t (*ra_ramp_table(const ra_ramp *ramp))[4];  // 256 entries (linear)
const char *ra_ramp_digest(const ra_ramp *ramp);         // hex, for ETags
// One value's colour; false: unmatched (transparent). Linear: position 0..1.
bool ra_ramp_colour(const ra_ramp *ramp, double value, uint8_t rgba[4]);
// Entries: 256 (linear), categories by value, intervals in the order given; their colours, and
// which of them a value has (-1: none). Linear: as above.
unsigned ra_ramp_count(const ra_ramp *ramp);
const uint8_t (*ra_ramp_colours(const ra_ramp *ramp))[4];        // those of marks follow
int ra_ramp_mark_entry(const ra_ramp *ramp, ra_ramp_mark mark);  // -1: the ramp does not have it
bool ra_ramp_marked(const ra_ramp *ramp);                        // has any of them
const char *ra_ramp_label(const ra_ramp *ramp, unsigned entry);  // NULL: none
// The values that a linear ramp was made for; false: it says none.
bool ra_ramp_range(const ra_ramp *ramp, double range[2]);
int ra_ramp_find(const ra_ramp *ramp, double value);
// The lowest and highest value of an entry (equal for a category, 0..1 shares for a linear one);
// for legends.
void ra_ramp_bounds(const ra_ramp *ramp, unsigned entry, double *low, double *high);
