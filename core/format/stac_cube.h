// stac_cube.h - for this folder: the datacube extension's members of an item.
#pragma once
#include "base/str.h"
#include "format/dataset.h"

// Does an item with these axes have the variable?
bool ra__stac_has(const ra_dataset_variable *variable, uint64_t axes);
// "cube:dimensions":{…},"cube:variables":{…} of the variables that an item with these axes has.
void ra__stac_add_cube(const ra_dataset *dataset, uint64_t axes, ra_str *out);
