// number.c - see number.h. The value is scaled to an integer of 9 (17) digits in the next wider type, and digits are
// dropped while what is left stays within half a unit of the value's last bit. Where the wider type can't tell (the
// rounding error is as large as the distance to that limit: less than 1 in 100), the C library decides.
#include "base/number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct decimal {
  uint64_t digits;  // 0 only for zero
  int exponent;     // value = digits × 10^exponent
} decimal;

static const char PAIRS[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748"
    "4950515253545556575859606162636465666768697071727374757677787980818283848586878889909192939495"
    "9697"
    "9899";

static const uint64_t POWERS[20] = {1u,
                                    10u,
                                    100u,
                                    1000u,
                                    10000u,
                                    100000u,
                                    1000000u,
                                    10000000u,
                                    100000000u,
                                    1000000000u,
                                    10000000000u,
                                    100000000000u,
                                    1000000000000u,
                                    10000000000000u,
                                    100000000000000u,
                                    1000000000000000u,
                                    10000000000000000u,
                                    100000000000000000u,
                                    1000000000000000000u,
                                    10000000000000000000u};

static int count_digits(uint64_t value) {
  int n = 1;
  while (n < 20 && value >= POWERS[n]) n++;
  return n;
}

// Digits of `text` as "%.*e" writes it.
static decimal from_text(const char *text) {
  decimal out = {0};
  int after = 0;
  bool point = false;
  for (; *text && *text != 'e'; text++) {
    point = point || *text == '.';
    if (*text < '0' || *text > '9') continue;
    out.digits = out.digits * 10 + (uint64_t)(*text - '0');
    after += point ? 1 : 0;
  }
  out.exponent = (*text ? (int)strtol(text + 1, NULL, 10) : 0) - after;
  while (out.digits && out.digits % 10 == 0) {
    out.digits /= 10;
    out.exponent++;
  }
  return out;
}

static decimal slow_float(float value) {
  char text[48];
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(text, sizeof text, "%.*e", digits - 1, (double)value);
    if (strtof(text, NULL) == value) break;
  }
  return from_text(text);
}

static decimal slow_double(double value) {
  char text[48];
  for (int digits = value < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*e", digits - 1, value);
    if (strtod(text, NULL) == value) break;
  }
  return from_text(text);
}

// Up to here powers of ten are exact: 5^22 < 2^53, 5^27 < 2^64.
enum { EXACT_DOUBLE = 22, EXACT_LONG = 27 };

static const double TENS[EXACT_DOUBLE + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const double TENTHS[10] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9};

static double scale_double(double value, int power) {
  return power >= 0 ? value * TENS[power] : value / TENS[-power];
}

// floor(log10(2^e)) for the exponents of doubles.
static int log10_of_power(int e) { return (e * 78913) >> 18; }

// Exponents of normal doubles only.
static double power_of_two(int e) {
  uint64_t bits = (uint64_t)(e + 1023) << 52;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// false: ask the library.
static bool fast_float(float value, decimal *out) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  int e2 = (int)(bits >> 23 & 0xff) - 127;
  if (e2 == -127 || !(bits & 0x7fffff)) return false;  // subnormal; the lower limit is nearer
  int power = 8 - log10_of_power(e2);
  if (power > EXACT_DOUBLE || power <= -EXACT_DOUBLE) return false;
  double scaled = scale_double((double)value, power);
  if (scaled >= 1e9) scaled = scale_double((double)value, --power);
  double half = scale_double(power_of_two(e2 - 24), power);
  const double doubt = 1e-6;
  int dropped = -1;
  uint64_t kept = 0;
  for (int j = 0; j < 9; j++) {
    // A tenth that is not exact may round a tie to the other side, which is as near.
    int64_t rounded = (int64_t)(scaled * TENTHS[j] + 0.5);
    double off = fabs((double)rounded * TENS[j] - scaled);
    if (off > half + doubt) break;
    if (off > half - doubt) return false;
    kept = (uint64_t)rounded;
    dropped = j;
  }
  *out = (decimal){kept, dropped - power};
  return dropped >= 0;
}

#if LDBL_MANT_DIG >= 64
static const long double LONG_TENS[EXACT_LONG + 1] = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
    1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
    1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

