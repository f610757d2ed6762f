// op_items.c - see op_items.h. All items that pass go through a heap that keeps the first `limit` + 1 of the order.
#include "ops/op_items.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "format/stac_item.h"
#include "ops/items_fields.h"
#include "ops/items_key.h"

enum { CHECK_EVERY = 4096 };

typedef struct entry {
  ra_items_key key;
  const ra_dataset *dataset;
  const char *segment;  // NULL: the dataset's own store
  size_t index;
} entry;

typedef struct page {
  ra_op_items *items;
  ra_cancel *cancel;
  ra_items_key after;
  bool has_after;
  const char *segment;  // of the dataset whose items are looked at
  entry *heap;          // the last of the order is on top
  size_t count, room;
  size_t looked;
} page;

static bool later(const page *p, const entry *a, const entry *b) {
  return ra__items_compare(p->items, &a->key, &b->key) > 0;
}

static void swap(entry *a, entry *b) {
  entry kept = *a;
  *a = *b;
  *b = kept;
}

static void sift_down(page *p, size_t at) {
  for (size_t child; (child = at * 2 + 1) < p->count; at = child) {
    if (child + 1 < p->count && later(p, &p->heap[child + 1], &p->heap[child])) child++;
    if (!later(p, &p->heap[child], &p->heap[at])) return;
    swap(&p->heap[child], &p->heap[at]);
  }
}

