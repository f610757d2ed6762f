// items_fields.h - for op_items: the fields extension, applied to an item's text.
#pragma once
#include "base/str.h"

// Appends the item with only what `fields` ({"include":[…],"exclude":[…]}) asks for. type, id and collection always stay.
int ra__items_add_fields(const char *fields, const char *item, size_t size, ra_str *out, ra_err *err);