static long double scale_long(long double value, int power) {
  return power >= 0 ? value * LONG_TENS[power] : value / LONG_TENS[-power];
}

static bool fast_double(double value, decimal *out) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  int e2 = (int)(bits >> 52 & 0x7ff) - 1023;
  if (e2 == -1023 || !(bits & 0xfffffffffffff)) return false;
  int power = 16 - log10_of_power(e2);
  if (power > EXACT_LONG || power <= -EXACT_LONG) return false;
  long double scaled = scale_long(value, power);
  if (scaled >= 1e17L) scaled = scale_long(value, --power);
  long double half = scale_long(power_of_two(e2 - 53), power);
  const long double doubt = 0.02L;
  int dropped = -1;
  uint64_t kept = 0;
  for (int j = 0; j < 17; j++) {
    long double unit = LONG_TENS[j];
    uint64_t rounded = (uint64_t)(scaled / unit + 0.5L);
    long double off = fabsl((long double)rounded * unit - scaled);
    if (off > half + doubt) break;
    if (off > half - doubt) return false;
    kept = rounded;
    dropped = j;
  }
  *out = (decimal){kept, dropped - power};
  return dropped >= 0;
}
#else
static bool fast_double(double value, decimal *out) {
  (void)value, (void)out;
  return false;
}
#endif

static char *put_digits(char *at, uint64_t value, int n) {
  int i = n;
  for (; i >= 2; value /= 100) {
    i -= 2;
    memcpy(at + i, PAIRS + 2 * (value % 100), 2);
  }
  if (i) at[0] = (char)('0' + value % 10);
  return at + n;
}

static char *put_exponent(char *at, int exponent) {
  *at++ = 'e';
  *at++ = exponent < 0 ? '-' : '+';
  if (exponent < 0) exponent = -exponent;
  return put_digits(at, (uint64_t)exponent, exponent > 99 ? 3 : 2);
}

// 123.0, 0.00123, 1.23e-07
static size_t write_decimal(decimal number, bool negative, char *out) {
  char *at = out;
  int n = count_digits(number.digits), lead = number.exponent + n - 1;
  if (negative) *at++ = '-';
  if (lead < -5 || lead > 16) {
    char digits[20];
    put_digits(digits, number.digits, n);
    *at++ = digits[0];
    if (n > 1) *at++ = '.';
    memcpy(at, digits + 1, (size_t)n - 1);
    at = put_exponent(at + n - 1, lead);
  } else if (number.exponent >= 0) {
    at = put_digits(at, number.digits, n);
    for (int i = 0; i < number.exponent; i++) *at++ = '0';
    *at++ = '.';
    *at++ = '0';
  } else {
    int after = -number.exponent;
    uint64_t unit = after < 20 ? POWERS[after] : 0;
    uint64_t whole = unit ? number.digits / unit : 0;
    at = put_digits(at, whole, count_digits(whole));
    *at++ = '.';
    at = put_digits(at, unit ? number.digits % unit : number.digits, after);
  }
  return (size_t)(at - out);
}

static bool write_integral(double value, char *out, size_t *length) {
  if (!(fabs(value) < 1e15) || value != (double)(int64_t)value) return false;
  decimal number = {(uint64_t)fabs(value), 0};
  *length = write_decimal(number, signbit(value), out);
  return true;
}

static size_t write_null(char out[RA_NUMBER_TEXT]) { return (size_t)(stpcpy(out, "null") - out); }

size_t ra_number_double(double value, char out[RA_NUMBER_TEXT]) {
  size_t length;
  decimal number;
  if (!isfinite(value)) return write_null(out);
  if (write_integral(value, out, &length)) return length;
  if (!fast_double(fabs(value), &number)) number = slow_double(fabs(value));
  return write_decimal(number, value < 0, out);
}

size_t ra_number_float(float value, char out[RA_NUMBER_TEXT]) {
  size_t length;
  decimal number;
  if (!isfinite(value)) return write_null(out);
  if (fabsf(value) < 1e7f && write_integral((double)value, out, &length)) return length;
  if (!fast_float(fabsf(value), &number)) number = slow_float(fabsf(value));
  return write_decimal(number, value < 0, out);
}