static void push(page *p, const entry *made) {
  if (p->count == p->room) {
    if (!later(p, &p->heap[0], made)) return;
    p->heap[0] = *made;
    sift_down(p, 0);
    return;
  }
  size_t at = p->count++;
  p->heap[at] = *made;
  while (at && later(p, &p->heap[at], &p->heap[(at - 1) / 2])) {
    swap(&p->heap[at], &p->heap[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
}

static void sort(page *p) {
  size_t count = p->count;
  while (p->count > 1) {
    swap(&p->heap[0], &p->heap[--p->count]);
    sift_down(p, 0);
  }
  p->count = count;
}

// ---- which pass

// RA_TIME_NONE for what is no forecast.
static int64_t run_of(const ra_dataset_item *item) {
  int64_t run = item->axis ? ra_dataset_axis_run(item->axis, item->step) : RA_TIME_NONE;
  return run == RA_TIME_NONE ? RA_TIME_NONE : ra_time_to_iso(item->axis->calendar, run, NULL);
}

static int make_key(page *p, const ra_dataset *dataset, size_t i, ra_items_key *key, ra_err *err) {
  const int64_t year_one = -62135596800000;
  const ra_dataset_item *item = ra_dataset_get_item(dataset, i);
  *key = (ra_items_key){.iso_ms = item->axis ? item->iso_ms : year_one,
                        .true_ms = item->axis ? item->true_ms : year_one,
                        .run_ms = run_of(item),
                        .ordinal = item->ordinal,
                        .collection = ra_dataset_collection(dataset),
                        .dataset = ra_dataset_id(dataset),
                        .id = "",
                        .created = ra_dataset_get_about(dataset)->created};
  if (!ra__items_sorts_by(p->items, RA_ITEMS_ID)) return RA_OK;
  ra_str id;
  ra_str_init(&id);
  ra_dataset_item_id(dataset, i, &id);
  key->id = id.ptr ? ra_arena_strndup(&p->items->arena, id.ptr, id.len) : NULL;
  ra_str_deinit(&id);
  return key->id ? RA_OK
                 : ra_fail(err, RA_E_TOOBIG, "sortby",
                           "too many items to sort by id: narrow the search");
}

static int offer(page *p, const ra_dataset *dataset, size_t i, ra_err *err) {
  entry made = {.dataset = dataset, .segment = p->segment, .index = i};
  if (++p->looked % CHECK_EVERY == 0 && ra_cancel_is_set(p->cancel))
    return ra_fail(err, RA_E_CANCELLED, "", "nobody waits for the items");
  int rc = make_key(p, dataset, i, &made.key, err);
  if (rc < 0) return rc;
  p->items->matched++;
  if (!p->has_after || ra__items_compare(p->items, &made.key, &p->after) > 0) push(p, &made);
  return RA_OK;
}

// Where an item lies is asked once for each kind of item of a dataset, and once for each geometry met in a row.
typedef struct place {
  ra_str text;
  bool touches;
} place;

static bool touches(const ra_op_items *items, const ra_dataset *dataset, size_t i, place *last) {
  ra_str text;
  double bbox[4];
  ra_str_init(&text);
  if (!ra_stac_item_footprint(dataset, i, bbox, &text)) return false;
  if (last->text.ptr && text.ptr && !strcmp(last->text.ptr, text.ptr)) {
    ra_str_deinit(&text);
    return last->touches;
  }
  ra_geometry *own = NULL;
  int rc = ra_geometry_parse(text.ptr ? text.ptr : "", text.len, &own, NULL);
  if (rc < 0) rc = ra_geometry_from_box(bbox, &own, NULL);
  last->touches = rc == RA_OK && ra_geometry_intersects(items->geometry, own);
  ra_geometry_free(own);
  ra_str_deinit(&last->text);
  last->text = text;
  return last->touches;
}

typedef struct kind {
  uint64_t axes;
  bool known, passes;
} kind;

static bool passes_place(const ra_op_items *items, const ra_dataset *dataset, size_t i, kind *kept,
                         place *last) {
  if (!items->geometry) return true;
  uint64_t axes = ra_stac_item_axes(dataset, i);
  if (!kept->known || kept->axes != axes)
    *kept = (kind){axes, true, touches(items, dataset, i, last)};
  return kept->passes;
}

static bool passes_time(const ra_op_items *items, const ra_dataset_item *item) {
  return !item->axis || (item->iso_ms >= items->first && item->iso_ms <= items->last);
}

static bool passes_run(const ra_op_items *items, const ra_dataset_item *item) {
  const uint64_t most = 500;
  if (items->run == RA_TIME_NONE) return true;
  int64_t run = run_of(item), apart;
  return run != RA_TIME_NONE && !__builtin_sub_overflow(run, items->run, &apart) &&
         (uint64_t)llabs(apart) <= most;
}

static int offer_if(page *p, const ra_dataset *dataset, size_t i, kind *kept, place *last,
                    ra_err *err) {
  const ra_dataset_item *item = ra_dataset_get_item(dataset, i);
  bool passes = passes_time(p->items, item) && passes_run(p->items, item) &&
                passes_place(p->items, dataset, i, kept, last);
  return passes ? offer(p, dataset, i, err) : RA_OK;
}

static int offer_ids(page *p, const ra_dataset *dataset, kind *kept, place *last, ra_err *err) {
  int rc = RA_OK;
  for (size_t k = 0; rc == RA_OK && k < p->items->id_count; k++) {
    size_t i;
    if (ra_dataset_find_item(dataset, p->items->ids[k], &i))
      rc = offer_if(p, dataset, i, kept, last, err);
  }
  return rc;
}

static int offer_dataset(page *p, const ra_dataset *dataset, place *last, ra_err *err) {
  kind kept = {0};
  if (p->items->ids) return offer_ids(p, dataset, &kept, last, err);
  size_t count = ra_dataset_item_count(dataset);
  size_t i =
      ra_dataset_get_item(dataset, 0)->axis ? ra_dataset_item_lower(dataset, p->items->first) : 0;
  int rc = RA_OK;
  for (; rc == RA_OK && i < count; i++) {
    const ra_dataset_item *item = ra_dataset_get_item(dataset, i);
    if (item->axis && item->iso_ms > p->items->last) break;
    rc = offer_if(p, dataset, i, &kept, last, err);
  }
  return rc;
}

static int choose(page *p, ra_err *err) {
  place last = {.touches = false};
  int rc = RA_OK;
  ra_str_init(&last.text);
  for (size_t i = 0; rc == RA_OK && i < p->items->dataset_count; i++) {
    const char *segment = p->items->segments ? p->items->segments[i] : "";
    p->segment = *segment ? segment : NULL;
    rc = offer_dataset(p, p->items->datasets[i], &last, err);
  }
  ra_str_deinit(&last.text);
  if (rc == RA_OK) sort(p);
  return rc;
}

// ---- writing

static int add_item(ra_op_items *items, ra_stac_writer *writer, const entry *e, ra_str *out,
                    ra_err *err) {
  writer->segment = e->segment;
  if (!*items->fields) return ra_stac_writer_add(writer, e->dataset, e->index, out, err);
  ra_str whole;
  ra_str_init(&whole);
  int rc = ra_stac_writer_add(writer, e->dataset, e->index, &whole, err);
  if (rc == RA_OK) rc = ra__items_add_fields(items->fields, whole.ptr, whole.len, out, err);
  ra_str_deinit(&whole);
  return rc;
}

static int write_page(page *p, ra_err *err) {
  ra_op_items *items = p->items;
  ra_stac_writer writer;
  ra_str out;
  int rc = RA_OK;
  ra_str_init(&out);
  ra_stac_writer_init(&writer, items->base_url);
  ra_str_add_char(&out, '[');
  while (rc == RA_OK && items->count < p->count && items->count < items->limit &&
         (!items->count || out.len < items->max_bytes)) {
    if (ra_cancel_is_set(p->cancel))
      rc = ra_fail(err, RA_E_CANCELLED, "", "nobody waits for the items");
    if (items->count) ra_str_add_char(&out, ',');
    if (rc == RA_OK) rc = add_item(items, &writer, &p->heap[items->count++], &out, err);
  }
  if (rc == RA_OK && items->count < p->count)
    ra__items_write_token(items, &p->heap[items->count - 1].key, &items->next);
  ra_stac_writer_deinit(&writer);
  ra_str_add_char(&out, ']');
  if (rc == RA_OK) return ra_str_take(&out, &items->out, err);
  ra_str_deinit(&out);
  return rc;
}

static int items_run(ra_op *op, void *state, ra_err *err) {
  ra_op_items *items = state;
  uint64_t begin = ra_clock_ns();
  page p = {.items = items, .cancel = ra_op_cancel_flag(op), .room = items->limit + 1};
  p.heap = calloc(p.room, sizeof *p.heap);
  int rc = p.heap ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "out of memory for a page of items");
  p.has_after = *items->token;
  if (rc == RA_OK && p.has_after) rc = ra__items_read_token(items, &p.after, err);
  if (rc == RA_OK) rc = choose(&p, err);
  if (rc == RA_OK) rc = write_page(&p, err);
  free(p.heap);
  ra_op_timing(op)->ns[RA_STAGE_CATALOG] += ra_clock_ns() - begin;
  return rc;
}

static void items_deinit(void *state) {
  ra_op_items *items = state;
  for (size_t i = 0; i < items->dataset_count; i++) ra_dataset_unref(items->datasets[i]);
  free(items->datasets);
  ra_geometry_free(items->geometry);
  ra_buf_unref(items->out);
  ra_str_deinit(&items->next);
  ra_arena_deinit(&items->arena);
}

const ra_op_kind RA_OP_ITEMS = {.name = "items",
                                .state_size = sizeof(ra_op_items),
                                .lane = RA_OP_CPU,
                                .run = items_run,
                                .deinit = items_deinit};
