// fuzz_dataset.c - a catalog row's body: tables whose items can all be written, or a refusal.
#include <stdint.h>
#include <stdio.h>

#include "format/stac_item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_dataset *dataset;
  ra_stac_writer writer;
  ra_str out, key;
  if (ra_dataset_parse((const char *)data, size, &dataset, NULL) < 0) return 0;
  ra_str_init(&out);
  ra_str_init(&key);
  ra_stac_writer_init(&writer, "http://h");
  size_t count = ra_dataset_item_count(dataset);
  for (size_t i = 0, found; i < count && i < 50; i++) {
    ra_stac_writer_add(&writer, dataset, i, &out, NULL);
    ra_str_deinit(&key);
    ra_dataset_item_id(dataset, i, &key);
    if (key.ptr) ra_dataset_find_item(dataset, key.ptr, &found);
  }
  ra_stac_writer_deinit(&writer);
  ra_str_deinit(&key);
  ra_str_deinit(&out);
  ra_dataset_unref(dataset);
  return 0;
}
