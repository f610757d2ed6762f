// half.h - IEEE 754 half floats, which are stored and never computed with. Any thread.
#pragma once
#include <stdint.h>

float ra_half_load(uint16_t bits);
uint16_t ra_half_store(float value);  // to nearest, ties to even; beyond 65,504 infinite
