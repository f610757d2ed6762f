// number.h - floating-point numbers as the shortest decimal text that reads back as the same number. Any thread.
#pragma once
#include <stddef.h>

enum { RA_NUMBER_TEXT = 32 };

// Text without a terminator, its length returned; integral values end in ".0". NaN and infinities are "null".
size_t ra_number_double(double value, char out[RA_NUMBER_TEXT]);
size_t ra_number_float(float value, char out[RA_NUMBER_TEXT]);
